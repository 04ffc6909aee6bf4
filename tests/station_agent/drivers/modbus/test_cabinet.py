from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.modbus_board import ModbusBoard
from station_agent.core.device_events import CabinetLost, CabinetSeen, LockPulsed, PulseResult, SlotSeen
from station_agent.drivers.lock_bus import ORDER_VALID_US
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.frames import pulse_coil, read_coils, read_inputs
from station_agent.drivers.modbus.wiring import CabinetWiring, SlotWiring
from station_agent.drivers.rounds import FAST_FOR_US
from tests.station_agent.drivers.modbus.virtual_bus import VirtualBus, wired
from tests.station_agent.drivers.virtual_lock_bus import MS

READ = read_inputs(1, 0, 8).frame


class Locks:
    """Listens to a board's relays."""

    def __init__(self) -> None:
        self.pulses: list[tuple[int, int, int | None]] = []

    def __call__(self, channel: int, start_us: int, end_us: int | None) -> None:
        self.pulses.append((channel, start_us, end_us))


@pytest.fixture
def locks() -> Locks:
    return Locks()


@pytest.fixture
def board(locks: Locks) -> ModbusBoard:
    return ModbusBoard(1, on_pulse=locks)


@pytest.fixture(params=[False, True], ids=["whole", "byte by byte"])
def bus(board: ModbusBoard, request: pytest.FixtureRequest) -> VirtualBus:
    bus = VirtualBus(wired(), [board], byte_by_byte=request.param)
    bus.open()
    bus.run_until_told(CabinetSeen)
    return bus


def slots_seen(bus: VirtualBus) -> tuple[SlotSeen, ...]:
    return bus.events(CabinetSeen)[-1].slots


def intervals_ms(bus: VirtualBus, frame: bytes) -> Iterator[float]:
    times = [at_us for at_us, sent in bus.sent if sent == frame]
    return ((after - before) / MS for before, after in pairwise(times))


def test_whole_cabinet_is_seen_once_after_opening(board: ModbusBoard) -> None:
    board.set_input(2, True)
    board.set_input(5, True)
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_for(5_000)
    assert [event for _, event in bus.told] == [
        CabinetSeen(
            (
                SlotSeen(1, key_present=False, door_open=False),
                SlotSeen(2, key_present=True, door_open=False),
                SlotSeen(3, key_present=False, door_open=True),
                SlotSeen(4, key_present=False, door_open=False),
            )
        )
    ]


def test_nothing_is_sent_right_after_opening_because_an_earlier_process_may_have_asked(
    board: ModbusBoard,
) -> None:
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_for(199)
    assert not bus.sent


def test_first_question_after_opening_is_one_that_an_earlier_process_never_asked_right_before(
    board: ModbusBoard,
) -> None:
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_for(500)
    assert [sent for _, sent in bus.sent[:3]] == [read_coils(1, 0, 1).frame, READ, READ]


def test_changed_contact_is_told_within_two_idle_scans(bus: VirtualBus, board: ModbusBoard) -> None:
    bus.run_for(1_000)
    board.set_input(0, True)
    since_us = bus.now_us
    bus.run_until_told(CabinetSeen)
    assert bus.now_us - since_us < 300 * MS
    assert slots_seen(bus)[0].key_present


def test_idle_bus_is_read_every_200_ms_with_one_request(bus: VirtualBus) -> None:
    bus.run_for(1_000)
    bus.sent.clear()
    bus.run_for(10_000)
    assert {sent for _, sent in bus.sent} == {READ}
    assert set(intervals_ms(bus, READ)) == {200}


def test_release_pulses_its_lock_for_as_long_as_the_board_is_told(bus: VirtualBus, locks: Locks) -> None:
    bus.release(3)
    assert bus.run_until_told(LockPulsed) == LockPulsed(3, PulseResult.CONFIRMED)
    ((channel, start_us, end_us),) = locks.pulses
    assert end_us is not None
    assert (channel, end_us - start_us) == (2, 700 * MS)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 250))
def test_release_at_any_moment_is_sent_once_and_before_the_next_look(after_ms: float) -> None:
    bus = VirtualBus(wired(), [ModbusBoard(1)])
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.run_for(1_000 + after_ms)
    bus.sent.clear()
    given_us = bus.now_us
    bus.release(2)
    bus.run_for(60_000)
    pulse = pulse_coil(1, 1, 700).frame
    assert bus.sent[0][1] == pulse
    assert bus.sent[0][0] - given_us <= 25 * MS  # at most one look is under way
    assert [sent for _, sent in bus.sent].count(pulse) == 1
    assert bus.events(LockPulsed) == [LockPulsed(2, PulseResult.CONFIRMED)]


def test_after_a_release_the_contacts_are_looked_at_every_50_ms_for_a_while(bus: VirtualBus) -> None:
    bus.run_for(1_000)
    bus.release(1)
    bus.run_until_told(LockPulsed)
    bus.sent.clear()
    bus.run_for(FAST_FOR_US / MS - 100)
    assert set(intervals_ms(bus, READ)) == {50}
    bus.run_for(1_000)
    bus.sent.clear()
    bus.run_for(2_000)
    assert set(intervals_ms(bus, READ)) == {200}


def test_member_taking_a_key_is_told_step_by_step(bus: VirtualBus, board: ModbusBoard) -> None:
    board.set_input(0, True)
    bus.run_until_told(CabinetSeen)
    known = len(bus.told)
    bus.release(1)
    bus.at(600, lambda: board.set_input(1, True))
    bus.at(2_000, lambda: board.set_input(0, False))
    bus.at(4_000, lambda: board.set_input(1, False))
    bus.run_for(6_000)
    steps = [event for _, event in bus.told[known:]]
    assert steps[0] == LockPulsed(1, PulseResult.CONFIRMED)
    assert [event.slots[0] for event in steps[1:] if isinstance(event, CabinetSeen)] == [
        SlotSeen(1, key_present=True, door_open=True),
        SlotSeen(1, key_present=False, door_open=True),
        SlotSeen(1, key_present=False, door_open=False),
    ]


def test_silence_of_three_and_a_half_characters_is_kept_before_every_request(bus: VirtualBus) -> None:
    for slot in (1, 2, 3, 4):
        bus.release(slot)
        bus.run_for(30)
    bus.run_for(1_000)
    edges = sorted([(at_us, "heard") for at_us, _ in bus.heard] + [(at_us, "sent") for at_us, _ in bus.sent])
    gaps = [
        after - before
        for (before, first), (after, second) in pairwise(edges)
        if (first, second) == ("heard", "sent")
    ]
    assert min(gaps) >= wired().gap_us
    assert bus.wire.collision_count == 0


def test_two_boards_are_read_in_turn_and_one_picture_is_told() -> None:
    boards = [ModbusBoard(1), ModbusBoard(2)]
    boards[0].set_input(0, True)
    boards[1].set_input(3, True)
    slots = (
        SlotWiring(slot=1, lock=(1, 0), key=(1, 0), door=(1, 1)),
        SlotWiring(slot=2, lock=(2, 0), key=(2, 2), door=(2, 3)),
    )
    bus = VirtualBus(CabinetWiring(slots=slots), boards)
    bus.open()
    seen = bus.run_until_told(CabinetSeen)
    assert seen.slots == (SlotSeen(1, True, False), SlotSeen(2, False, True))
    bus.release(2)
    assert bus.run_until_told(LockPulsed) == LockPulsed(2, PulseResult.CONFIRMED)
    assert boards[1].relay_is_on(bus.now_us, 0)
    assert not boards[0].relay_is_on(bus.now_us, 0)


def test_orders_given_together_are_sent_one_after_the_other(bus: VirtualBus, locks: Locks) -> None:
    for slot in (4, 1, 3):
        bus.cabinet.release(slot)
    bus.release(2)
    bus.run_for(300)
    assert [channel for channel, _, _ in locks.pulses] == [3, 0, 2, 1]
    assert {event.result for event in bus.events(LockPulsed)} == {PulseResult.CONFIRMED}


def test_second_order_for_a_slot_that_still_waits_is_the_same_order(bus: VirtualBus, locks: Locks) -> None:
    for _ in range(1_000):
        bus.cabinet.release(1)
    bus.release(1)
    bus.run_for(300)
    assert len(locks.pulses) == len(bus.events(LockPulsed)) == 1


def test_slot_that_is_not_on_this_bus_is_our_own_mistake(bus: VirtualBus) -> None:
    with pytest.raises(AssertionError, match="slot 9"):
        bus.cabinet.release(9)


def test_order_on_a_closed_line_is_not_kept_for_later(board: ModbusBoard, locks: Locks) -> None:
    bus = VirtualBus(wired(), [board])
    bus.release(1)
    assert bus.events(LockPulsed) == [LockPulsed(1, PulseResult.UNANSWERED)]
    bus.open()
    bus.run_for(2_000)
    assert not locks.pulses


def test_line_that_closes_loses_the_cabinet_and_what_was_under_way(bus: VirtualBus) -> None:
    bus.run_for(1_000)
    bus.release(1)
    bus.cabinet.release(2)
    known = len(bus.told)
    bus.close()
    assert [event for _, event in bus.told[known:]] == [
        LockPulsed(1, PulseResult.UNANSWERED),
        LockPulsed(2, PulseResult.UNANSWERED),
        CabinetLost("the line is gone"),
    ]
    bus.open()
    bus.run_until_told(CabinetSeen)
    assert len(bus.events(CabinetLost)) == 1


def test_order_that_cannot_go_out_in_time_never_does(board: ModbusBoard, locks: Locks) -> None:
    bus = VirtualBus(wired(answer_timeout_ms=2_000), [board])
    bus.open()
    bus.run_until_told(CabinetSeen, within_ms=5_000)
    board.mute = True
    bus.run_for(2_500)  # an exchange failed, and the line is left alone
    board.mute = False
    for after_ms in range(0, ORDER_VALID_US // MS + 1_000, 500):
        bus.at(after_ms, lambda: bus.inject(b"\x55"))
    bus.release(1)
    bus.run_for(20_000)
    assert bus.events(LockPulsed) == [LockPulsed(1, PulseResult.UNANSWERED)]
    assert not locks.pulses


def test_counters_tell_what_happened(bus: VirtualBus, board: ModbusBoard) -> None:
    bus.run_for(1_000)
    statistics = bus.cabinet.statistics
    assert statistics.frames_sent == statistics.frames_received > 0
    assert (statistics.timeouts, statistics.garbled) == (0, 0)
    board.mute = True
    bus.run_for(500)
    assert statistics.timeouts > 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("received"), st.binary(min_size=1, max_size=64)),
            st.tuples(st.just("answered"), st.binary(min_size=0, max_size=0)),
            st.tuples(st.just("elapsed"), st.integers(0, 400)),
            st.tuples(st.just("release"), st.integers(1, 4)),
            st.tuples(st.just("closed"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_codec_neither_raises_nor_grows_nor_forgets_an_order(
    script: list[tuple[str, bytes | int]],
) -> None:
    cabinet = ModbusCabinet(replace(wired(), scan_ms=50))
    board = ModbusBoard(1)
    now_us, orders, answers, sent, is_open = 0, 0, 0, b"", False
    for step, value in script:
        if not is_open:
            cabinet.opened(now_us)
            is_open = True
        if isinstance(value, bytes):
            data = value if step == "received" else board.receive(now_us, sent)
            output = cabinet.received(now_us, data)
        elif step == "release":
            orders += value not in cabinet._orders
            cabinet.release(value)
            output = cabinet.elapsed(now_us)
        elif step == "elapsed":
            now_us += value * MS
            output = cabinet.elapsed(now_us)
        else:
            output = cabinet.closed(now_us)
            is_open = False
        sent = output.send or sent
        answers += sum(isinstance(event, LockPulsed) for event in output.events)
        under_way = cabinet._exchange is not None and cabinet._exchange.slot is not None
        assert orders == answers + len(cabinet._orders) + under_way
        assert len(cabinet._orders) <= 4


def test_a_second_order_looks_first_and_lets_nothing_out_that_was_hung_up_meanwhile(
    bus: VirtualBus, board: ModbusBoard, locks: Locks
) -> None:
    bus.release(3, again=True)
    bus.run_until_told(LockPulsed)
    assert len(locks.pulses) == 1, "nothing had moved"
    sent_before = len(bus.sent)
    bus.release(3, again=True)
    board.set_input(4, True)  # a key, on the contact of slot 3
    bus.run_until_told(LockPulsed)
    assert bus.events(LockPulsed)[-1].result is PulseResult.UNANSWERED
    assert len(locks.pulses) == 1
    assert all(sent == READ for _, sent in bus.sent[sent_before:])
