"""A line in memory: what it leaves out nobody misses, and what is wrong with it is felt."""

from collections.abc import Callable
from random import Random

import pytest

from simulator.devices.wire import Wire
from simulator.virtual.line import RETRY_MAX_US, Cable, VirtualLine
from simulator.virtual.steps import Life
from simulator.virtual.switch import Killed, KillSwitch
from simulator.virtual.timers import Heap
from station_agent.core.device_events import CabinetLost, CardRead, DeviceEvent
from station_agent.drivers.base import FOREVER_US, LineStatistics, Output

BAUD_RATE = 9600
CHARACTER_US = 1_042
TURNAROUND_US = 4_000
POLL_US = 50_000
SILENCE_US = 20_000
RESTFUL_POLLS = 2
SECOND_US = 1_000_000
QUIET, ORDER = b"?", b"!"


class Bell:
    """Answers each poll with its news, once, or with a dot. Notes when orders reached it."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.news = b""
        self.orders_us: list[int] = []
        self.is_dead = False
        self._now_us = now_us

    def receive(self, now_us: int, data: bytes) -> bytes:
        assert now_us <= self._now_us()
        if self.is_dead:
            return b""
        if data == ORDER:
            self.orders_us.append(now_us)
            return b"+"
        answer, self.news = self.news or b".", b""
        return answer


class BellCodec:
    """Polls a bell every 50 ms, and rests after two polls without news until it is given an order."""

    def __init__(self) -> None:
        self.statistics = LineStatistics()
        self.rests_until_us = FOREVER_US
        self.opened_us: list[int] = []
        self.closed_us: list[int] = []
        self.orders = 0
        self._is_open = False
        self._due_us = 0
        self._waits_until_us: int | None = None
        self._boring = 0

    @property
    def wake_at_us(self) -> int | None:
        if not self._is_open:
            return None
        if self._waits_until_us is not None:
            return self._waits_until_us
        return 0 if self.orders else self._due_us

    def order(self) -> None:
        self.orders += 1

    def opened(self, now_us: int) -> Output:
        self._is_open, self._waits_until_us, self._boring, self._due_us = True, None, 0, now_us
        self.opened_us.append(now_us)
        return self._next(now_us)

    def received(self, now_us: int, data: bytes) -> Output:
        self._waits_until_us = None
        self.statistics.frames_received += 1
        self._boring = self._boring + 1 if data == b"." else 0
        news = () if data in {b".", b"+"} else (CardRead("bell", 8, data),)
        return Output(self._next(now_us).send, news)

    def elapsed(self, now_us: int) -> Output:
        if self._waits_until_us is not None and now_us >= self._waits_until_us:
            self._waits_until_us = None
            self.statistics.timeouts += 1
            self._boring = 0
        return self._next(now_us)

    def closed(self, now_us: int) -> Output:
        self._is_open = False
        self.closed_us.append(now_us)
        return Output(events=(CabinetLost("gone"),))

    def rest(self, now_us: int) -> int | None:
        busy = self._waits_until_us is not None or self.orders or self._boring < RESTFUL_POLLS
        return None if busy or self.rests_until_us <= now_us else self.rests_until_us

    def expect_news(self) -> None:
        self._boring = 0

    def resume(self, now_us: int) -> None:
        self._boring = 0
        self._due_us += max((now_us - self._due_us) // POLL_US, 0) * POLL_US

    def _next(self, now_us: int) -> Output:
        if self._waits_until_us is not None:
            return Output()
        if self.orders:
            self.orders -= 1
            return self._ask(now_us, ORDER)
        if now_us >= self._due_us:
            self._due_us = now_us + POLL_US
            return self._ask(now_us, QUIET)
        return Output()

    def _ask(self, now_us: int, data: bytes) -> Output:
        self.statistics.frames_sent += 1
        self._waits_until_us = now_us + SILENCE_US
        return Output(data)


class Bench:
    """A bell, a cable, a line, and what the line told and when."""

    def __init__(self, *, polls_all: bool = False) -> None:
        self.heap = Heap()
        self.bell = Bell(self.heap.now_us)
        wire = Wire((self.bell,), baud_rate=BAUD_RATE, turnaround_us=TURNAROUND_US)
        self.cable = Cable(wire, Random("cable"))
        self.cable.polls_all = polls_all
        self.errors: list[BaseException] = []
        self.switch = KillSwitch()
        self.told: list[tuple[int, DeviceEvent]] = []
        self.plug_in()

    def plug_in(self) -> None:
        """An agent begins a life."""
        self.codec = BellCodec()
        self.life = Life(self.errors.append)
        self.line = VirtualLine(self.cable, self.codec, self._tell, self.heap, self.life, self.switch.passes)
        self.line.start()

    def _tell(self, event: DeviceEvent) -> None:
        self.told.append((self.heap.now_us(), event))

    def at(self, at_us: int, do: Callable[[], object]) -> None:
        self.heap.call_at(at_us, do)

    def run(self, until_us: int) -> None:
        self.heap.run_until(until_us)

    def ring(self, text: bytes) -> None:
        self.cable.rouse()
        self.bell.news = text
        self.cable.changed()

    def order(self) -> None:
        self.line.give(self.codec.order)

    def pull(self, *, out: bool) -> None:
        self.cable.faults.pulls = int(out)
        self.cable.changed()

    @property
    def polls(self) -> int:
        return self.codec.statistics.frames_sent


def test_a_line_without_news_falls_silent_and_its_device_is_not_asked() -> None:
    bench = Bench()
    bench.run(3600 * SECOND_US)
    assert bench.polls == RESTFUL_POLLS
    assert bench.heap.events < 20


def test_news_is_told_at_the_instant_at_which_it_would_be_with_every_poll() -> None:
    """Rung at every phase of a poll: before it, while it travels, while its answer does."""
    rings_us = [7 * SECOND_US + number * (SECOND_US + 1_777) for number in range(100)]
    told = []
    for polls_all in (False, True):
        bench = Bench(polls_all=polls_all)
        for number, at_us in enumerate(rings_us):
            bench.at(at_us, lambda bench=bench, number=number: bench.ring(bytes((128 + number,))))  # type: ignore[misc]
        bench.run(120 * SECOND_US)
        told.append(bench.told)
    sparing, polled = told
    assert sparing == polled
    assert [event for _, event in sparing] == [CardRead("bell", 8, bytes((128 + number,))) for number in range(100)]


def test_an_order_given_at_rest_is_carried_out_at_once_and_not_before() -> None:
    arrivals = []
    for polls_all in (False, True):
        bench = Bench(polls_all=polls_all)
        bench.at(10_040_000, bench.order)
        bench.run(20 * SECOND_US)
        arrivals.append(bench.bell.orders_us)
    assert arrivals == [[10_040_000 + CHARACTER_US]] * 2


def test_an_order_given_while_an_event_is_told_comes_after_that_event() -> None:
    bench = Bench()
    bench.at(5 * SECOND_US, lambda: bench.ring(b"1"))
    ordered: list[int] = []

    def tell(event: DeviceEvent) -> None:
        bench.told.append((bench.heap.now_us(), event))
        bench.order()
        ordered.append(bench.polls)

    bench.line._on_event = tell
    bench.run(6 * SECOND_US)
    assert len(ordered) == 1
    (order_us,) = bench.bell.orders_us
    assert order_us == bench.told[0][0] + CHARACTER_US


def test_a_rest_that_the_codec_limits_ends_by_itself() -> None:
    bench = Bench()
    bench.codec.rests_until_us = 30 * SECOND_US
    bench.run(29 * SECOND_US)
    assert bench.polls == RESTFUL_POLLS
    bench.run(31 * SECOND_US)
    assert bench.polls > RESTFUL_POLLS + 10


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cable: setattr(cable.faults, "noisy", 0.01),
        lambda cable: setattr(cable.faults, "cut", 0.01),
        lambda cable: setattr(cable, "devices_ill", 1),
        lambda cable: setattr(cable, "tap", lambda *_heard: None),
        lambda cable: setattr(cable, "polls_all", True),
    ],
)
def test_a_line_that_is_not_well_is_polled_all_the_time_also_from_its_rest(
    spoil: Callable[[Cable], None],
) -> None:
    bench = Bench()
    bench.run(10 * SECOND_US)
    spoil(bench.cable)
    bench.cable.changed()
    bench.run(20 * SECOND_US)
    assert bench.polls == pytest.approx(200, abs=10)


def test_a_dead_device_is_asked_in_vain_all_the_time() -> None:
    bench = Bench()
    bench.bell.is_dead = True
    bench.run(10 * SECOND_US)
    assert bench.codec.statistics.timeouts == pytest.approx(200, abs=5)


def test_a_tap_hears_everything_in_both_directions() -> None:
    bench = Bench()
    heard: list[tuple[int, bytes, bool]] = []
    bench.cable.tap = lambda at_us, data, towards_agent: heard.append((at_us, data, towards_agent))
    bench.run(POLL_US * 2 + 1)
    polls_us = [at_us for at_us, data, towards_agent in heard if not towards_agent]
    answers = [(at_us, data) for at_us, data, towards_agent in heard if towards_agent]
    assert polls_us == [POLL_US, 2 * POLL_US]  # the first went out before the tap was there
    assert answers[0] == (2 * CHARACTER_US + TURNAROUND_US, b".")


def test_noise_turns_one_bit_and_a_cut_takes_the_end() -> None:
    cable = Bench().cable
    cable.faults.noisy = 1.0
    for _ in range(100):
        spoilt = int.from_bytes(cable.spoil(bytes(8)), "big")
        assert spoilt.bit_count() == 1
    cable.faults.noisy, cable.faults.cut = 0.0, 1.0
    lengths = {len(cable.spoil(b"12345678")) for _ in range(100)}
    assert lengths == set(range(8))


@pytest.mark.parametrize("polls_all", [False, True])
def test_a_pulled_cable_is_lost_at_once_and_tried_ever_later_until_it_is_back(polls_all: bool) -> None:
    bench = Bench(polls_all=polls_all)
    bench.at(10 * SECOND_US, lambda: bench.pull(out=True))
    bench.at(40 * SECOND_US, lambda: bench.pull(out=False))
    bench.run(9 * SECOND_US)
    bench.run(39 * SECOND_US)
    assert bench.codec.closed_us == [10 * SECOND_US]
    assert bench.told == [(10 * SECOND_US, CabinetLost("gone"))]
    assert not bench.line.is_open
    bench.run(100 * SECOND_US)
    # tried again after 0.1, 0.2, 0.4 ... 6.4, 10, 10 ... seconds
    assert bench.codec.opened_us == [0, 10 * SECOND_US + 12_700_000 + 2 * RETRY_MAX_US]
    bench.ring(b"1")
    bench.run(101 * SECOND_US)
    assert bench.told[-1][1] == CardRead("bell", 8, b"1")


def test_a_line_that_is_not_there_at_the_start_comes_when_it_is() -> None:
    bench = Bench()
    bench.pull(out=True)
    bench.line.stop()
    bench.plug_in()
    bench.run(SECOND_US)
    assert not bench.line.is_open
    bench.pull(out=False)
    bench.run(3 * SECOND_US)
    assert bench.line.is_open


def test_a_dead_agent_is_told_nothing_and_opens_nothing() -> None:
    bench = Bench()
    bench.run(SECOND_US)
    bench.ring(b"1")
    bench.life.end()
    bench.line.stop()
    bench.pull(out=True)
    bench.run(2 * SECOND_US)
    bench.pull(out=False)
    bench.run(100 * SECOND_US)
    assert bench.told == []
    assert bench.codec.opened_us == [0]


def test_what_was_sent_reaches_the_device_though_its_sender_is_gone() -> None:
    bench = Bench()
    bench.at(10 * SECOND_US, bench.order)

    def die() -> None:
        bench.life.end()
        bench.line.stop()

    bench.at(10 * SECOND_US + CHARACTER_US // 2, die)
    bench.run(11 * SECOND_US)
    assert bench.bell.orders_us == [10 * SECOND_US + CHARACTER_US]
    bench.plug_in()
    bench.run(12 * SECOND_US)
    assert bench.polls >= RESTFUL_POLLS


def test_an_agent_can_be_killed_right_before_an_order_goes_out() -> None:
    bench = Bench()
    bench.run(SECOND_US)
    bench.switch.arm(0)
    with pytest.raises(Killed):
        bench.order()
    bench.life.end()
    bench.line.stop()
    bench.run(2 * SECOND_US)
    assert bench.bell.orders_us == []


def test_who_has_cut_into_the_line_is_heard() -> None:
    bench = Bench()
    bench.run(SECOND_US)
    bench.line.inject(b"forged")
    assert bench.told == [(SECOND_US, CardRead("bell", 8, b"forged"))]
    bench.pull(out=True)
    bench.line.inject(b"into a line that is closed")
    assert len(bench.told) == 2  # the other one is the loss
