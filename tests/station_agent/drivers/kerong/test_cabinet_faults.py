from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.kerong_board import KerongBoard
from station_agent.core.device_events import CabinetLost, CabinetSeen, LockPulsed, PulseResult
from station_agent.drivers.kerong.frames import Trouble
from station_agent.drivers.rounds import RETRY_MAX_US
from tests.station_agent.drivers.kerong.virtual_bus import Locks, VirtualBus, wired
from tests.station_agent.drivers.virtual_lock_bus import MS

LOST_WITHIN_MS = 8_000  # a look and three queries, each of which waits until the one before is not owed any more
BACK_WITHIN_MS = 15_000  # the longest wait between attempts, and what is owed by then
UNANSWERED = LockPulsed(1, PulseResult.UNANSWERED)
CONFIRMED = LockPulsed(1, PulseResult.CONFIRMED)


@pytest.fixture
def locks() -> Locks:
    return Locks()


@pytest.fixture
def board(locks: Locks) -> KerongBoard:
    return KerongBoard(0, on_unlock=locks)


@pytest.fixture(params=[False, True], ids=["whole", "byte by byte"])
def bus(board: KerongBoard, request: pytest.FixtureRequest) -> VirtualBus:
    bus = VirtualBus(wired(), [board], byte_by_byte=request.param)
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.run_for(1_000)
    return bus


def test_one_lost_answer_loses_nothing(bus: VirtualBus, board: KerongBoard) -> None:
    board.mute = True
    bus.run_for(300)
    board.mute = False
    bus.run_for(5_000)
    assert bus.cabinet.statistics.timeouts == 1
    assert len(bus.told) == 1


def test_silent_board_is_lost_after_four_looks_and_seen_again_when_it_answers(
    bus: VirtualBus, board: KerongBoard
) -> None:
    board.mute = True
    lost = bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    assert lost == CabinetLost(f"board 0: {Trouble.SILENT}")
    assert bus.cabinet.statistics.timeouts == 4
    board.mute = False
    board.set_infrared(0, True)
    assert bus.run_until_told(CabinetSeen, within_ms=3_000).slots[0].key_present


def test_board_that_never_answered_is_told_to_be_lost() -> None:
    bus = VirtualBus(wired(), [])
    bus.open()
    bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    bus.run_for(60_000)
    assert len(bus.told) == 1


def test_lost_board_is_asked_ever_more_rarely_but_at_least_every_10_s(bus: VirtualBus, board: KerongBoard) -> None:
    board.mute = True
    bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    bus.sent.clear()
    bus.run_for(120_000)
    waits = [after - before for (before, _), (after, _) in pairwise(bus.sent)]
    assert waits == sorted(waits)
    assert waits[-1] <= RETRY_MAX_US + 500 * MS
    board.mute = False
    bus.run_until_told(CabinetSeen, within_ms=BACK_WITHIN_MS)


def test_lock_that_opens_without_an_answer_is_unanswered_and_then_seen_to_be_open(
    bus: VirtualBus, board: KerongBoard, locks: Locks
) -> None:
    board.is_silent_on_unlock = True
    bus.at(100, lambda: board.set_hook(0, False))
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    assert bus.run_until_told(CabinetSeen, within_ms=1_500).slots[0].door_open, "before the core asks again"
    bus.run_for(30_000)
    assert locks.numbers == [0]
    assert len(bus.events(LockPulsed)) == 1
    assert not bus.events(CabinetLost)


def test_second_order_after_an_unlock_without_an_answer_does_not_unlock_what_is_open(
    bus: VirtualBus, board: KerongBoard, locks: Locks
) -> None:
    board.is_silent_on_unlock = True
    bus.release(1)
    bus.run_until_told(LockPulsed)
    board.set_hook(0, False)  # it did open, and nobody has looked yet
    bus.release(1, again=True)
    bus.run_until_told(LockPulsed)
    assert bus.events(LockPulsed) == [UNANSWERED, UNANSWERED]
    assert locks.numbers == [0]


def test_release_on_a_silent_board_is_tried_at_once_and_only_once(
    bus: VirtualBus, board: KerongBoard, locks: Locks
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
    assert locks.numbers == []
    assert bus.events(LockPulsed) == [UNANSWERED]


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_cut_replies_are_garbled_and_lose_the_cabinet_until_they_are_whole(
    bus: VirtualBus, board: KerongBoard, cut: int
) -> None:
    board.cut = cut
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    assert bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS).why.startswith("board 0: ")
    board.cut = 0
    board.set_infrared(3, True)
    assert bus.run_until_told(CabinetSeen, within_ms=BACK_WITHIN_MS).slots[3].key_present
    assert len(bus.events(LockPulsed)) == 1


@pytest.mark.parametrize("fault", ["bad_sum", "garbage"])
def test_spoilt_replies_are_garbled_and_lose_the_cabinet_until_they_are_good(
    bus: VirtualBus, board: KerongBoard, locks: Locks, fault: str
) -> None:
    setattr(board, fault, True)
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    assert locks.numbers == [0], "it had current all the same"
    lost = bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    assert lost == CabinetLost(f"board 0: {Trouble.GARBLED}")
    assert bus.cabinet.statistics.timeouts == 0
    setattr(board, fault, False)
    bus.run_until_told(CabinetSeen, within_ms=BACK_WITHIN_MS)
    assert len(bus.events(LockPulsed)) == 1


def test_spoilt_answer_is_given_up_long_before_the_timeout(bus: VirtualBus, board: KerongBoard) -> None:
    board.bad_sum = True
    bus.release(1)
    assert bus.run_until_told(LockPulsed, within_ms=110) == UNANSWERED


def test_one_wrong_sum_costs_one_look(bus: VirtualBus, board: KerongBoard) -> None:
    board.bad_sum = True
    bus.at(210, lambda: setattr(board, "bad_sum", False))
    bus.run_for(5_000)
    assert bus.cabinet.statistics.garbled == 1
    assert len(bus.told) == 1


def test_busy_board_is_freed_by_the_query_without_being_lost(bus: VirtualBus, board: KerongBoard) -> None:
    board.is_busy = True
    board.set_infrared(0, True)
    assert bus.run_until_told(CabinetSeen, within_ms=1_500).slots[0].key_present
    assert not board.is_busy
    assert not bus.events(CabinetLost)
    assert bus.cabinet.statistics.timeouts == 1


def test_board_that_is_busy_after_each_unlock_is_freed_before_it_is_looked_at(
    bus: VirtualBus, board: KerongBoard, locks: Locks
) -> None:
    board.busy_after_unlock = True
    for slot in (1, 2):
        bus.release(slot)
        bus.at(50, partial(board.set_hook, slot - 1, False))
        bus.run_until_told(LockPulsed)
        assert bus.run_until_told(CabinetSeen, within_ms=300).slots[slot - 1].door_open
    assert bus.cabinet.statistics.timeouts == 0
    assert locks.numbers == [0, 1]


def test_unlock_that_a_busy_board_does_not_hear_works_at_the_second_order(
    bus: VirtualBus, board: KerongBoard, locks: Locks
) -> None:
    board.is_busy = True
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    assert not locks.pulses
    bus.release(1, again=True)
    assert bus.run_until_told(LockPulsed) == UNANSWERED or bus.events(LockPulsed)[-1] == CONFIRMED
    assert bus.events(LockPulsed) == [UNANSWERED, CONFIRMED]
    assert locks.numbers == [0]


def test_board_that_does_not_answer_the_query_is_read_all_the_same(board: KerongBoard) -> None:
    board.is_silent_on_query = True
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_until_told(CabinetSeen, within_ms=3_000)
    board.mute = True
    bus.run_for(250)
    board.mute = False
    board.set_infrared(0, True)
    assert bus.run_until_told(CabinetSeen, within_ms=3_500).slots[0].key_present
    bus.run_for(5_000)
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == CONFIRMED
    board.set_hook(0, False)
    assert bus.run_until_told(CabinetSeen, within_ms=1_000).slots[0].door_open
    assert not bus.events(CabinetLost)


def test_board_reset_is_survived(bus: VirtualBus, board: KerongBoard) -> None:
    bus.release(1)
    bus.run_until_told(LockPulsed)
    board.power_cycle(bus.now_us)
    bus.run_for(5_000)
    assert not bus.events(CabinetLost)
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == CONFIRMED


def test_stuck_lock_shows_as_a_confirmed_pulse_after_which_nothing_changes(bus: VirtualBus) -> None:
    known = len(bus.told)
    bus.release(1)
    bus.run_for(10_000)
    assert [event for _, event in bus.told[known:]] == [CONFIRMED]


def test_echoing_adapter_needs_no_setting(board: KerongBoard) -> None:
    bus = VirtualBus(wired(), [board])
    bus.wire.echo = True
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == CONFIRMED
    board.mute = True
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == UNANSWERED
    assert bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS) == CabinetLost(f"board 0: {Trouble.SILENT}")


def test_bouncing_contact_is_told_once_when_it_rests(bus: VirtualBus, board: KerongBoard) -> None:
    for after_ms in range(200, 220, 2):
        bus.at(after_ms, lambda: board.set_infrared(0, True))
        bus.at(after_ms + 1, lambda: board.set_infrared(0, False))
    bus.at(220, lambda: board.set_infrared(0, True))
    bus.run_for(2_000)
    assert [seen.slots[0].key_present for seen in bus.events(CabinetSeen)] == [False, True]


def test_two_boards_of_one_number_are_not_believed() -> None:
    boards = [KerongBoard(0), KerongBoard(0)]
    boards[0].set_infrared(0, True)
    bus = VirtualBus(wired(), boards)
    bus.open()
    bus.run_until_told(CabinetLost, within_ms=LOST_WITHIN_MS)
    assert not bus.events(CabinetSeen)


def test_two_boards_of_one_number_that_answer_one_after_the_other_are_not_believed() -> None:
    boards = [KerongBoard(0), KerongBoard(0)]
    boards[0].set_infrared(0, True)
    boards[1].late_ms = 10
    bus = VirtualBus(wired(), boards)
    bus.open()
    bus.run_until_told(CabinetLost, within_ms=2 * LOST_WITHIN_MS)
    assert not bus.events(CabinetSeen)


def test_line_on_which_somebody_never_stops_sending_is_lost_within_seconds(
    bus: VirtualBus, board: KerongBoard
) -> None:
    board.mute = True
    for after_ms in range(0, 10_000, 5):
        bus.at(after_ms, lambda: bus.inject(b"\x00\xff\x55"))
    bus.run_until_told(CabinetLost, within_ms=8_000)


def test_release_gets_through_where_somebody_never_stops_sending(bus: VirtualBus, locks: Locks) -> None:
    for after_ms in range(0, 10_000, 5):
        bus.at(after_ms, lambda: bus.inject(b"\x00\xff\x55"))
    bus.run_for(1_000)
    bus.release(1)
    bus.run_until_told(LockPulsed)
    assert locks.numbers == [0]


def test_single_noise_bytes_lose_nothing(bus: VirtualBus, board: KerongBoard) -> None:
    for after_ms in range(0, 10_000, 70):
        bus.at(after_ms, lambda: bus.inject(b"\x00"))
    bus.at(5_000, lambda: board.set_infrared(0, True))
    bus.run_for(10_000)
    assert [seen.slots[0].key_present for seen in bus.events(CabinetSeen)] == [False, True]
    assert not bus.events(CabinetLost)


noises = st.lists(
    st.tuples(
        st.integers(0, 3_000),
        st.one_of(
            st.binary(min_size=1, max_size=80),
            st.sampled_from([b"\x02\x00\x35\xff\xff", bytes.fromhex("02 00 35 FF FF 00 00 03 38")]),
        ),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(noises, st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 4)), max_size=4), st.booleans())
def test_when_the_noise_ends_the_cabinet_is_seen_as_it_is(
    noise: list[tuple[int, bytes]], releases: list[tuple[int, int]], byte_by_byte: bool
) -> None:
    board = KerongBoard(0)
    bus = VirtualBus(wired(), [board], byte_by_byte=byte_by_byte)
    bus.open()
    for after_ms, data in noise:
        bus.at(after_ms, partial(bus.inject, data))
    for after_ms, slot in releases:
        bus.at(after_ms, partial(bus.release, slot))
    bus.run_for(3_000)
    board.set_infrared(2, True)
    bus.run_for(BACK_WITHIN_MS)
    assert isinstance(bus.told[-1][1], CabinetSeen)
    assert [slot.key_present for slot in bus.slots] == [False, False, True, False]
    assert len(bus.events(LockPulsed)) <= len(releases)
    assert {event.slot for event in bus.events(LockPulsed)} == {slot for _, slot in releases}
