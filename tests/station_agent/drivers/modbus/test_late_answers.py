"""The stale-answer trap: a board later than the timeout makes a naive master believe the previous answer."""

from functools import partial
from itertools import accumulate

from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.devices.modbus_board import ModbusBoard
from station_agent.core.device_events import CabinetSeen, LockPulsed, PulseResult
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.frames import AnswerParser, BitsRead, read_inputs
from tests.station_agent.drivers.modbus.virtual_bus import VirtualBus, wired
from tests.station_agent.drivers.virtual_lock_bus import MS

TIMEOUT_MS = 200
# An answer within the timeout shows contacts as they were when the request arrived, and is believed with the
# read before it: on the wire 15 ms, to the second read at most 50 ms and another exchange.
BELIEF_AGE_MS = 2 * (TIMEOUT_MS + 15) + 50


class NaiveMaster:
    """Asks, waits for the timeout, asks again: what general Modbus clients do."""

    def __init__(self) -> None:
        self.request = read_inputs(1, 0, 8)
        self.parser = AnswerParser(local_echo=False)
        self.believed: list[int] = []

    def poll(self, board: ModbusBoard, now_us: int, arrived: bytes) -> bytes:
        """One period: what arrived within the timeout, then the next request."""
        self.parser.expect(self.request)
        answer = board.receive(now_us, self.request.frame)
        found = self.parser.feed(arrived)
        if isinstance(found, BitsRead):
            self.believed.append(found.bits)
        return answer


def test_naive_master_believes_the_previous_answer_for_as_long_as_the_board_is_late() -> None:
    board, master = ModbusBoard(1), NaiveMaster()
    arriving = b""
    for period in range(10):
        board.set_input(0, period >= 5)  # the key comes back in period 5
        arriving = master.poll(board, period * TIMEOUT_MS * MS, arriving)
    assert master.believed[4:] == [0, 1, 1, 1, 1]  # and is seen one answer late


def test_answer_that_waited_until_after_its_deadline_is_dropped_even_if_no_timer_fired_yet() -> None:
    cabinet, board = ModbusCabinet(wired(answer_timeout_ms=TIMEOUT_MS)), ModbusBoard(1)
    cabinet.opened(0)
    sent = cabinet.elapsed(TIMEOUT_MS * MS).send
    arrived_us = TIMEOUT_MS * MS + 500 * MS  # the process was held up
    cabinet.received(arrived_us, board.receive(arrived_us, sent))
    assert cabinet.statistics.frames_received == 0
    assert cabinet.statistics.timeouts == 1


def test_second_answer_behind_the_first_silences_the_bus_for_the_quiet_time() -> None:
    cabinet, board = ModbusCabinet(wired(answer_timeout_ms=TIMEOUT_MS)), ModbusBoard(1)
    cabinet.opened(0)
    sent = cabinet.elapsed(TIMEOUT_MS * MS).send
    now_us = TIMEOUT_MS * MS + 20 * MS
    cabinet.received(now_us, 2 * board.receive(now_us, sent))
    assert cabinet.statistics.frames_received == 1
    assert cabinet.wake_at_us == now_us + TIMEOUT_MS * MS


def test_board_later_than_the_timeout_is_lost_and_no_late_answer_is_believed() -> None:
    board = ModbusBoard(1)
    bus = VirtualBus(wired(answer_timeout_ms=TIMEOUT_MS), [board])
    bus.open()
    bus.run_until_told(CabinetSeen)
    board.late_ms = 300
    board.set_input(0, True)
    bus.run_for(20_000)
    assert len(bus.events(CabinetSeen)) == 1
    board.late_ms = 0
    assert bus.run_until_told(CabinetSeen, within_ms=15_000).slots[0].key_present


def test_late_answer_to_a_release_is_not_taken_for_the_answer_to_the_next() -> None:
    board = ModbusBoard(1)
    bus = VirtualBus(wired(answer_timeout_ms=TIMEOUT_MS), [board])
    bus.open()
    bus.run_until_told(CabinetSeen)
    bus.run_for(1_000)
    board.late_ms = 600  # later than the quiet time
    bus.release(1)
    bus.run_until_told(LockPulsed)
    board.late_ms = 0
    board.mute = True
    bus.release(1)
    bus.run_until_told(LockPulsed)
    board.mute = False
    bus.run_for(1_000)
    bus.release(1)  # meanwhile a look settled what was owed
    bus.run_for(1_000)
    results = [event.result for event in bus.events(LockPulsed)]
    assert results == [PulseResult.UNANSWERED, PulseResult.UNANSWERED, PulseResult.CONFIRMED]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2_000),
    st.lists(st.integers(1, 2_000), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 8_000), st.integers(0, 2_000)), max_size=2),
    st.lists(st.tuples(st.integers(0, 8_000), st.integers(1, 4)), max_size=3),
)
@example(1_540, [1, 197, 2_000], [], [])  # two stale answers in a row, where nothing is counted as owed
def test_however_late_a_board_is_nothing_is_believed_that_was_not_so_a_moment_ago(
    late_ms: int,
    changes_ms: list[int],
    latenesses: list[tuple[int, int]],
    releases: list[tuple[int, int]],
) -> None:
    board = ModbusBoard(1)
    bus = VirtualBus(wired(answer_timeout_ms=TIMEOUT_MS), [board])
    bus.open()
    bus.run_until_told(CabinetSeen)
    history = [(0, False)]

    def change() -> None:
        history.append((bus.now_us, not history[-1][1]))
        board.set_input(0, history[-1][1])

    def slow_down(late_ms: int) -> None:
        board.late_ms = late_ms

    slow_down(late_ms)
    for after_ms, later_ms in latenesses:
        bus.at(after_ms, partial(slow_down, later_ms))
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
