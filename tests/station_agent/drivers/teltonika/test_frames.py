"""Packets of Codec 8 and 8 Extended: the published ones, ours, spoilt ones, and noise."""

import random
import struct

import pytest
from fastcrc import crc16
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.teltonika_tracker import (
    CODEC_8,
    CODEC_8_EXTENDED,
    SIZES,
    SIZES_EXTENDED,
    Moment,
    encode,
    login,
)
from station_agent.drivers.teltonika import frames
from station_agent.drivers.teltonika.frames import PACKET_BYTES_MAX, FrameDecoder, Login, Message, Packet, Record
from tests.station_agent.drivers.teltonika.packets import A_MS, C_MS, E_MS, A, C, E

LOGIN = bytes.fromhex("000F333536333037303432343431303133")  # the maker's example


def decoded(data: bytes) -> list[Message]:
    return FrameDecoder().feed(data)


def record_of(raw: bytes) -> Record:
    (packet,) = decoded(raw)
    assert isinstance(packet, Packet)
    (record,) = packet.records
    return record


def with_crc(body: bytes) -> bytes:
    return bytes(4) + len(body).to_bytes(4) + body + crc16.arc(body).to_bytes(4)


@st.composite
def moments(draw: st.DrawFn, codec: int) -> Moment:
    sizes = SIZES if codec == CODEC_8 else SIZES | SIZES_EXTENDED
    ids = draw(st.lists(st.sampled_from(sorted(sizes)), unique=True))
    values: dict[int, int | bytes] = {i: draw(st.integers(0, 256 ** sizes[i] - 1)) for i in ids}
    if codec == CODEC_8_EXTENDED and draw(st.booleans()):
        values[256] = draw(st.binary(max_size=20))
    degrees = st.floats(-90, 90)
    return Moment(
        at_ms=draw(st.integers(0, 1 << 62)),
        values=values,
        position=draw(st.none() | st.tuples(degrees, degrees)),
        priority=draw(st.integers(0, 2)),
        event=draw(st.integers(0, 255)),
        speed_kmh=draw(st.integers(0, 200)),
    )


@st.composite
def packets(draw: st.DrawFn) -> tuple[bytes, list[Moment]]:
    codec = draw(st.sampled_from([CODEC_8, CODEC_8_EXTENDED]))
    made = draw(st.lists(moments(codec), min_size=1, max_size=4))
    return encode(codec, made), made


# ---- what is published


def test_the_makers_packet_is_read() -> None:
    record = record_of(A)
    assert (record.time_ms, record.priority, record.latitude, record.longitude) == (A_MS, 1, 0, 0)
    assert record.values == {21: 3, 1: 1, 66: 24079, 241: 24602, 78: 0}


def test_a_recorded_packet_is_read() -> None:
    record = record_of(C)
    assert (record.time_ms, record.priority, record.satellites) == (C_MS, 0, 18)
    assert {i: record.values[i] for i in (239, 240, 66, 67)} == {239: 1, 240: 1, 66: 14375, 67: 3927}


def test_an_extended_packet_is_read_and_values_of_free_length_are_left_out() -> None:
    record = record_of(E)
    assert (record.time_ms, record.priority, record.latitude, record.longitude) == (E_MS, 0, 0, 0)
    assert record.values == {239: 0, 240: 1, 66: 11922, 16: 6870, 389: 12346, 132: 1}


def test_a_position_is_in_no_text_of_what_was_read() -> None:
    north, east = struct.unpack(">ii", bytes.fromhex("24089d4d 21dee386"))
    text = repr(decoded(C))
    assert not any(part in text for part in (str(north), str(east), "56.82", "60.45"))


def test_a_login_is_known_by_its_form_and_its_number_is_not_kept() -> None:
    assert login("356307042441013") == LOGIN
    assert decoded(LOGIN) == [Login()]
    assert "356307042441013" not in repr(decoded(LOGIN))


@given(st.binary(max_size=64))
def test_the_crc_is_that_of_an_independent_library(data: bytes) -> None:
    assert frames.crc16(data) == crc16.arc(data)


# ---- in whatever portions


@pytest.mark.parametrize("raw", [A, C, E, LOGIN])
def test_byte_by_byte_is_as_good_as_whole(raw: bytes) -> None:
    decoder = FrameDecoder()
    assert [message for byte in raw for message in decoder.feed(bytes((byte,)))] == decoded(raw)
    assert (decoder.garbled, decoder.pending) == (0, 0)


@given(packets())
def test_decoding_undoes_encoding(made: tuple[bytes, list[Moment]]) -> None:
    raw, moments = made
    (packet,) = decoded(raw)
    assert isinstance(packet, Packet)
    assert [(record.time_ms, record.priority) for record in packet.records] == [
        (moment.at_ms, moment.priority) for moment in moments
    ]
    assert [record.values for record in packet.records] == [
        {i: value for i, value in moment.values.items() if isinstance(value, int)} for moment in moments
    ]
    places = [(record.latitude, record.longitude) for record in packet.records]
    assert places == [
        tuple(round(degrees * 1e7) / 1e7 for degrees in moment.position or (0, 0)) for moment in moments
    ]


@given(st.lists(packets().map(lambda made: made[0]), max_size=3), st.data())
def test_packets_are_the_same_in_whatever_portions_they_come(raws: list[bytes], data: st.DataObject) -> None:
    stream = LOGIN + b"".join(raws)
    decoder = FrameDecoder()
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert found == [Login(), *(message for raw in raws for message in decoded(raw))]
    assert decoder.garbled == 0


# ---- noise and loss


@given(packets(), st.binary(max_size=60))
def test_a_packet_behind_noise_is_found_at_the_latest_when_the_line_falls_silent(
    made: tuple[bytes, list[Moment]], noise: bytes
) -> None:
    raw, _ = made
    decoder = FrameDecoder()
    found = [*decoder.feed(noise + raw), *decoder.flush()]
    assert decoded(raw)[0] in found


@pytest.mark.parametrize("count", range(1, 20))
def test_zeros_before_a_packet_hide_nothing(count: int) -> None:
    decoder = FrameDecoder()
    assert decoder.feed(bytes(count) + C) == decoded(C)
    assert decoder.garbled == 1


@given(st.lists(st.binary(max_size=2 * PACKET_BYTES_MAX), max_size=5))
def test_noise_never_raises_and_is_not_hoarded(portions: list[bytes]) -> None:
    decoder = FrameDecoder()
    for portion in portions:
        decoder.feed(portion)
        assert decoder.pending < PACKET_BYTES_MAX
    decoder.flush()
    assert decoder.pending == 0
    assert decoder.feed(A) == decoded(A)


@given(st.integers(0, 0xFF), st.sampled_from([8, 0x8E]), st.binary(max_size=400))
@settings(max_examples=200)
def test_any_body_under_a_right_crc_is_read_or_dropped(count: int, codec: int, inside: bytes) -> None:
    decoder = FrameDecoder()
    body = bytes((codec, count)) + inside + bytes((count,))
    assert len(decoder.feed(with_crc(body))) <= 1
    decoder.flush()
    assert decoder.feed(A) == decoded(A)


@given(packets(), st.data())
def test_a_flipped_bit_behind_the_length_is_noticed(made: tuple[bytes, list[Moment]], data: st.DataObject) -> None:
    raw, _ = made
    at = data.draw(st.integers(8 * 8, len(raw) * 8 - 1))
    spoilt = bytearray(raw)
    spoilt[at // 8] ^= 1 << at % 8
    decoder = FrameDecoder()
    assert decoded(raw)[0] not in [*decoder.feed(bytes(spoilt)), *decoder.flush()]
    assert decoder.garbled > 0


@pytest.mark.parametrize("size", [1, 4, 8, 9, 20, len(C) - 1])
def test_a_cut_packet_hides_the_next_one_no_longer_than_until_silence(size: int) -> None:
    decoder = FrameDecoder()
    found = [*decoder.feed(C[:size] + A), *decoder.flush()]
    assert found == decoded(A)
    assert decoder.garbled == 1


def test_a_cut_packet_sent_again_is_found_without_waiting() -> None:
    assert decoded(C[:40] + C) == decoded(C)


@pytest.mark.parametrize(
    "body",
    [
        A[8:9] + b"\x02" + A[10:-5] + b"\x01",  # the two numbers of records differ
        A[8:9] + b"\x02" + A[10:-5] + b"\x02",  # one record more than there is
        A[8:-5] + b"\x00\x01",  # a byte more than the records need
        A[8:35] + b"\x06" + A[36:-4],  # a total that is not the sum
        b"\x10" + A[9:-4],  # Codec 16
        E[8:9] + b"\x00" + E[10:-5] + b"\x00",  # no record
    ],
    ids=["numbers", "too few", "too many bytes", "total", "codec", "none"],
)
def test_a_packet_whose_counts_disagree_is_none_though_its_crc_is_right(body: bytes) -> None:
    decoder = FrameDecoder()
    assert [*decoder.feed(with_crc(body)), *decoder.flush()] == []
    assert decoder.garbled == 1


def test_a_longer_packet_than_any_tracker_sends_is_noise() -> None:
    longest = next(n for n in range(255, 0, -1) if len(encode(CODEC_8, [Moment(1, {})] * n)) <= PACKET_BYTES_MAX)
    (packet,) = decoded(encode(CODEC_8, [Moment(1, {})] * longest))
    assert isinstance(packet, Packet)
    assert len(packet.records) == longest
    decoder = FrameDecoder()
    assert decoder.feed(encode(CODEC_8, [Moment(1, {})] * (longest + 1))) == []
    assert decoder.garbled == 1


@pytest.mark.parametrize("noise", [b"\x00", b"\x00\x0f", bytes(6) + b"\x09\xf4\x8e", b"\x00\x0f1"])
def test_a_flood_of_false_starts_ends_soon_and_leaves_nothing(noise: bytes) -> None:
    decoder = FrameDecoder()
    assert decoder.feed(noise * (100_000 // len(noise))) == []
    assert decoder.pending < PACKET_BYTES_MAX


def test_a_thousand_noisy_packets_are_all_found() -> None:
    rng = random.Random("noisy packets")
    decoder = FrameDecoder()
    found = 0
    for _ in range(1000):
        noise = bytes(byte for byte in rng.randbytes(rng.randrange(12)) if byte)
        found += len(decoder.feed(noise + rng.choice((A, C, E))))
    assert found == 1000
