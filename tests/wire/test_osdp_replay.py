"""A tap on the cable records a session; later it plays the reader to a panel that was restarted.

libosdp's panel draws the same random numbers in each process and takes the recorded card: a tap and a
restart open a slot. Both panels here are processes of their own, with the system's randomness.
"""

import secrets
from collections.abc import Iterator

import pytest

from simulator.devices.osdp_reader import OsdpReader
from station_agent.drivers.osdp import framing
from station_agent.drivers.osdp.framing import Frame, FrameDecoder
from station_agent.drivers.osdp.messages import Command, Reply
from tests.wire.osdp_bench import KEY, OWN_PYTHON, Peer, PtyLine, ReaderEnd, run_until

CARD = b"\x12\x34\x56\x40"


class Recorder(ReaderEnd):
    """A reader with a tap on its line: all bytes of both directions."""

    def __init__(self, reader: OsdpReader) -> None:
        super().__init__(reader)
        self.commands = b""

    def received(self, data: bytes) -> bytes:
        self.commands += data
        return super().received(data)


class Replayer:
    """Answers each frame of a panel with the next recorded reply, from the first whenever the panel restarts."""

    def __init__(self, replies: list[bytes]) -> None:
        self.replies = replies
        self.heard: list[Frame] = []
        self._decoder = FrameDecoder()
        self._next = 0

    def received(self, data: bytes) -> bytes:
        frames = self._decoder.feed(data)
        self.heard += frames
        return b"".join(self._reply_to(frame) for frame in frames)

    def _reply_to(self, frame: Frame) -> bytes:
        at = 0 if frame.sequence == 0 else self._next % len(self.replies)
        self._next = at + 1
        return self.replies[at]

    def elapsed(self) -> bytes:
        return b""


@pytest.fixture
def recorded() -> Recorder:
    """A session with one card, which the panel that it was meant for took."""
    line = PtyLine()
    reader = OsdpReader(1, KEY, secrets.token_bytes)
    end = Recorder(reader)
    peer = Peer(OWN_PYTHON, "own_panel", line.path, KEY.hex())
    try:
        assert run_until(lambda: peer.has_said(seen="reader"), line, end, peer)
        reader.show_card(26, CARD)
        assert run_until(lambda: peer.has_said(card=CARD.hex()), line, end, peer)
    finally:
        peer.close()
        line.close()
    return end


@pytest.fixture
def restarted() -> Iterator[tuple[PtyLine, Peer]]:
    line = PtyLine()
    peer = Peer(OWN_PYTHON, "own_panel", line.path, KEY.hex())
    try:
        yield line, peer
    finally:
        peer.close()
        line.close()


def challenge_of(frames: list[Frame]) -> bytes:
    return next(frame.payload for frame in frames if frame.code == Command.CHLNG)


def is_card(answer: bytes) -> bool:
    frame = framing.parse(answer)
    return frame is not None and frame.code == Reply.RAW


def test_a_recorded_session_replayed_to_a_restarted_panel_delivers_no_card(
    recorded: Recorder, restarted: tuple[PtyLine, Peer]
) -> None:
    line, peer = restarted
    replayer = Replayer(recorded.answers)
    assert run_until(lambda: len(replayer.heard) > 2, line, replayer, peer)  # it tried again
    assert peer.said == [{"lost": "reader_replaced"}]
    assert challenge_of(replayer.heard) != challenge_of(FrameDecoder().feed(recorded.commands))


def test_a_recorded_session_replayed_from_its_card_on_delivers_none(
    recorded: Recorder, restarted: tuple[PtyLine, Peer]
) -> None:
    line, peer = restarted
    card_at = next(at for at, answer in enumerate(recorded.answers) if is_card(answer))
    replayer = Replayer(recorded.answers[card_at:])
    assert run_until(lambda: len(replayer.heard) > 2, line, replayer, peer)
    assert not any("card" in said or "seen" in said for said in peer.said)


def test_a_recorded_session_played_in_one_go_delivers_no_card(
    recorded: Recorder, restarted: tuple[PtyLine, Peer]
) -> None:
    line, peer = restarted
    replayer = Replayer([b"".join(recorded.answers)])
    assert run_until(lambda: bool(peer.said), line, replayer, peer)
    assert not any("card" in said or "seen" in said for said in peer.said)
