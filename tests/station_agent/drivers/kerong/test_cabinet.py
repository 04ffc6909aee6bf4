from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.kerong_board import KerongBoard
from station_agent.core.device_events import CabinetLost, CabinetSeen, LockPulsed, PulseResult, SlotSeen
from station_agent.drivers.kerong.cabinet import LISTEN_US, KerongCabinet
from station_agent.drivers.kerong.frames import INPUT_MAX, query, read_status, unlock
from station_agent.drivers.kerong.wiring import CabinetWiring, SlotWiring
from station_agent.drivers.lock_bus import ORDER_VALID_US
from station_agent.drivers.rounds import FAST_FOR_US
from tests.station_agent.drivers.kerong.virtual_bus import Locks, VirtualBus, wired
from tests.station_agent.drivers.virtual_lock_bus import MS

STATUS = read_status(0).frame
QUERY = query(0).frame


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
    return bus


def intervals_ms(bus: VirtualBus, frame: bytes) -> Iterator[float]:
    times = [at_us for at_us, sent in bus.sent if sent == frame]
    return ((after - before) / MS for before, after in pairwise(times))


def test_whole_cabinet_is_seen_once_after_opening(board: KerongBoard) -> None:
    board.set_infrared(1, True)
    board.set_hook(2, False)
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


def test_inverted_contacts_are_turned_round(board: KerongBoard) -> None:
    slots = (
        SlotWiring(slot=1, board=0, lock=0, hook_inverted=True),
        SlotWiring(slot=2, board=0, lock=15, infrared_inverted=True),
    )
    bus = VirtualBus(CabinetWiring(slots=slots), [board])
    bus.open()
    assert bus.run_until_told(CabinetSeen).slots == (
        SlotSeen(1, key_present=False, door_open=True),
        SlotSeen(2, key_present=True, door_open=False),
    )


def test_nothing_is_sent_right_after_opening_because_an_earlier_process_may_have_asked(board: KerongBoard) -> None:
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_for(199)
    assert not bus.sent


def test_first_question_after_opening_is_the_query_and_two_looks_make_the_picture(board: KerongBoard) -> None:
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_until_told(CabinetSeen)
    assert [sent for _, sent in bus.sent] == [QUERY, STATUS, STATUS]


def test_changed_contact_is_told_within_two_idle_scans(bus: VirtualBus, board: KerongBoard) -> None:
    bus.run_for(1_000)
    board.set_infrared(0, True)
    since_us = bus.now_us
    bus.run_until_told(CabinetSeen)
    assert bus.now_us - since_us < 330 * MS
    assert bus.slots[0].key_present


def test_key_gone_behind_a_closed_hook_is_told_as_that(bus: VirtualBus, board: KerongBoard) -> None:
    board.set_infrared(0, True)
    assert bus.run_until_told(CabinetSeen).slots[0] == SlotSeen(1, key_present=True, door_open=False)
    board.set_infrared(0, False)
    assert bus.run_until_told(CabinetSeen).slots[0] == SlotSeen(1, key_present=False, door_open=False)


def test_contacts_that_spell_the_end_mark_are_seen(bus: VirtualBus, board: KerongBoard) -> None:
    for lock in range(2, 16):
        board.set_hook(lock, False)
    for lock in (0, 1, 8, 9):
        board.set_infrared(lock, True)
    bus.run_until_told(CabinetSeen)
    assert [slot.door_open for slot in bus.slots] == [False, False, True, True]
    assert [slot.key_present for slot in bus.slots] == [True, True, False, False]


def test_idle_bus_is_read_every_200_ms_with_one_request(bus: VirtualBus) -> None:
    bus.run_for(1_000)
    bus.sent.clear()
    bus.run_for(10_000)
    assert {sent for _, sent in bus.sent} == {STATUS}
    assert set(intervals_ms(bus, STATUS)) == {200}


@pytest.mark.parametrize("names_lock", [False, True])
def test_release_unlocks_its_lock_once(bus: VirtualBus, board: KerongBoard, locks: Locks, names_lock: bool) -> None:
    board.names_lock = names_lock
    bus.release(3)
    assert bus.run_until_told(LockPulsed) == LockPulsed(3, PulseResult.CONFIRMED)
    bus.run_for(10_000)
    assert locks.numbers == [2]
    assert len(bus.events(LockPulsed)) == 1


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 250))
def test_release_at_any_moment_is_sent_once_and_before_the_next_look(after_ms: float) -> None:
    bus = VirtualBus(wired(), [KerongBoard(0)])
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.run_for(1_000 + after_ms)
    bus.sent.clear()
    given_us = bus.now_us
    bus.release(2)
    bus.run_for(60_000)
    order = unlock(0, 1).frame
    assert bus.sent[0][1] == order
    assert bus.sent[0][0] - given_us <= 35 * MS  # at most one look is under way
    assert [sent for _, sent in bus.sent].count(order) == 1
    assert bus.events(LockPulsed) == [LockPulsed(2, PulseResult.CONFIRMED)]


def test_after_an_unlock_the_query_comes_before_the_next_look(bus: VirtualBus) -> None:
    bus.run_for(1_000)
    bus.sent.clear()
    bus.release(1)
    bus.run_for(200)
    assert [sent for _, sent in bus.sent[:4]] == [unlock(0, 0).frame, QUERY, STATUS, STATUS]


def test_after_a_release_the_contacts_are_looked_at_every_50_ms_for_a_while(bus: VirtualBus) -> None:
    bus.run_for(1_000)
    bus.release(1)
    bus.run_until_told(LockPulsed)
    bus.run_for(100)
    bus.sent.clear()
    bus.run_for(FAST_FOR_US / MS - 200)
    assert set(intervals_ms(bus, STATUS)) == {50}
    bus.run_for(1_000)
    bus.sent.clear()
    bus.run_for(2_000)
    assert set(intervals_ms(bus, STATUS)) == {200}


def test_member_taking_a_key_is_told_step_by_step(bus: VirtualBus, board: KerongBoard) -> None:
    board.set_infrared(0, True)
    bus.run_until_told(CabinetSeen)
    known = len(bus.told)
    bus.release(1)
    bus.at(600, lambda: board.set_hook(0, False))
    bus.at(2_000, lambda: board.set_infrared(0, False))
    bus.at(4_000, lambda: board.set_hook(0, True))
    bus.run_for(6_000)
    steps = [event for _, event in bus.told[known:]]
    assert steps[0] == LockPulsed(1, PulseResult.CONFIRMED)
    assert [event.slots[0] for event in steps[1:] if isinstance(event, CabinetSeen)] == [
        SlotSeen(1, key_present=True, door_open=True),
        SlotSeen(1, key_present=False, door_open=True),
        SlotSeen(1, key_present=False, door_open=False),
    ]


def test_silence_is_kept_after_every_answer(bus: VirtualBus) -> None:
    for slot in (1, 2, 3, 4):
        bus.release(slot)
        bus.run_for(60)
    bus.run_for(1_000)
    edges = sorted([(at_us, "heard") for at_us, _ in bus.heard] + [(at_us, "sent") for at_us, _ in bus.sent])
    gaps = [
        after - before
        for (before, first), (after, second) in pairwise(edges)
        if (first, second) == ("heard", "sent")
    ]
    assert min(gaps) >= LISTEN_US > wired().gap_us
    assert bus.wire.collision_count == 0


@pytest.mark.parametrize("byte_by_byte", [False, True])
def test_several_boards_are_read_in_turn_and_one_picture_is_told(byte_by_byte: bool) -> None:
    opened = [Locks(), Locks(), Locks()]
    boards = [KerongBoard(n, on_unlock=opened[n]) for n in range(3)]
    boards[0].set_infrared(0, True)
    boards[2].set_hook(1, False)
    bus = VirtualBus(wired(2, boards=3), boards, byte_by_byte=byte_by_byte)
    bus.open()
    seen = bus.run_until_told(CabinetSeen)
    assert [slot.slot for slot in seen.slots if slot.key_present] == [1]
    assert [slot.slot for slot in seen.slots if slot.door_open] == [6]
    bus.release(4)
    assert bus.run_until_told(LockPulsed) == LockPulsed(4, PulseResult.CONFIRMED)
    assert [locks.numbers for locks in opened] == [[], [1], []]
    bus.run_for(10_000)
    assert len(bus.events(CabinetSeen)) == 1
    assert bus.wire.collision_count == 0


def test_boards_without_a_slot_are_not_asked() -> None:
    slots = (SlotWiring(slot=1, board=9, lock=4), SlotWiring(slot=2, board=15, lock=15))
    bus = VirtualBus(CabinetWiring(slots=slots), [KerongBoard(9), KerongBoard(15), KerongBoard(3)])
    bus.open()
    bus.run_until_told(CabinetSeen)
    assert {sent[1] for _, sent in bus.sent} == {0x90, 0xF0}


def test_one_silent_board_of_two_loses_the_cabinet_and_says_which() -> None:
    boards = [KerongBoard(0), KerongBoard(1)]
    bus = VirtualBus(wired(boards=2), boards)
    bus.open()
    bus.run_until_told(CabinetSeen)
    boards[1].mute = True
    assert bus.run_until_told(CabinetLost, within_ms=10_000).why == "board 1: no answer"


def test_orders_given_together_are_sent_one_after_the_other(bus: VirtualBus, locks: Locks) -> None:
    for slot in (4, 1, 3):
        bus.cabinet.release(slot)
    bus.release(2)
    bus.run_for(500)
    assert locks.numbers == [3, 0, 2, 1]
    assert [event.result for event in bus.events(LockPulsed)] == [PulseResult.CONFIRMED] * 4


def test_second_order_for_a_slot_that_still_waits_is_the_same_order(bus: VirtualBus, locks: Locks) -> None:
    for _ in range(1_000):
        bus.cabinet.release(1)
    bus.release(1)
    bus.run_for(300)
    assert len(locks.pulses) == len(bus.events(LockPulsed)) == 1


def test_slot_that_is_not_on_this_bus_is_our_own_mistake(bus: VirtualBus) -> None:
    with pytest.raises(AssertionError, match="slot 9"):
        bus.cabinet.release(9)


def test_order_on_a_closed_line_is_not_kept_for_later(board: KerongBoard, locks: Locks) -> None:
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


def test_order_that_cannot_go_out_in_time_never_does(board: KerongBoard, locks: Locks) -> None:
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


def test_second_order_looks_first_and_lets_nothing_out_that_was_hung_up_meanwhile(
    bus: VirtualBus, board: KerongBoard, locks: Locks
) -> None:
    bus.release(3, again=True)
    bus.run_until_told(LockPulsed)
    assert locks.numbers == [2], "nothing had moved"
    sent_before = len(bus.sent)
    bus.release(3, again=True)
    board.set_infrared(2, True)
    bus.run_until_told(LockPulsed)
    assert bus.events(LockPulsed)[-1].result is PulseResult.UNANSWERED
    assert locks.numbers == [2]
    assert {sent for _, sent in bus.sent[sent_before:]} <= {STATUS, QUERY}


def test_second_order_goes_out_within_a_tenth_of_a_second_where_nothing_moved(
    bus: VirtualBus, locks: Locks
) -> None:
    bus.run_for(1_000)
    given_us = bus.now_us
    bus.release(2, again=True)
    bus.run_until_told(LockPulsed)
    ((lock, at_us),) = locks.pulses
    assert lock == 1
    assert at_us - given_us < 100 * MS


def test_counters_tell_what_happened(bus: VirtualBus, board: KerongBoard) -> None:
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
            st.tuples(st.just("again"), st.integers(1, 4)),
            st.tuples(st.just("closed"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_codec_neither_raises_nor_grows_nor_forgets_an_order(
    script: list[tuple[str, bytes | int]],
) -> None:
    cabinet = KerongCabinet(replace(wired(), scan_ms=50))
    board = KerongBoard(0)
    now_us, orders, answers, sent, is_open = 0, 0, 0, b"", False
    for step, value in script:
        if not is_open:
            cabinet.opened(now_us)
            is_open = True
        if isinstance(value, bytes):
            data = value if step == "received" else board.receive(now_us, sent)
            output = cabinet.received(now_us, data)
        elif step in {"release", "again"}:
            orders += value not in cabinet._orders
            cabinet.release(value, again=step == "again")
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
        assert cabinet._replies.byte_count <= INPUT_MAX + 1
