import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_agent.drivers.osdp import framing
from station_agent.drivers.osdp.framing import Frame
from station_agent.drivers.osdp.messages import Command, Reply
from station_agent.drivers.osdp.secure import SecureSession
from tests.station_agent.drivers.osdp.virtual_bus import KEY, OTHER_KEY

RND_A, RND_B = bytes(range(8)), bytes(range(8, 16))

payloads = st.binary(max_size=200)


def both_ends() -> tuple[SecureSession, SecureSession]:
    return SecureSession(KEY, RND_A, RND_B), SecureSession(KEY, RND_A, RND_B)


def parsed(raw: bytes) -> Frame:
    frame = framing.parse(raw)
    assert frame is not None
    return frame


@given(st.lists(st.tuples(payloads, payloads), max_size=5))
def test_opening_undoes_sealing_in_both_directions(exchanges: list[tuple[bytes, bytes]]) -> None:
    panel, reader = both_ends()
    for sequence, (question, answer) in enumerate(exchanges):
        command = parsed(panel.seal(1, sequence % 4, Command.LED, question))
        assert reader.open(command) == question
        reply = parsed(reader.seal(0x81, sequence % 4, Reply.RAW, answer))
        assert panel.open(reply) == answer


@given(payloads.filter(lambda clear: len(clear) > 3))
def test_a_payload_is_not_on_the_wire_in_clear(payload: bytes) -> None:
    panel, _ = both_ends()
    assert payload not in panel.seal(1, 1, Command.LED, payload)


def test_a_repeated_frame_does_not_verify_a_second_time() -> None:
    panel, reader = both_ends()
    command = parsed(panel.seal(1, 1, Command.POLL))
    assert reader.open(command) == b""
    assert reader.open(command) is None


def test_a_frame_after_a_dropped_one_does_not_verify() -> None:
    panel, reader = both_ends()
    panel.seal(1, 1, Command.POLL)
    assert reader.open(parsed(panel.seal(1, 2, Command.POLL))) is None


def test_a_refused_frame_does_not_disturb_the_chain() -> None:
    panel, reader = both_ends()
    stranger = SecureSession(OTHER_KEY, RND_A, RND_B)
    assert reader.open(parsed(stranger.seal(1, 1, Command.POLL))) is None
    assert reader.open(parsed(panel.seal(1, 1, Command.POLL))) == b""


def test_a_command_sent_back_as_a_reply_does_not_verify() -> None:
    panel, _ = both_ends()
    raw = bytearray(panel.seal(1, 1, Command.POLL))
    raw[1] |= framing.REPLY_BIT
    assert panel.open(parsed(framing.with_crc(bytes(raw[:-2])))) is None


@given(st.integers(0, 8 * 24 - 1))
def test_a_flipped_bit_behind_a_right_crc_does_not_verify(bit: int) -> None:
    panel, reader = both_ends()
    raw = bytearray(panel.seal(1, 1, Command.LED, b"0123456")[:-2])
    raw[bit // 8] ^= 1 << bit % 8
    frame = framing.parse(framing.with_crc(bytes(raw)))
    assert frame is None or not frame.mac or reader.open(frame) is None


def test_an_authentic_payload_in_clear_is_refused() -> None:
    """Sealed with the right keys, but under the block type that encrypts nothing."""
    panel, reader = both_ends()
    signed = framing.head(0x81, 1, b"\x02\x16", Reply.RAW, b"\x00\x00\x08\x00\xaa", framing.MAC_BYTES)
    mac = reader._mac(signed)
    frame = parsed(framing.with_crc(signed + mac[: framing.MAC_BYTES]))
    assert frame.mac
    assert panel.open(frame) is None


@pytest.mark.parametrize("which", ["key", "panel's number", "reader's number"])
def test_cryptograms_depend_on_the_key_and_on_both_random_numbers(which: str) -> None:
    ours = SecureSession(KEY, RND_A, RND_B)
    other = {
        "key": SecureSession(OTHER_KEY, RND_A, RND_B),
        "panel's number": SecureSession(KEY, RND_A[::-1], RND_B),
        "reader's number": SecureSession(KEY, RND_A, RND_B[::-1]),
    }[which]
    assert ours.reader_cryptogram != other.reader_cryptogram
    assert ours.panel_cryptogram != other.panel_cryptogram
    assert ours.first_mac != other.first_mac


def test_each_of_the_six_bytes_that_keys_are_made_of_changes_them() -> None:
    def sealed(rnd_a: bytes) -> bytes:
        session = SecureSession(KEY, rnd_a, RND_B)
        session._chain = bytes(16)
        return session.seal(1, 1, Command.LED, b"same")

    changed = [bytes((*RND_A[:at], RND_A[at] ^ 1, *RND_A[at + 1 :])) for at in range(6)]
    assert len({sealed(rnd_a) for rnd_a in [RND_A, *changed]}) == 7
