"""Key tags: a reader that repeats itself for ever and never says that a tag is gone."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.duplex import DuplexWire
from simulator.devices.rdm6300_reader import REPEAT_US, Rdm6300Device, frame_of
from station_agent.core.device_events import CardRead, DeviceEvent, ReaderLost, ReaderSeen
from station_agent.drivers.base import FOREVER_US
from station_agent.drivers.rdm6300 import (
    BAUD_RATE,
    FRAME_BYTES,
    GONE_US,
    TAGS_MAX,
    FrameDecoder,
    Rdm6300Reader,
    parse,
)

VECTOR = bytes.fromhex("02 30 31 30 30 30 37 33 34 45 30 44 32 03")
TAG = bytes.fromhex("01 00 07 34 E0")
OTHER = bytes.fromhex("01 00 5A 11 7C")
SECOND_US = 1_000_000

tags = st.binary(min_size=5, max_size=5)


def opened() -> Rdm6300Reader:
    codec = Rdm6300Reader("return")
    codec.opened(0)
    return codec


def read(tag: bytes) -> CardRead:
    return CardRead("return", 40, tag)


class Bench:
    """A codec and a reader on their line in virtual time; `events` are stamped."""

    def __init__(self) -> None:
        self.device = Rdm6300Device()
        self.wire = DuplexWire(self.device, baud_rate=BAUD_RATE)
        self.codec = opened()
        self.now_us = 0
        self.events: list[tuple[int, DeviceEvent]] = []

    def run(self, until_us: int) -> None:
        while (at_us := self.wire.wake_at_us) is not None and at_us <= until_us:
            output = self.codec.received(at_us, self.wire.elapsed(at_us))
            assert output.send == b"", "nobody listens at the other end"
            self.events += [(at_us, event) for event in output.events]
        self.now_us = until_us

    @property
    def told(self) -> list[bytes]:
        return [event.data for _, event in self.events if isinstance(event, CardRead)]


# ---- frames


def test_the_published_frame_is_read() -> None:
    assert opened().received(0, VECTOR).events == (read(TAG),)


def test_the_published_frame_is_read_byte_by_byte() -> None:
    codec = opened()
    events = [event for byte in VECTOR for event in codec.received(0, bytes((byte,))).events]
    assert events == [read(TAG)]
    assert (codec.statistics.frames_received, codec.statistics.garbled) == (1, 0)


@given(tags)
def test_decoding_undoes_encoding(tag: bytes) -> None:
    assert parse(frame_of(tag)) == tag


@given(tags, st.integers(0, FRAME_BYTES * 8 - 1))
def test_a_flipped_bit_is_noticed(tag: bytes, at: int) -> None:
    spoilt = bytearray(frame_of(tag))
    spoilt[at // 8] ^= 1 << at % 8
    codec = opened()
    assert codec.received(0, bytes(spoilt)).events == ()
    assert codec.received(0, VECTOR).events == (read(TAG),)
    assert codec.statistics.garbled >= 1


@pytest.mark.parametrize(
    "frame",
    [
        VECTOR.replace(b"D2", b"D3"),
        VECTOR.replace(b"E0D2", b"e0d2"),  # the reader sends capitals
        VECTOR.replace(b"0100", b"01 0"),  # `bytes.fromhex` would skip the space
        VECTOR[:-1] + b"\x04",
        VECTOR[:-3] + VECTOR[-1:],
        VECTOR[:4] + b"0" + VECTOR[4:],
    ],
    ids=["checksum", "small letters", "a space", "no ETX", "too short", "too long"],
)
def test_a_spoilt_frame_is_counted_once_and_the_next_one_read(frame: bytes) -> None:
    codec = opened()
    assert codec.received(0, frame + VECTOR).events == (read(TAG),)
    assert (codec.statistics.frames_received, codec.statistics.garbled) == (1, 1)


@pytest.mark.parametrize("size", range(1, FRAME_BYTES))
def test_a_cut_frame_is_counted_and_the_next_one_read(size: int) -> None:
    codec = opened()
    assert codec.received(0, VECTOR[:size] + VECTOR).events == (read(TAG),)
    assert codec.statistics.garbled == 1


def test_noise_before_the_start_is_one_stretch_however_it_is_portioned() -> None:
    codec = opened()
    for portion in (b"\x00\xff", b"\x7f", b"01\x03"):
        codec.received(0, portion)
    assert codec.received(0, VECTOR).events == (read(TAG),)
    assert codec.statistics.garbled == 1


def test_a_false_start_in_the_noise_hides_no_frame() -> None:
    codec = opened()
    assert codec.received(0, b"\x02\x02\x00\x02" + VECTOR).events == (read(TAG),)


@given(st.lists(st.binary(max_size=400), max_size=8), tags)
def test_bytes_never_raise_are_not_hoarded_and_a_frame_behind_them_is_read(
    portions: list[bytes], tag: bytes
) -> None:
    decoder = FrameDecoder()
    for portion in portions:
        decoder.feed(portion)
        assert decoder.pending < FRAME_BYTES
    assert decoder.feed(frame_of(tag)) == [tag]
    assert decoder.pending == 0


@given(st.lists(tags, max_size=5), st.data())
def test_tags_are_the_same_in_whatever_portions_they_come(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame_of(tag) for tag in sent)
    decoder = FrameDecoder()
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert found == sent
    assert decoder.garbled == 0


# ---- presentations


def test_a_tag_held_for_a_minute_is_told_once() -> None:
    bench = Bench()
    bench.device.hold(0, TAG)
    bench.run(60 * SECOND_US)
    assert bench.told == [TAG]
    assert bench.codec.statistics.frames_received > 900, "it repeated itself all the time"


def test_a_tag_shown_again_is_told_again() -> None:
    bench = Bench()
    for _ in range(3):
        bench.device.hold(bench.now_us, TAG)
        bench.run(bench.now_us + SECOND_US)
        bench.device.remove(TAG)
        bench.run(bench.now_us + GONE_US + REPEAT_US)
    assert bench.told == [TAG] * 3


@pytest.mark.parametrize(("gap_us", "count"), [(GONE_US, 1), (GONE_US + 1, 2)])
def test_a_presentation_ends_with_the_gap_and_not_before(gap_us: int, count: int) -> None:
    codec = opened()
    events = [*codec.received(0, VECTOR).events, *codec.received(gap_us, VECTOR).events]
    assert events == [read(TAG)] * count


def test_two_tags_at_once_are_both_told_once() -> None:
    bench = Bench()
    bench.device.hold(0, TAG)
    bench.device.hold(0, OTHER)
    bench.run(30 * SECOND_US)
    assert sorted(bench.told) == sorted([TAG, OTHER])


def test_a_second_tag_is_told_while_the_first_stays() -> None:
    bench = Bench()
    bench.device.hold(0, TAG)
    bench.run(SECOND_US)
    bench.device.hold(SECOND_US, OTHER)
    bench.run(2 * SECOND_US)
    bench.device.remove(OTHER)
    bench.run(3 * SECOND_US)
    assert bench.told == [TAG, OTHER]


def test_noise_before_every_frame_costs_no_presentation() -> None:
    bench = Bench()
    bench.device.noise = b"\xf0\x0f\x02"
    bench.device.hold(0, TAG)
    bench.run(5 * SECOND_US)
    assert bench.told == [TAG]
    assert bench.codec.statistics.garbled > 0


def test_a_reader_whose_frames_are_cut_says_nothing_until_they_are_whole() -> None:
    bench = Bench()
    bench.device.cut_to = 9
    bench.device.hold(0, TAG)
    bench.run(SECOND_US)
    assert bench.told == []
    assert bench.codec.statistics.garbled >= 10
    bench.device.cut_to = None
    bench.run(2 * SECOND_US)
    assert bench.told == [TAG]


def test_wrong_checksums_are_counted_and_told_to_nobody() -> None:
    bench = Bench()
    bench.device.bad_checksum = True
    bench.device.hold(0, TAG)
    bench.run(SECOND_US)
    assert bench.told == []
    assert bench.codec.statistics.garbled == bench.device.frame_count > 10


def test_half_the_frames_lost_make_no_second_presentation() -> None:
    rng = random.Random("lossy tag")
    bench = Bench()
    bench.device.hold(0, TAG)
    codec_events: list[DeviceEvent] = []
    while bench.now_us < 20 * SECOND_US:
        at_us = bench.wire.wake_at_us
        assert at_us is not None
        bench.now_us = at_us
        data = bench.wire.elapsed(at_us)
        if bench.device.frame_count % 6 == 0 or rng.random() < 0.5:
            codec_events += bench.codec.received(at_us, data).events
    assert codec_events == [read(TAG)]


@given(st.lists(tags, min_size=TAGS_MAX + 1, max_size=3 * TAGS_MAX, unique=True))
def test_more_tags_than_a_line_can_carry_are_told_and_not_hoarded(many: list[bytes]) -> None:
    codec = opened()
    events = codec.received(0, b"".join(map(frame_of, many))).events
    assert [event.data for event in events if isinstance(event, CardRead)] == many
    assert len(codec._last_read_us) == TAGS_MAX


# ---- the line


def test_a_reader_is_seen_when_its_line_opens_and_lost_when_it_closes() -> None:
    codec = Rdm6300Reader("return")
    assert codec.closed(0).events == ()
    assert codec.opened(0).events == (ReaderSeen("return", tampered=False, power_failed=False),)
    assert codec.closed(1).events == (ReaderLost("return", "the line is gone"),)
    assert codec.closed(2).events == ()


def test_half_a_frame_from_before_is_forgotten_when_the_line_opens_again() -> None:
    codec = opened()
    codec.received(0, VECTOR[:7])
    codec.closed(1)
    codec.opened(2)
    assert codec.received(3, VECTOR[7:]).events == ()
    assert codec.received(4, VECTOR).events == (read(TAG),)


def test_a_tag_that_stays_while_the_line_blinks_is_not_told_again() -> None:
    codec = opened()
    codec.received(0, VECTOR)
    codec.closed(100_000)
    codec.opened(200_000)
    assert codec.received(GONE_US, VECTOR).events == ()


def test_bytes_from_before_the_line_opened_mean_nothing() -> None:
    assert Rdm6300Reader("return").received(0, VECTOR).events == ()


def test_it_never_asks_and_rests_until_there_is_news() -> None:
    codec = opened()
    assert (codec.wake_at_us, codec.elapsed(0).send, codec.rest(0)) == (None, b"", FOREVER_US)
    codec.resume(1)
    assert codec.rest(1) is None
    codec.received(2, VECTOR)
    assert codec.rest(2) == FOREVER_US
