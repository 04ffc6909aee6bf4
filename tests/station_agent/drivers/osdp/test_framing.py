import random

import pytest
from fastcrc import crc16
from hypothesis import given
from hypothesis import strategies as st

from station_agent.drivers.osdp import framing
from station_agent.drivers.osdp.framing import FRAME_BYTES_MAX, MARK, Frame, FrameDecoder, encode
from station_agent.drivers.osdp.messages import Command, Refusal, Reply

NAK = bytes.fromhex("53 80 09 00 06 41 06 A0 BA")  # address 0, sequence 2: "no secure channel, no answer"

CRC_BIT = 4 * 8 + 2  # flipped, it makes of a frame with a CRC one whose checksum is right in 1 of 256 cases

addresses = st.integers(0, 0xFF)
sequences = st.integers(0, 3)
codes = st.integers(0, 0xFF)
payloads = st.binary(max_size=FRAME_BYTES_MAX - 20)
blocks = st.sampled_from([b"", b"\x03\x11\x01", b"\x03\x12\x00", b"\x02\x15"])


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    payload = draw(payloads)
    block = draw(blocks)
    if block == b"\x02\x15":
        payload += b"MAC!"
    return encode(draw(addresses), draw(sequences), draw(codes), payload, block)


def decoded(data: bytes) -> list[Frame]:
    return FrameDecoder().feed(data)


def with_checksum(frame: bytes) -> bytes:
    """The same frame, closed with the one-byte checksum that the oldest readers send."""
    body = bytearray(frame[:-2])
    body[4] &= ~0x04
    body[2:4] = (len(body) + 1).to_bytes(2, "little")
    return bytes(body) + bytes((-sum(body) & 0xFF,))


def test_the_published_nak_frame_is_read() -> None:
    (frame,) = decoded(NAK)
    assert (frame.address, frame.is_reply, frame.sequence) == (0, True, 2)
    assert (frame.code, frame.payload) == (Reply.NAK, bytes((Refusal.SECURE_CHANNEL_NEEDED,)))
    assert frame.security == frame.mac == b""


def test_the_published_nak_frame_is_written() -> None:
    assert encode(0x80, 2, Reply.NAK, b"\x06") == NAK


def test_the_crc_is_that_of_an_independent_library() -> None:
    assert crc16.spi_fujitsu(NAK[:-2]) == int.from_bytes(NAK[-2:], "little")


@given(frames())
def test_decoding_undoes_encoding(raw: bytes) -> None:
    (frame,) = decoded(raw)
    body = frame.payload + frame.mac
    address = frame.address | (framing.REPLY_BIT if frame.is_reply else 0)
    assert encode(address, frame.sequence, frame.code, body, frame.security) == raw


@given(frames())
def test_a_checksum_is_accepted_in_place_of_a_crc(raw: bytes) -> None:
    (frame,) = decoded(raw)
    (other,) = decoded(with_checksum(raw))
    assert other._replace(signed=b"") == frame._replace(signed=b"")


@given(st.lists(frames(), max_size=5), st.data())
def test_frames_are_the_same_in_whatever_portions_they_come(raws: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(MARK + raw for raw in raws)
    decoder = FrameDecoder()
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert found == [frame for raw in raws for frame in decoded(raw)]
    assert decoder.taken_garbled() == 0


@given(frames(), st.binary(max_size=40))
def test_a_frame_behind_noise_is_found_at_the_latest_when_the_line_falls_silent(raw: bytes, noise: bytes) -> None:
    decoder = FrameDecoder()
    found = decoder.feed(noise + raw)
    found += decoder.flush()
    assert decoded(raw)[0] in found


@given(st.lists(st.binary(max_size=2000), max_size=8))
def test_noise_never_raises_and_is_not_hoarded(portions: list[bytes]) -> None:
    decoder = FrameDecoder()
    for portion in portions:
        decoder.feed(portion)
        assert decoder.pending < FRAME_BYTES_MAX
    decoder.flush()
    assert decoder.pending == 0


@given(frames(), st.data())
def test_a_flipped_bit_is_noticed(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw) * 8 - 1).filter(lambda at: at != CRC_BIT))
    spoilt = bytearray(raw)
    spoilt[at // 8] ^= 1 << at % 8
    decoder = FrameDecoder()
    assert decoded(raw)[0] not in [*decoder.feed(bytes(spoilt)), *decoder.flush()]
    assert decoder.taken_garbled() > 0


def test_a_megabyte_of_starts_of_messages_ends_soon_and_leaves_nothing() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(bytes((framing.SOM,)) * 1_000_000) == []
    assert decoder.pending < FRAME_BYTES_MAX


@pytest.mark.parametrize(
    "body",
    [
        "53 01 07 00 0C 00 00",  # a security block without length
        "53 01 09 00 0C FF 15 60 00",  # a security block longer than the frame
        "53 01 07 00 04",  # nothing but a CRC
    ],
)
def test_a_frame_whose_lengths_disagree_is_none_though_its_crc_is_right(body: str) -> None:
    raw = bytearray.fromhex(body)
    raw[2] = len(raw) + 2
    assert decoded(framing.with_crc(bytes(raw))) == []


def test_a_block_that_promises_a_mac_where_none_fits_has_none() -> None:
    """As the panel of PyPI's `osdp` 1.6 begins."""
    (frame,) = decoded(encode(1, 0, Command.POLL, security=b"\x02\x15"))
    assert (frame.code, frame.mac) == (Command.POLL, b"")


def test_one_stretch_of_noise_counts_once() -> None:
    decoder = FrameDecoder()
    decoder.feed(NAK + b"noise" + NAK + MARK * 3 + NAK)
    assert decoder.taken_garbled() == 1


def test_ten_thousand_noisy_frames_are_all_found() -> None:
    rng = random.Random("noisy frames")
    decoder = FrameDecoder()
    found = 0
    for _ in range(10_000):
        noise = bytes(byte for byte in rng.randbytes(rng.randrange(8)) if byte != framing.SOM)
        found += len(decoder.feed(noise + NAK))
    assert found == 10_000
