"""The real codecs on a line that leaves out polls: orders and news come as they do with every poll.

On the lock bus at the same instants. Where two readers share a bus, one's status request every ten seconds can push
the other's polls back by some milliseconds for good: when status requests are left out, so are these.
"""

from collections.abc import Callable
from functools import partial
from random import Random

import pytest

from simulator.devices.kerong_board import KerongBoard
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.wire import Wire, WireDevice
from simulator.virtual.line import Cable, VirtualLine
from simulator.virtual.steps import Life
from simulator.virtual.timers import Heap
from station_agent.core.device_events import CardRead, DeviceEvent, ReaderSignal
from station_agent.drivers.base import RestfulCodec
from station_agent.drivers.kerong.cabinet import KerongCabinet
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from tests.station_agent.drivers.kerong.virtual_bus import wired as kerong_wired
from tests.station_agent.drivers.modbus.virtual_bus import wired
from tests.station_agent.drivers.osdp.virtual_bus import card, key_of, make_panel, seeded

MINUTE_US = 60_000_000
TURNAROUND_US = 4_000
PAUSES_US = (0, 30_000, 100_000, 300_000, 1_000_000, 12_000_000)  # within one poll, between fast ones, at rest
SEEDS = range(6)
seeds = pytest.mark.parametrize(
    "seed", [seed if seed < 2 else pytest.param(seed, marks=pytest.mark.long) for seed in SEEDS]
)
ONE_POLL_US = 70_000  # 50 ms, and the longest exchange
BEGUN_US = 3_000_000  # a cabinet is seen and readers are in their sessions

Log = list[tuple[int, object]]


class Bench:
    """A codec with its devices. `log` has what both ends saw and when, `looks` the readers' lights."""

    def __init__(self, codec: RestfulCodec, devices: list[WireDevice], baud_rate: int, *, polls_all: bool) -> None:
        self.heap = Heap()
        self.log: Log = []
        self.looks: Log = []
        self.codec = codec
        self.cable = Cable(Wire(devices, baud_rate=baud_rate, turnaround_us=TURNAROUND_US), Random("cable"))
        self.cable.polls_all = polls_all
        self.line = VirtualLine(self.cable, codec, self._told, self.heap, Life(_fail), lambda: None)
        self.line.start()

    def at(self, at_us: int, do: Callable[[], object]) -> None:
        self.heap.call_at(at_us, do)

    def touch(self, do: Callable[[], object]) -> None:
        """Something happens at a device."""
        self.cable.rouse()
        do()
        self.cable.changed()

    def _told(self, event: DeviceEvent) -> None:
        self.log.append((self.heap.now_us(), event))


def _fail(error: BaseException) -> None:
    raise error


def hands(bench: Bench, rng: Random, release: Callable[[int], None], move: Callable[[int, bool], None]) -> None:
    """Four locks are released and eight contacts move, at random instants, minutes apart and within a blink."""
    at_us = BEGUN_US
    while at_us < 3 * MINUTE_US:
        at_us += rng.choice(PAUSES_US) + rng.randrange(ONE_POLL_US)
        slot, channel, is_on = rng.randint(1, 4), rng.randrange(8), rng.random() < 0.5
        if rng.random() < 0.5:
            bench.at(at_us, partial(bench.line.give, partial(release, slot)))
        else:
            bench.at(at_us, partial(bench.touch, partial(move, channel, is_on)))


def doors(seed: int, *, polls_all: bool) -> Bench:
    """A cabinet behind one Modbus board."""
    board = ModbusBoard(1, on_pulse=lambda channel, *_when: bench.log.append((bench.heap.now_us(), channel)))
    codec = ModbusCabinet(wired())
    bench = Bench(codec, [board], 9600, polls_all=polls_all)
    hands(bench, Random(f"doors/{seed}"), codec.release, board.set_input)
    return bench


def hooks(seed: int, *, polls_all: bool, board_count: int = 2) -> Bench:
    """A cabinet behind KERONG boards, which stay busy after each unlock until they are asked the query."""
    slots_each = 4 // board_count

    def unlocked(board: int, lock: int, _at_us: int) -> None:
        bench.log.append((bench.heap.now_us(), (board, lock)))

    boards = [KerongBoard(n, on_unlock=partial(unlocked, n)) for n in range(board_count)]
    for board in boards:
        board.busy_after_unlock = True
    codec = KerongCabinet(kerong_wired(slots_each, boards=board_count))
    bench = Bench(codec, [*boards], 19_200, polls_all=polls_all)

    def move(channel: int, is_on: bool) -> None:
        number, lock = divmod(channel // 2, slots_each)
        board = boards[number]
        (board.set_hook if channel % 2 else board.set_infrared)(lock, is_on)

    hands(bench, Random(f"hooks/{seed}"), codec.release, move)
    return bench


class Reader(OsdpReader):
    """One that can be dead for a while."""

    is_dead = False

    def receive(self, now_us: int, data: bytes) -> bytes:
        return b"" if self.is_dead else super().receive(now_us, data)


class Readers(Bench):
    """Two readers on one bus."""

    def __init__(self, *, polls_all: bool) -> None:
        self.readers = [Reader(at, key_of(at), seeded(at), session_idle_us=None) for at in (1, 2)]
        self.panel = make_panel(1, 2)
        super().__init__(self.panel, [*self.readers], 38_400, polls_all=polls_all)

    def show(self, reader: int, number: int) -> None:
        self.touch(lambda: self.readers[reader].show_card(*card(number)))

    def signal(self, reader: int, what: ReaderSignal) -> None:
        self.line.give(lambda: self.panel.indicate(f"reader {reader + 1}", what))

    def look(self, reader: int) -> None:
        self.cable.rouse()
        light = self.readers[reader].temporary_light
        self.looks.append((reader, light is not None and light.on_colour))


def cards(seed: int, *, polls_all: bool) -> Bench:
    """Cards are shown and signals given, at random instants."""
    bench = Readers(polls_all=polls_all)
    rng = Random(f"cards/{seed}")
    at_us = BEGUN_US
    while at_us < 3 * MINUTE_US:
        at_us += rng.choice(PAUSES_US) + rng.randrange(ONE_POLL_US)
        reader, number, what = rng.randrange(2), rng.randrange(1000), rng.choice(list(ReaderSignal))
        if rng.random() < 0.5:
            bench.at(at_us, partial(bench.show, reader, number))
        else:
            bench.at(at_us, partial(bench.signal, reader, what))
        bench.at(at_us + ONE_POLL_US, partial(bench.look, reader))
    return bench


def cards_beside_a_dead_reader(seed: int, *, polls_all: bool) -> Bench:
    """The same while the other reader of the bus is dead, again and again; a line rests between attempts at it."""
    bench = Readers(polls_all=polls_all)
    rng = Random(f"dead/{seed}")

    def turn(*, is_dead: bool) -> None:
        bench.touch(lambda: setattr(bench.readers[1], "is_dead", is_dead))

    at_us = BEGUN_US
    while at_us < 3 * MINUTE_US:
        at_us += 2_000_000 + rng.randrange(3_000_000)
        bench.at(at_us, partial(turn, is_dead=True))
        until_us = at_us + 5_000_000 + rng.randrange(40_000_000)
        bench.at(until_us, partial(turn, is_dead=False))
        while at_us < until_us - 5_000_000:
            at_us += rng.randrange(4_000_000)
            bench.at(at_us, partial(bench.show, 0, rng.randrange(1000)))
        at_us = until_us
    return bench


def lived(made: Callable[..., Bench], seed: int, at_least_spared: int = 5) -> tuple[Bench, Bench]:
    """Without the polls that bring nothing, and with them."""
    sparing, polled = made(seed, polls_all=False), made(seed, polls_all=True)
    for bench in (sparing, polled):
        bench.heap.run_until(4 * MINUTE_US)
    assert sparing.heap.events * at_least_spared < polled.heap.events
    assert len(sparing.log) > 10
    return sparing, polled


@seeds
@pytest.mark.parametrize("made", [doors, hooks, partial(hooks, board_count=4)])
def test_locks_and_contacts_are_heard_at_the_same_instants(made: Callable[..., Bench], seed: int) -> None:
    sparing, polled = lived(made, seed)
    assert sparing.log == polled.log


@seeds
@pytest.mark.parametrize(("made", "at_least_spared"), [(cards, 5), (cards_beside_a_dead_reader, 3)])
def test_cards_and_lights_come_within_a_poll_of_when_they_would(
    made: Callable[..., Bench], at_least_spared: int, seed: int
) -> None:
    sparing, polled = lived(made, seed, at_least_spared)
    assert sparing.looks == polled.looks
    assert [what for _, what in sparing.log] == [what for _, what in polled.log]
    late_us = [abs(one - other) for (one, _), (other, _) in zip(sparing.log, polled.log, strict=True)]
    assert max(late_us) < ONE_POLL_US
    assert sum(late_us) / len(late_us) < ONE_POLL_US / 10


def test_a_card_that_is_shown_right_before_a_signal_is_told_within_two_polls() -> None:
    """Answers to a signal are no sign that a reader has nothing to tell."""
    for after_us in range(0, ONE_POLL_US, 1_300):
        bench = Readers(polls_all=False)
        bench.at(BEGUN_US, partial(bench.show, 0, 7))
        bench.at(BEGUN_US + after_us, partial(bench.signal, 0, ReaderSignal.TAKEN))
        bench.heap.run_until(BEGUN_US + after_us + 2 * ONE_POLL_US)
        assert [event.reader for _, event in bench.log if isinstance(event, CardRead)] == ["reader 1"], after_us


def test_a_signal_that_holds_up_the_other_readers_poll_holds_it_up_without_polls_too() -> None:
    for after_us in range(0, ONE_POLL_US, 9_100):
        told = []
        for polls_all in (False, True):
            bench = Readers(polls_all=polls_all)
            bench.at(BEGUN_US + after_us, partial(bench.signal, 0, ReaderSignal.TAKEN))
            bench.at(BEGUN_US + 3_000_000, partial(bench.show, 1, 7))
            bench.heap.run_until(BEGUN_US + 4_000_000)
            told.append(bench.log)
        assert told[0] == told[1], after_us
