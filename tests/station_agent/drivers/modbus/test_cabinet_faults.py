from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from simulator.devices.modbus_board import ModbusBoard
from station_agent.core.device_events import CabinetLost, CabinetSeen, LockPulsed, PulseResult
from station_agent.drivers.modbus.frames import READ_COILS, Trouble
from station_agent.drivers.rounds import RETRY_MAX_US
from tests.station_agent.drivers.modbus.virtual_bus import VirtualBus, wired
from tests.station_agent.drivers.virtual_lock_bus import MS

LOST_WITHIN_MS = 5_000  # four looks, of which some wait until nothing is owed any more
UNANSWERED = LockPulsed(1, PulseResult.UNANSWERED)


class Locks:
    """Counts what a board's relays did."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, channel: int, start_us: int, end_us: int | None) -> None:
        self.count += 1


@pytest.fixture
def locks() -> Locks:
    return Locks()


@pytest.fixture
def board(locks: Locks) -> ModbusBoard:
    return ModbusBoard(1, on_pulse=locks)


@pytest.fixture
def bus(board: ModbusBoard) -> VirtualBus:
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.run_for(1_000)
    return bus


def test_one_lost_answer_loses_nothing(bus: VirtualBus, board: ModbusBoard) -> None:
    board.mute = True
    bus.run_for(300)
    board.mute = False
    bus.run_for(5_000)
    assert bus.cabinet.statistics.timeouts == 1
    assert len(bus.told) == 1


def test_silent_board_is_lost_after_four_looks_and_seen_again_when_it_answers(
    bus: VirtualBus, board: ModbusBoard
) -> None:
    board.mute = True
    assert bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS) == CabinetLost(f"unit 1: {Trouble.SILENT}")
    assert bus.cabinet.statistics.timeouts == 4
    board.mute = False
    board.set_input(0, True)
    assert bus.run_until_told(CabinetSeen).slots[0].key_present


def test_board_that_never_answered_is_told_to_be_lost() -> None:
    bus = VirtualBus(wired(), [])
    bus.open()
    bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    bus.run_for(60_000)
    assert len(bus.told) == 1


def test_lost_board_is_asked_ever_more_rarely_but_at_least_every_10_s(bus: VirtualBus, board: ModbusBoard) -> None:
    board.mute = True
    bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    bus.sent.clear()
    bus.run_for(120_000)
    times = [at_us for at_us, _ in bus.sent]
    waits = [after - before for before, after in pairwise(times)]
    assert waits == sorted(waits)
    assert waits[0] < 2_000 * MS
    assert waits[-1] <= RETRY_MAX_US + 500 * MS
    board.mute = False
    bus.run_until_told(CabinetSeen, within_ms=11_000)


def test_release_on_a_silent_board_is_tried_at_once_and_only_once(
    bus: VirtualBus, board: ModbusBoard, locks: Locks
) -> None:
    board.mute = True
    bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    bus.run_for(30_000)
    bus.sent.clear()
    bus.release(1)
    assert len(bus.sent) == 1
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    board.mute = False
    bus.run_for(60_000)
    assert locks.count == 0
    assert bus.events(LockPulsed) == [UNANSWERED]


def test_release_whose_answer_is_spoilt_is_unanswered_though_the_lock_had_current(
    bus: VirtualBus, board: ModbusBoard, locks: Locks
) -> None:
    board.bad_crc = True
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    board.bad_crc = False
    bus.run_for(5_000)
    assert locks.count == 1
    assert not bus.events(CabinetLost)


def test_bad_checksums_are_garbled_and_lose_the_cabinet(bus: VirtualBus, board: ModbusBoard) -> None:
    board.bad_crc = True
    assert bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS) == CabinetLost(f"unit 1: {Trouble.GARBLED}")
    assert bus.cabinet.statistics.garbled == 4
    assert bus.cabinet.statistics.timeouts == 0


def test_spoilt_answer_is_given_up_long_before_the_timeout(bus: VirtualBus, board: ModbusBoard) -> None:
    board.bad_crc = True
    bus.release(1)
    bus.run_until_told(LockPulsed, within_ms=90)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 6])
def test_refused_release_gave_no_current(bus: VirtualBus, board: ModbusBoard, locks: Locks, code: int) -> None:
    board.exception = code
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == LockPulsed(1, PulseResult.REFUSED)
    assert locks.count == 0


@pytest.mark.parametrize("code", [5, 11])
def test_exception_that_leaves_the_outcome_open_is_no_refusal(
    bus: VirtualBus, board: ModbusBoard, code: int
) -> None:
    board.exception = code
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED


@pytest.mark.parametrize("code", [2, 4])
def test_board_that_refuses_to_be_read_is_lost_and_says_why(bus: VirtualBus, board: ModbusBoard, code: int) -> None:
    board.exception = code
    why = f"unit 1: refuses to show its inputs (exception {code})"
    assert bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS) == CabinetLost(why)
    board.exception = 0
    bus.run_until_told(CabinetSeen)


def test_board_with_fewer_inputs_than_wired_is_lost_with_exception_2() -> None:
    bus = VirtualBus(wired(), [ModbusBoard(1, inputs=4)])
    bus.open()
    assert bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS).why.endswith("(exception 2)")


class DeafForRelays(ModbusBoard):
    """Keeps silent where it should refuse: not every board knows every function."""

    def receive(self, now_us: int, data: bytes) -> bytes:
        return b"" if data[1:2] == bytes((READ_COILS,)) else super().receive(now_us, data)


@pytest.mark.parametrize("inputs_only", [ModbusBoard(1, relays=0), DeafForRelays(1)])
def test_board_that_has_no_relays_to_show_is_read_all_the_same(inputs_only: ModbusBoard) -> None:
    bus = VirtualBus(wired(), [inputs_only])
    bus.open()
    bus.run_until_told(CabinetSeen, within_ms=3_000)
    inputs_only.mute = True
    bus.run_for(250)
    inputs_only.mute = False
    inputs_only.set_input(0, True)
    assert bus.run_until_told(CabinetSeen, within_ms=3_000).slots[0].key_present
    assert not bus.events(CabinetLost)


@pytest.mark.parametrize("byte_by_byte", [False, True])
def test_echoing_adapter_works_with_its_setting(locks: Locks, byte_by_byte: bool) -> None:
    board = ModbusBoard(1, on_pulse=locks)
    bus = VirtualBus(wired(local_echo=True), [board], byte_by_byte=byte_by_byte)
    bus.wire.echo = True
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == LockPulsed(1, PulseResult.CONFIRMED)
    assert locks.count == 1
    board.mute = True
    bus.release(2)
    assert bus.run_until_told(LockPulsed) == LockPulsed(2, PulseResult.UNANSWERED)


@pytest.mark.parametrize("is_alive", [True, False])
def test_echoing_adapter_without_its_setting_confirms_nothing_and_is_named(
    board: ModbusBoard, is_alive: bool
) -> None:
    board.mute = not is_alive
    bus = VirtualBus(wired(), [board])
    bus.wire.echo = True
    bus.open()
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    lost = bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    assert lost == CabinetLost(f"unit 1: {Trouble.ECHOED}")
    bus.run_for(30_000)
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    assert not bus.events(CabinetSeen)


def test_adapter_that_was_replaced_by_an_echoing_one_confirms_nothing(bus: VirtualBus, board: ModbusBoard) -> None:
    bus.close()
    bus.wire.echo = True
    board.mute = True
    bus.open()
    bus.run_for(30_000)
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED


def test_setting_for_an_echo_that_does_not_come_confirms_nothing_and_is_named(board: ModbusBoard) -> None:
    bus = VirtualBus(wired(local_echo=True), [board])
    bus.open()
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    assert bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS) == CabinetLost(f"unit 1: {Trouble.NOT_ECHOED}")


def test_bouncing_contact_is_told_once_when_it_rests(bus: VirtualBus, board: ModbusBoard) -> None:
    for after_ms in range(200, 220, 2):
        bus.at(after_ms, lambda: board.set_input(0, True))
        bus.at(after_ms + 1, lambda: board.set_input(0, False))
    bus.at(220, lambda: board.set_input(0, True))
    bus.run_for(2_000)
    assert [seen.slots[0].key_present for seen in bus.events(CabinetSeen)] == [False, True]


def test_input_that_chatters_for_ever_holds_up_neither_the_other_slots_nor_releases(
    bus: VirtualBus, board: ModbusBoard
) -> None:
    for after_ms in range(0, 10_000, 20):
        bus.at(after_ms, partial(board.set_input, 0, after_ms % 40 == 0))
    bus.at(3_000, lambda: board.set_input(2, True))
    bus.run_for(3_500)
    assert bus.events(CabinetSeen)[-1].slots[1].key_present
    bus.release(2)
    assert bus.run_until_told(LockPulsed, within_ms=50).result is PulseResult.CONFIRMED


def test_stuck_lock_shows_as_a_confirmed_pulse_after_which_nothing_changes(bus: VirtualBus) -> None:
    known = len(bus.told)
    bus.release(1)
    bus.run_for(10_000)
    assert [event for _, event in bus.told[known:]] == [LockPulsed(1, PulseResult.CONFIRMED)]


def test_board_reset_in_the_middle_of_a_pulse_ends_it_and_is_survived(bus: VirtualBus, board: ModbusBoard) -> None:
    bus.release(1)
    bus.run_until_told(LockPulsed)
    assert board.relay_is_on(bus.now_us, 0)
    board.power_cycle(bus.now_us)
    assert not board.relay_is_on(bus.now_us, 0)
    bus.run_for(5_000)
    assert not bus.events(CabinetLost)
    bus.release(1)
    assert bus.run_until_told(LockPulsed).result is PulseResult.CONFIRMED


def test_two_boards_at_one_address_are_not_believed() -> None:
    boards = [ModbusBoard(1), ModbusBoard(1)]
    boards[0].set_input(0, True)
    bus = VirtualBus(wired(), boards)
    bus.open()
    bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    assert not bus.events(CabinetSeen)


def test_line_on_which_somebody_never_stops_sending_is_lost_within_seconds(
    bus: VirtualBus, board: ModbusBoard
) -> None:
    board.mute = True
    for after_ms in range(0, 10_000, 5):
        bus.at(after_ms, lambda: bus.inject(b"\x00\xff\x55"))
    bus.run_until_told(CabinetLost, within_ms=6_000)


def test_release_gets_through_where_somebody_never_stops_sending(bus: VirtualBus, locks: Locks) -> None:
    for after_ms in range(0, 10_000, 5):
        bus.at(after_ms, lambda: bus.inject(b"\x00\xff\x55"))
    bus.run_for(1_000)
    bus.release(1)
    bus.run_until_told(LockPulsed)
    assert locks.count == 1


def test_noise_before_the_answers_costs_nothing(bus: VirtualBus) -> None:
    bus.run_for(5_000)
    sent = bus.cabinet.statistics.frames_sent
    for after_ms in range(0, 10_000, 50):
        bus.at(after_ms, lambda: bus.inject(b"\x00"))
    bus.run_for(10_000)
    assert bus.cabinet.statistics.frames_sent - sent == pytest.approx(50, abs=2)
    assert not bus.events(CabinetLost)


@pytest.mark.parametrize("baud_rate", [1200, 4800, 19200, 115200])
def test_every_baud_rate_leaves_an_unhurried_board_its_time(locks: Locks, baud_rate: int) -> None:
    board = ModbusBoard(1, on_pulse=locks)
    board.late_ms = 90
    bus = VirtualBus(replace(wired(), baud_rate=baud_rate), [board])
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.release(1)
    assert bus.run_until_told(LockPulsed).result is PulseResult.CONFIRMED
