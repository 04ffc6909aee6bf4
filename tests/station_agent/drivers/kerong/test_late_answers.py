"""The stale-answer trap, where all status replies of a board look alike and so does the reply to an unlock."""

from functools import partial
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.kerong_board import KerongBoard
from station_agent.core.device_events import CabinetLost, CabinetSeen, LockPulsed, PulseResult
from station_agent.drivers.kerong.cabinet import LISTEN_US, KerongCabinet
from station_agent.drivers.kerong.frames import framed, query, read_status
from tests.station_agent.drivers.kerong.virtual_bus import Locks, VirtualBus, wired
from tests.station_agent.drivers.virtual_lock_bus import MS

TIMEOUT_MS = 200
# A reply within the timeout shows contacts as they were when the request arrived, and is believed with the read
# before it: on the wire 7 ms, 20 ms of silence, to the second read at most 50 ms, a query and another exchange.
BELIEF_AGE_MS = 3 * (TIMEOUT_MS + 30) + 50


def opened(board: KerongBoard, *, byte_by_byte: bool = False) -> VirtualBus:
    bus = VirtualBus(wired(answer_timeout_ms=TIMEOUT_MS), [board], byte_by_byte=byte_by_byte)
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.run_for(1_000)
    return bus


def asking(board: KerongBoard) -> tuple[KerongCabinet, int]:
    """A codec that has just asked for a status, and when; a query was answered before."""
    cabinet = KerongCabinet(wired(answer_timeout_ms=TIMEOUT_MS))
    now_us = 0
    sent = cabinet.opened(now_us).send
    while sent != read_status(0).frame:
        if sent:
            cabinet.received(now_us, board.receive(now_us, sent))
        assert cabinet.wake_at_us is not None
        now_us = cabinet.wake_at_us
        sent = cabinet.elapsed(now_us).send
    return cabinet, now_us


def test_reply_that_waited_until_after_its_deadline_is_dropped_even_if_no_timer_fired_yet() -> None:
    board = KerongBoard(0)
    cabinet, asked_us = asking(board)
    received = cabinet.statistics.frames_received
    arrived_us = asked_us + 500 * MS  # the process was held up
    cabinet.received(arrived_us, board.receive(arrived_us, read_status(0).frame))
    assert cabinet.statistics.frames_received == received
    assert cabinet.statistics.timeouts == 1


def test_reply_is_taken_after_a_silence_and_not_before() -> None:
    board = KerongBoard(0)
    cabinet, asked_us = asking(board)
    received = cabinet.statistics.frames_received
    at_us = asked_us + 20 * MS
    cabinet.received(at_us, board.receive(at_us, read_status(0).frame))
    assert cabinet.wake_at_us == at_us + LISTEN_US
    cabinet.elapsed(at_us + LISTEN_US - 1)
    assert cabinet.statistics.frames_received == received
    cabinet.elapsed(at_us + LISTEN_US)
    assert cabinet.statistics.frames_received == received + 1


@pytest.mark.parametrize("apart_us", [0, LISTEN_US - 1, LISTEN_US])
def test_second_reply_behind_the_first_leaves_none_and_silences_the_bus(apart_us: int) -> None:
    board = KerongBoard(0)
    cabinet, asked_us = asking(board)
    received = cabinet.statistics.frames_received
    now_us = asked_us + 20 * MS
    reply = board.receive(now_us, read_status(0).frame)
    cabinet.received(now_us, reply)
    now_us += apart_us
    cabinet.received(now_us, reply)
    while not (output := cabinet.elapsed(now_us)).send:
        assert cabinet.wake_at_us is not None
        now_us = cabinet.wake_at_us
    assert cabinet.statistics.frames_received == received
    assert output.send == query(0).frame
    assert now_us >= asked_us + 20 * MS + TIMEOUT_MS * MS


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize("left_over", [1, 8, 9, 18])
def test_left_overs_before_every_reply_hide_no_change_and_show_none_that_is_not_so(
    left_over: int, byte_by_byte: bool
) -> None:
    board = KerongBoard(0)
    bus = opened(board, byte_by_byte=byte_by_byte)
    board.left_over = left_over
    bus.run_for(2_000)
    for is_seen in (True, False, True):
        board.set_infrared(0, is_seen)
        if left_over <= 9:
            assert bus.run_until_told(CabinetSeen, within_ms=3_000).slots[0].key_present is is_seen
        bus.run_for(5_000)
    if left_over > 9:  # two whole replies before each: a status is always among them
        assert len(bus.events(CabinetSeen)) == 1
        assert len(bus.events(CabinetLost)) == 1
    else:
        assert len(bus.events(CabinetSeen)) == 4


def test_cabinet_is_seen_from_the_start_where_every_reply_has_a_left_over_before_it() -> None:
    board = KerongBoard(0)
    board.left_over = 9
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_until_told(CabinetSeen, within_ms=3_000)


def test_unlock_whose_reply_may_be_a_left_over_is_unanswered() -> None:
    locks = Locks()
    board = KerongBoard(0, on_unlock=locks)
    bus = opened(board)
    board.left_over = 9
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == LockPulsed(1, PulseResult.UNANSWERED)
    assert locks.numbers == [0]
    board.left_over = 0
    bus.run_for(5_000)
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == LockPulsed(1, PulseResult.CONFIRMED)
    assert len(bus.events(LockPulsed)) == 2


def test_reply_to_a_look_that_comes_late_does_not_confirm_an_unlock() -> None:
    locks = Locks()
    board = KerongBoard(0, on_unlock=locks)
    bus = opened(board)
    board.late_ms = 600  # later than timeout and quiet time
    bus.run_for(430)  # a look has failed
    board.late_ms = 0
    board.is_silent_on_unlock = True
    bus.release(1)
    assert bus.run_until_told(LockPulsed) == LockPulsed(1, PulseResult.UNANSWERED)
    assert locks.numbers == [0]


def after_one_look(bus: VirtualBus, board: KerongBoard) -> None:
    """A key came, and one look has shown it: the second is not yet due."""
    heard = len(bus.heard)
    board.set_infrared(0, True)
    while len(bus.heard) == heard:
        bus.run_for(1)
    bus.run_for(LISTEN_US / MS + 3)
    assert not bus.events(CabinetSeen)[-1].slots[0].key_present
    bus.sent.clear()


def test_second_look_makes_the_picture_where_nothing_came_between() -> None:
    board = KerongBoard(0)
    bus = opened(board)
    after_one_look(bus, board)
    assert bus.run_until_told(CabinetSeen).slots[0].key_present
    assert [sent for _, sent in bus.sent] == [read_status(0).frame]


@pytest.mark.parametrize("portions", [1, 6])
def test_looks_before_and_after_a_frame_that_nobody_asked_for_make_no_picture(portions: int) -> None:
    """The look before may have been a left-over, and this the reply that was meant."""
    board = KerongBoard(0)
    bus = opened(board)
    after_one_look(bus, board)
    frame = framed(0, 0x38, b"\x37")
    size = len(frame) // portions
    for start in range(0, len(frame), size):
        bus.inject(frame[start : start + size])
    assert bus.run_until_told(CabinetSeen).slots[0].key_present
    sent = [frame for _, frame in bus.sent]
    assert sent == [query(0).frame, read_status(0).frame] * 2


def test_noise_of_single_bytes_between_looks_costs_no_query() -> None:
    board = KerongBoard(0)
    bus = opened(board)
    since_look_ms = (bus.now_us - bus.sent[-1][0]) / MS
    bus.sent.clear()
    for after_ms in range(300 - round(since_look_ms), 4_100, 200):  # in the middle between two looks
        bus.at(after_ms, lambda: bus.inject(b"\x00"))
    bus.run_for(4_000)
    assert {frame for _, frame in bus.sent} == {read_status(0).frame}
    assert bus.cabinet.statistics.garbled == 19


def test_board_that_knows_no_query_may_take_the_place_of_one_that_does_while_the_line_is_closed() -> None:
    board = KerongBoard(0)
    bus = opened(board)
    bus.close()
    board.is_silent_on_query = True
    bus.open()
    bus.run_until_told(CabinetSeen, within_ms=5_000)
    board.mute = True
    bus.run_for(300)
    board.mute = False
    board.set_infrared(0, True)
    assert bus.run_until_told(CabinetSeen, within_ms=5_000).slots[0].key_present


def test_board_later_than_the_timeout_is_lost_and_no_late_reply_is_believed() -> None:
    board = KerongBoard(0)
    bus = opened(board)
    board.late_ms = 300
    board.set_infrared(0, True)
    bus.run_for(20_000)
    assert len(bus.events(CabinetSeen)) == 1
    assert len(bus.events(CabinetLost)) == 1
    board.late_ms = 0
    assert bus.run_until_told(CabinetSeen, within_ms=15_000).slots[0].key_present


class OneBehind(KerongBoard):
    """From some time on it answers with what it should have answered before."""

    is_behind = False
    _held = b""

    def receive(self, now_us: int, data: bytes) -> bytes:
        reply = super().receive(now_us, data)
        if not reply or not self.is_behind:
            return reply
        held, self._held = self._held, reply
        return held


def test_board_that_falls_one_reply_behind_is_lost_and_not_believed_until_it_has_caught_up() -> None:
    board = OneBehind(0)
    bus = opened(board)
    board.is_behind = True
    bus.run_for(3_000)
    board.set_infrared(0, True)
    bus.run_for(60_000)
    assert len(bus.events(CabinetSeen)) == len(bus.events(CabinetLost)) == 1
    board.is_behind = False
    assert bus.run_until_told(CabinetSeen, within_ms=25_000).slots[0].key_present


def test_board_that_was_one_reply_behind_from_the_start_is_believed_one_look_late() -> None:
    board = OneBehind(0)
    board.is_behind = True
    bus = VirtualBus(wired(), [board])
    bus.open()
    bus.run_until_told(CabinetSeen, within_ms=30_000)
    bus.run_for(15_000)
    board.set_infrared(0, True)
    since_us = bus.now_us
    assert bus.run_until_told(CabinetSeen).slots[0].key_present
    assert bus.now_us - since_us < 600 * MS


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2_000),
    st.lists(st.integers(1, 2_000), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 8_000), st.integers(0, 2_000)), max_size=2),
    st.lists(st.tuples(st.integers(0, 8_000), st.integers(1, 4)), max_size=3),
    st.lists(st.tuples(st.integers(0, 8_000), st.sampled_from([0, 4, 9])), max_size=3),
)
def test_however_late_a_board_is_nothing_is_believed_that_was_not_so_a_moment_ago(
    late_ms: int,
    changes_ms: list[int],
    latenesses: list[tuple[int, int]],
    releases: list[tuple[int, int]],
    left_overs: list[tuple[int, int]],
) -> None:
    board = KerongBoard(0)
    bus = VirtualBus(wired(answer_timeout_ms=TIMEOUT_MS), [board])
    bus.open()
    bus.run_until_told(CabinetSeen)
    history = [(0, False)]

    def change() -> None:
        history.append((bus.now_us, not history[-1][1]))
        board.set_infrared(0, history[-1][1])

    board.late_ms = late_ms
    for after_ms, later_ms in latenesses:
        bus.at(after_ms, partial(setattr, board, "late_ms", later_ms))
    for after_ms, size in left_overs:
        bus.at(after_ms, partial(setattr, board, "left_over", size))
    for after_ms in accumulate(changes_ms):
        bus.at(after_ms, change)
    for after_ms, slot in releases:
        bus.at(after_ms, partial(bus.release, slot))
    bus.run_for(sum(changes_ms) + 10_000)

    for told_us, event in bus.told[1:]:
        if isinstance(event, CabinetSeen):
            since_us = told_us - BELIEF_AGE_MS * MS
            then = [value for at_us, value in history if at_us <= since_us][-1]
            since = [value for at_us, value in history if since_us < at_us <= told_us]
            assert event.slots[0].key_present in {then, *since}
    assert len(bus.events(LockPulsed)) <= len(releases)
