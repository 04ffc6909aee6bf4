"""A tracker's line: what is told once, acknowledged always, and sent again until it is."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import VehicleReading
from simulator.devices.duplex import DuplexWire
from simulator.devices.teltonika_tracker import (
    BEFORE_FIRST_FIX_MS,
    CODEC_8,
    CODEC_8_EXTENDED,
    RECORDS_PER_PACKET,
    RESEND_US,
    Moment,
    TeltonikaTracker,
    encode,
)
from station_agent.core.device_events import DeviceEvent, VehicleTold
from station_agent.drivers.base import FOREVER_US, Output
from station_agent.drivers.teltonika import frames
from station_agent.drivers.teltonika.frames import PACKET_BYTES_MAX
from station_agent.drivers.teltonika.receiver import GAP_US, REMEMBERED_MAX, TeltonikaReceiver
from station_agent.drivers.teltonika.signals import Family
from station_agent.drivers.trackers import VehicleFault
from tests.station_agent.drivers.teltonika.packets import A_MS, C_MS, E_MS, A, C, E

SECOND_US = 1_000_000
START_MS = 1_800_000_000_000
ONE = (1).to_bytes(4)
LILLE = (50.63, 3.06)

Spoil = Callable[[bytes], bytes]


def opened(family: Family = Family.FMB) -> TeltonikaReceiver:
    codec = TeltonikaReceiver("car-1", family)
    codec.opened(0)
    return codec


def told(output: Output) -> list[VehicleTold]:
    return [event for event in output.events if isinstance(event, VehicleTold)]


def as_it_is(data: bytes) -> bytes:
    return data


@dataclass
class Bench:
    """A receiver and a tracker on their line in virtual time; somebody may hold the cable."""

    tracker: TeltonikaTracker
    codec: TeltonikaReceiver = field(default_factory=opened)
    to_codec: Spoil = as_it_is
    now_us: int = 0
    events: list[DeviceEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wire = DuplexWire(self.tracker, baud_rate=115_200)

    def note(self, odometer_m: int) -> None:
        values: dict[int, int | bytes] = {239: 0, 240: 0, 66: 12_400, 16: odometer_m}
        moment = Moment(START_MS + odometer_m, values, position=LILLE)
        self.tracker.note(self.now_us, moment)

    def run(self, for_us: int) -> "Bench":
        until_us = self.now_us + for_us
        while (at_us := self._next_us()) is not None and at_us <= until_us:
            self.now_us = at_us
            arrived = self.to_codec(self.wire.elapsed(at_us))
            self._take(self.codec.received(at_us, arrived) if arrived else self.codec.elapsed(at_us))
        self.now_us = until_us
        return self

    def _next_us(self) -> int | None:
        due = (self.wire.wake_at_us, self.codec.wake_at_us)
        return min((at_us for at_us in due if at_us is not None), default=None)

    def _take(self, output: Output) -> None:
        self.events += output.events
        if output.send:
            self.wire.sent(self.now_us, output.send)

    @property
    def odometers(self) -> list[int | None]:
        return [event.reading.odometer_m for event in self.events if isinstance(event, VehicleTold)]


# ---- the published packets


def test_the_makers_packet_is_told_and_acknowledged_in_one_output() -> None:
    output = opened().received(0, A)
    assert output == Output(
        (1).to_bytes(4), (VehicleTold("car-1", VehicleReading(age_s=0, low_voltage_mv=24_079), A_MS),)
    )


def test_a_recorded_packet_is_told() -> None:
    (event,) = told(opened().received(0, C))
    assert event == VehicleTold(
        "car-1", VehicleReading(age_s=0, ignition=True, moving=True, low_voltage_mv=14_375), C_MS
    )


@pytest.mark.parametrize(("family", "odometer_m"), [(Family.FMB, 6_870), (Family.FMB_OBD, 12_346_000)])
def test_an_extended_packet_is_told_as_its_family_means_it(family: Family, odometer_m: int) -> None:
    (event,) = told(opened(family).received(0, E))
    assert (event.tracker_ms, event.reading.odometer_m, event.reading.low_voltage_mv) == (E_MS, odometer_m, 11_922)


def test_nothing_is_sent_before_the_last_byte_of_a_packet() -> None:
    codec = opened()
    for byte in C[:-1]:
        assert codec.received(0, bytes((byte,))) == Output()
    assert codec.received(0, C[-1:]).send == ONE
    assert codec.wake_at_us is None


def test_each_packet_is_answered_with_its_number_of_records_in_order() -> None:
    three = encode(CODEC_8, [Moment(START_MS + i, {}) for i in range(3)])
    output = opened().received(0, A + three)
    assert output.send == ONE + (3).to_bytes(4)
    assert len(output.events) == 4


def test_a_tracker_that_tells_its_number_is_accepted() -> None:
    assert opened().received(0, bytes.fromhex("000F333536333037303432343431303133")) == Output(b"\x01")


# ---- what comes again


def test_a_record_sent_again_is_acknowledged_and_not_told() -> None:
    codec = opened()
    codec.received(0, C)
    assert codec.received(SECOND_US, C) == Output(ONE)
    assert (codec.reports, codec.repeats) == (1, 1)


def test_a_record_sent_again_in_another_packet_is_not_told() -> None:
    codec = opened()
    first, second = Moment(START_MS, {239: 1}), Moment(START_MS + 1, {239: 0})
    codec.received(0, encode(CODEC_8, [first]))
    output = codec.received(0, encode(CODEC_8, [first, second]))
    assert output.send == (2).to_bytes(4)
    assert [event.tracker_ms for event in told(output)] == [START_MS + 1]


def test_records_are_remembered_while_the_line_is_gone() -> None:
    codec = opened()
    codec.received(0, C)
    codec.closed(1)
    codec.opened(2)
    assert codec.received(3, C) == Output(ONE)


@pytest.mark.parametrize(
    "other", [Moment(START_MS, {239: 1}, priority=1), Moment(START_MS + 1, {239: 1}), Moment(START_MS, {239: 0})]
)
def test_another_time_priority_or_content_is_another_record(other: Moment) -> None:
    codec = opened()
    codec.received(0, encode(CODEC_8, [Moment(START_MS, {239: 1})]))
    assert len(codec.received(0, encode(CODEC_8, [other])).events) == 1


def test_no_more_records_are_remembered_than_the_limit() -> None:
    codec = opened()
    for i in range(REMEMBERED_MAX + 5):
        codec.received(0, encode(CODEC_8, [Moment(START_MS + i, {})]))
    assert len(codec._told) == REMEMBERED_MAX
    assert codec.received(0, encode(CODEC_8, [Moment(START_MS + 5, {})])).events == ()
    assert len(codec.received(0, encode(CODEC_8, [Moment(START_MS, {})])).events) == 1


# ---- the oddities of trackers


@pytest.mark.parametrize("at_ms", [BEFORE_FIRST_FIX_MS, BEFORE_FIRST_FIX_MS + 3_600_000, 0])
def test_the_time_before_the_first_fix_is_no_time(at_ms: int) -> None:
    (event,) = told(opened().received(0, encode(CODEC_8, [Moment(at_ms, {239: 1})])))
    assert event.tracker_ms is None


@pytest.mark.parametrize(
    ("ignition", "position", "count"), [(1, LILLE, 1), (0, LILLE, 0), (1, None, 0), (1, (0.0, 3.06), 1)]
)
def test_a_position_with_ignition_on_is_counted_and_carried_nowhere(
    ignition: int, position: tuple[float, float] | None, count: int
) -> None:
    codec = opened()
    output = codec.received(0, encode(CODEC_8, [Moment(START_MS, {239: ignition}, position)]))
    assert codec.faults[VehicleFault.POSITION_WITH_IGNITION_ON] == count
    assert "50" not in repr(output.events)
    assert "30600000" not in repr(output.events)


@pytest.mark.parametrize(
    ("values", "position", "stands"),
    [
        ({239: 0}, LILLE, LILLE),
        ({239: 0}, None, None),
        ({239: 1}, LILLE, None),
        ({}, LILLE, None),
    ],
)
def test_a_position_is_told_where_the_engine_is_known_to_be_off(
    values: dict[int, int | bytes], position: tuple[float, float] | None, stands: tuple[float, float] | None
) -> None:
    (event,) = told(opened().received(0, encode(CODEC_8, [Moment(START_MS, values, position)])))
    where = event.position
    assert (None if where is None else (where.latitude, where.longitude)) == stands


def test_a_last_position_without_a_satellite_is_not_told() -> None:
    raw = bytearray(encode(CODEC_8, [Moment(START_MS, {239: 0}, LILLE)]))
    raw[10 + 8 + 1 + 8 + 4] = 0  # satellites, behind time, priority, position, altitude and angle
    raw[-4:] = frames.crc16(bytes(raw[8:-4])).to_bytes(4)
    (event,) = told(opened().received(0, bytes(raw)))
    assert event.position is None


def test_a_position_sent_again_is_counted_once() -> None:
    codec = opened()
    codec.received(0, C + C)
    assert codec.faults[VehicleFault.POSITION_WITH_IGNITION_ON] == 1


# ---- a simulated tracker


@pytest.mark.parametrize("codec", [CODEC_8, CODEC_8_EXTENDED])
def test_a_week_in_a_car_park_is_told_in_order_and_forgotten_by_the_tracker(codec: int) -> None:
    bench = Bench(TeltonikaTracker(codec))
    for odometer_m in range(1, 3 * RECORDS_PER_PACKET):
        bench.note(odometer_m)
    bench.run(SECOND_US)
    assert bench.odometers == list(range(1, 3 * RECORDS_PER_PACKET))
    assert bench.tracker.kept == ()
    assert bench.tracker.packet_count == 3


def test_a_tracker_that_logs_in_first_is_heard() -> None:
    bench = Bench(TeltonikaTracker(imei="356307042441013"))
    bench.note(7)
    assert bench.run(SECOND_US).odometers == [7]
    assert bench.tracker.kept == ()


def test_a_tracker_that_hears_no_answer_sends_again_and_is_told_once() -> None:
    bench = Bench(TeltonikaTracker())
    bench.tracker.deaf = True
    bench.note(7)
    bench.run(3 * RESEND_US + SECOND_US)
    assert bench.odometers == [7]
    assert (len(bench.tracker.kept), bench.codec.repeats) == (1, 3)
    bench.tracker.deaf = False
    bench.run(RESEND_US)
    assert bench.tracker.kept == ()
    assert bench.odometers == [7]


@pytest.mark.parametrize(("fault", "value"), [("wrong_crc", True), ("cut_to", 30), ("cut_to", 8)])
def test_a_spoilt_packet_is_not_acknowledged_and_comes_whole_later(fault: str, value: object) -> None:
    bench = Bench(TeltonikaTracker())
    setattr(bench.tracker, fault, value)
    bench.note(7)
    bench.run(RESEND_US - 1)
    assert (bench.odometers, len(bench.tracker.kept)) == ([], 1)
    assert bench.codec.statistics.garbled == 1
    setattr(bench.tracker, fault, getattr(TeltonikaTracker(), fault))
    assert bench.run(RESEND_US).odometers == [7]
    assert bench.tracker.kept == ()


def test_a_false_start_hides_a_packet_no_longer_than_a_pause() -> None:
    codec = opened()
    claims_much = bytes(4) + (PACKET_BYTES_MAX - 12).to_bytes(4) + b"\x8e"
    assert codec.received(0, claims_much + C) == Output()
    assert codec.elapsed(GAP_US - 1) == Output()
    assert codec.wake_at_us == GAP_US
    assert codec.elapsed(GAP_US).send == ONE
    assert codec.wake_at_us is None


def test_zero_volts_and_no_fix_are_not_known() -> None:
    bench = Bench(TeltonikaTracker())
    bench.tracker.zero_volts = bench.tracker.without_fix = True
    bench.note(7)
    bench.run(SECOND_US)
    (event,) = bench.events
    assert isinstance(event, VehicleTold)
    assert event.reading.low_voltage_mv is None


def test_a_tracker_before_its_first_fix_has_no_time() -> None:
    bench = Bench(TeltonikaTracker())
    bench.tracker.before_first_fix = True
    bench.note(7)
    bench.run(SECOND_US)
    (event,) = bench.events
    assert isinstance(event, VehicleTold)
    assert event.tracker_ms is None


def test_on_a_line_with_noise_and_loss_everything_is_told_once_in_the_end() -> None:
    rng = random.Random("a bad line")

    def spoil(data: bytes) -> bytes:
        dice = rng.random()
        if data and dice < 0.2:
            at = rng.randrange(len(data))
            return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
        if dice < 0.4:
            return data[: rng.randrange(len(data) + 1)]
        return rng.randbytes(rng.randrange(6)) + data

    bench = Bench(TeltonikaTracker(CODEC_8_EXTENDED), to_codec=spoil)
    for odometer_m in range(1, 101):
        bench.note(odometer_m)
        bench.tracker.deaf = rng.random() < 0.3
        bench.run(SECOND_US)
    bench.tracker.deaf = False
    bench.run(40 * RESEND_US)
    assert bench.tracker.kept == ()
    assert bench.odometers == list(range(1, 101))
    assert bench.codec.statistics.garbled > 10


# ---- the line


def test_half_a_packet_from_before_is_forgotten_when_the_line_opens_again() -> None:
    codec = opened()
    codec.received(0, C[:30])
    codec.closed(1)
    assert codec.wake_at_us is None
    codec.opened(2)
    assert codec.received(3, C[30:]) == Output()
    assert codec.elapsed(3 + GAP_US) == Output()
    assert codec.received(GAP_US + 4, C).send == ONE


def test_bytes_from_before_the_line_opened_mean_nothing() -> None:
    assert TeltonikaReceiver("car-1").received(0, C) == Output()


def test_it_never_asks_and_rests_until_there_is_news_or_half_a_packet() -> None:
    codec = opened()
    assert (codec.elapsed(0), codec.rest(0)) == (Output(), FOREVER_US)
    codec.resume(1)
    assert codec.rest(1) is None
    codec.received(2, C[:20])
    assert codec.rest(2) is None
    codec.received(3, C[20:])
    assert codec.rest(3) == FOREVER_US


@given(st.lists(st.binary(max_size=300) | st.sampled_from([A, C[:50], E]), max_size=8))
def test_bytes_never_raise_and_each_answer_has_its_packet(portions: list[bytes]) -> None:
    codec = opened()
    sent = 0
    for i, portion in enumerate(portions):
        sent += len(codec.received(i * SECOND_US, portion).send)
        sent += len(codec.elapsed(i * SECOND_US).send)
    assert sent <= 4 * codec.statistics.frames_received
    assert codec.reports <= codec.statistics.frames_received
    codec.elapsed(1000 * SECOND_US)
    assert codec.received(2000 * SECOND_US, A).send == ONE
