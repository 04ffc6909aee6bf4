"""Pairing, frame by frame, with the simulated reader at the other end of a conversation."""

import random
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.osdp_values import KeyFault
from station_agent.drivers.osdp import framing, secure
from station_agent.drivers.osdp.framing import Frame
from station_agent.drivers.osdp.messages import Command, Refusal, Reply
from station_agent.drivers.osdp.pairing import Conversation, Found, Taken, Talk
from station_agent.drivers.osdp.secure import SCBK_DEFAULT

KEY, NEW_KEY = bytes(range(16)), bytes(range(16, 32))
ADDRESS = 5
T = TypeVar("T")
Cable = Callable[[bytes], bytes]


class Bus:
    """A reader, and what was sent to it."""

    def __init__(self, *, install_mode: bool = True) -> None:
        self.reader = OsdpReader(ADDRESS, KEY, random.Random("reader").randbytes, install_mode=install_mode)
        self.sent: list[Frame] = []
        self.reply: Cable = lambda answer: answer
        self._now_us = 0

    def talk(self) -> Conversation:
        return Conversation(ADDRESS, random.Random("panel").randbytes)

    def hold(self, talk: Talk[T]) -> T:
        command = next(talk)
        while True:
            frame = framing.parse(command)
            assert frame is not None
            self.sent.append(frame)
            self._now_us += 50_000
            answer = self.reply(self.reader.receive(self._now_us, command))
            try:
                command = talk.send(framing.parse(answer) if len(answer) >= framing.FRAME_BYTES_MIN else None)
            except StopIteration as ended:
                outcome: T = ended.value
                return outcome

    def begins(self, key: bytes) -> Found:
        return self.hold(self.talk().begin(key))


def test_a_reader_in_install_mode_is_given_a_key_and_proves_it() -> None:
    bus = Bus()
    talk = bus.talk()
    assert bus.hold(talk.begin(SCBK_DEFAULT)) is Found.OPEN
    assert bus.hold(talk.status()) == (False, False)
    assert bus.hold(talk.install(NEW_KEY)) is Taken.YES
    assert bus.begins(NEW_KEY) is Found.OPEN
    assert bus.begins(SCBK_DEFAULT) is Found.OTHER_KEY
    assert bus.begins(KEY) is Found.OTHER_KEY


def test_no_proof_is_sent_to_a_reader_that_has_not_proved_the_key() -> None:
    bus = Bus(install_mode=False)
    assert bus.begins(SCBK_DEFAULT) is Found.OTHER_KEY
    assert bus.begins(NEW_KEY) is Found.OTHER_KEY
    assert Command.SCRYPT not in {frame.code for frame in bus.sent}
    assert bus.begins(KEY) is Found.OPEN


def test_the_block_says_which_key_is_meant() -> None:
    bus = Bus(install_mode=False)
    bus.begins(SCBK_DEFAULT)
    bus.begins(KEY)
    blocks = [frame.security for frame in bus.sent if frame.security]
    assert blocks == [b"\x03\x11\x00", b"\x03\x11\x01", b"\x03\x13\x01"]


def test_a_key_is_sent_in_no_other_form_than_encrypted() -> None:
    bus = Bus()
    talk = bus.talk()
    bus.hold(talk.begin(SCBK_DEFAULT))
    bus.hold(talk.install(NEW_KEY))
    (keyset,) = [frame for frame in bus.sent if frame.code == Command.KEYSET]
    assert keyset.security == b"\x02\x17"
    assert NEW_KEY not in keyset.payload


def test_a_reader_that_says_it_has_the_public_key_and_cannot_prove_it_gets_nothing() -> None:
    bus = Bus(install_mode=False)

    def claims(answer: bytes) -> bytes:
        frame = framing.parse(answer)
        assert frame is not None
        if frame.code != Reply.CCRYPT:
            return answer
        block = secure.handshake_block(secure.CHALLENGE_ANSWER, secure.KEY_IS_DEFAULT)
        return framing.encode(ADDRESS | 0x80, frame.sequence, frame.code, frame.payload, block)

    bus.reply = claims
    assert bus.begins(SCBK_DEFAULT) is Found.OTHER_KEY
    assert Command.SCRYPT not in {frame.code for frame in bus.sent}


@pytest.mark.parametrize(
    ("fault", "taken", "has_new"),
    [
        (KeyFault.REFUSED, Taken.REFUSED, False),
        (KeyFault.POWER_LOST_BEFORE, Taken.UNKNOWN, False),
        (KeyFault.POWER_LOST_AFTER, Taken.UNKNOWN, True),
    ],
)
def test_what_became_of_a_key_is_told_or_called_unknown(fault: KeyFault, taken: Taken, *, has_new: bool) -> None:
    bus = Bus()
    bus.reader.key_fault = fault
    talk = bus.talk()
    bus.hold(talk.begin(SCBK_DEFAULT))
    assert bus.hold(talk.install(NEW_KEY)) is taken
    assert talk.refusal == (Refusal.UNKNOWN_COMMAND if taken is Taken.REFUSED else None)
    assert bus.begins(NEW_KEY if has_new else SCBK_DEFAULT) is Found.OPEN


def test_a_forged_yes_in_clear_is_not_believed() -> None:
    bus = Bus()
    talk = bus.talk()
    bus.hold(talk.begin(SCBK_DEFAULT))
    bus.reply = lambda _answer: framing.encode(ADDRESS | 0x80, bus.sent[-1].sequence, Reply.ACK)
    assert bus.hold(talk.install(NEW_KEY)) is Taken.UNKNOWN


def test_silence_and_a_refusal_in_clear_are_told_apart() -> None:
    bus = Bus()
    bus.reply = lambda _answer: b""
    assert bus.begins(SCBK_DEFAULT) is Found.SILENT
    bus.reply = lambda _answer: framing.encode(ADDRESS | 0x80, bus.sent[-1].sequence, Reply.NAK, b"\x05")
    talk = bus.talk()
    assert bus.hold(talk.begin(SCBK_DEFAULT)) is Found.REFUSED
    assert talk.refusal == Refusal.NO_SECURE_CHANNEL


@given(st.lists(st.binary(min_size=7, max_size=60), max_size=6), st.integers(0, 5))
def test_no_reply_raises_and_none_but_the_readers_own_opens(replies: list[bytes], honest: int) -> None:
    bus = Bus()
    count = 0

    def meddled(answer: bytes) -> bytes:
        nonlocal count
        count += 1
        wrong = count > honest and replies
        return framing.encode(ADDRESS | 0x80, 1, replies[count % len(replies)][0], b"x") if wrong else answer

    bus.reply = meddled
    talk = bus.talk()
    if bus.hold(talk.begin(SCBK_DEFAULT)) is Found.OPEN:
        assert bus.reader.in_session
        if bus.hold(talk.install(NEW_KEY)) is Taken.YES:
            assert not bus.reader.install_mode
