"""What every bus of lock boards has in common: one question at a time, and what the core is told of the answers.

    look at the contacts, board by board ... a release goes before the next look ... look, fast, for a while

The protocols have no transaction id: an answer that comes after its deadline looks like the answer to whatever
was asked next. Four habits keep it from being believed:
1. After an exchange without a good answer the bus is left alone for as long as an answer may take, and what
   comes is dropped (`bus_rest.py`); the same when a frame comes that nobody asked for.
2. For much longer no answer is trusted that could be the missing one: instead of a look a question is asked, once,
   whose answer cannot be mistaken for it, the fence; that answer settles what is owed (`owed.py`). When the line
   opens, everything is owed: an earlier process may have asked it.
3. A contact is believed after two good reads with no failed exchange between them (`belief.py`).
4. A release is sent once. Whether the lock opened is seen from its contacts; a second order for it goes out only
   after a look that shows the slot as it was when it was given: a key that was hung up meanwhile is not let out.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Final, Generic, Protocol, TypeVar

from station_agent.core.device_events import CabinetLost, DeviceEvent, LockPulsed, PulseResult
from station_agent.drivers.base import LineStatistics, Output
from station_agent.drivers.belief import Belief
from station_agent.drivers.bus_rest import BusRest
from station_agent.drivers.bus_timing import BusTiming
from station_agent.drivers.owed import OwedAnswers, Question
from station_agent.drivers.rounds import Rounds

SETTLED_US: Final = 50_000  # a frame stands still for three times a USB adapter's 16 ms: no more will come
OWED_FOR_US: Final = 2_000_000  # ten usual timeouts; on a `socket://` line a resent packet takes about 1 s
ORDER_VALID_US: Final = 3_000_000  # a lock must not click when the member has given up and turned away


class Request(Question, Protocol):
    """A question as it goes out, and the size in bytes of the frame that grants it."""

    @property
    def frame(self) -> bytes: ...

    @property
    def answer_size(self) -> int: ...


RequestT = TypeVar("RequestT", bound=Request)
RequestT_contra = TypeVar("RequestT_contra", bound=Request, contravariant=True)


class Parser(Protocol[RequestT_contra]):
    """Finds the answer to one request at a time in what comes back."""

    def expect(self, request: RequestT_contra) -> None:
        """From here on input can only be the answer to this request."""

    @property
    def trouble(self) -> str:
        """Why there is no answer, for the operator."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing came at all."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a good answer says."""

    bits: int | None = None
    """Of a look: the contacts of the board, as `Belief` reads them."""
    refusal: str = ""
    """Of a look: why the board does not show them."""
    result: PulseResult = PulseResult.UNANSWERED
    """Of a release."""
    is_proof: bool = True
    """Whether the board itself said so, and not the line."""


@dataclass(frozen=True, slots=True)
class Questions(Generic[RequestT]):
    """All that is ever asked on one bus."""

    looks: Sequence[RequestT]
    """One per board, in the order of a scan."""
    fences: Sequence[RequestT]
    """One per board: harmless, and with an answer that no look and no release has."""
    releases: Mapping[int, RequestT]
    """By slot."""


class _Told(Enum):
    """What the core heard last of this cabinet."""

    NOTHING = auto()
    SEEN = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True)
class _Exchange(Generic[RequestT]):
    request: RequestT
    slot: int | None = None
    """Of a release."""
    is_look: bool = False


class LockBus(ABC, Generic[RequestT]):
    """Looks at the contacts of one cabinet and pulses its locks on order."""

    BOARD: ClassVar[str] = "board"
    """What an operator calls one of the devices."""

    def __init__(
        self,
        timing: BusTiming,
        belief: Belief,
        questions: Questions[RequestT],
        parser: Parser[RequestT],
        frame_min: int,
    ) -> None:
        """`frame_min`: bytes of the smallest frame that answers anything."""
        self.statistics = LineStatistics()
        self._timing = timing
        self._belief = belief
        self._questions = questions
        self._parser: Parser[RequestT] = parser
        self._timeout_us = timing.answer_timeout_ms * 1000
        self._rest = BusRest(gap_us=timing.gap_us, quiet_us=self._timeout_us, frame_min=frame_min)
        self._rounds = Rounds(board_count=len(questions.looks), idle_us=timing.scan_ms * 1000)
        self._owed = OwedAnswers(owed_for_us=max(OWED_FOR_US, 2 * self._timeout_us))

        self._is_open = False
        self._told = _Told.NOTHING
        self._orders: dict[int, int | None] = {}  # by slot: since when it waits; None: just given
        self._looks_first: dict[int, tuple[bool, bool]] = {}  # orders that wait for a look: key and door before
        self._exchange: _Exchange[RequestT] | None = None
        self._deadline_us = 0  # of the exchange
        self._has_news = False  # something believed changed and was not told yet

    @property
    def wake_at_us(self) -> int | None:
        if not self._is_open:
            return None
        if self._exchange is not None:
            return self._deadline_us
        can_go = self._orders.keys() - self._looks_first.keys()
        return self._rest.free_at_us if can_go else max(self._rest.free_at_us, self._rounds.due_us)

    def release(self, slot: int, *, again: bool = False) -> None:
        """Orders one pulse for the lock of this slot; call `elapsed` right after.

        `again`: an order before it may have opened the slot. This one goes out after the next look at all contacts,
        and not at all where the slot is seen to have changed.
        It is sent once, or not at all: on a closed line, and when the bus stays busy for 3 s. Either way one
        `LockPulsed` follows. A second order for a slot whose first has not gone out yet is the same order.
        """
        assert slot in self._questions.releases, f"slot {slot} has no lock on this bus"
        if again and slot not in self._orders:
            self._looks_first[slot] = self._belief.of(slot)
        self._orders.setdefault(slot)

    def opened(self, now_us: int) -> Output:
        events: list[DeviceEvent] = []
        self._abandon(events)
        self._is_open = True
        self._rounds.restart(now_us)
        self._belief.forget()
        self._rest.keep_quiet(now_us)
        for request in (*self._questions.looks, *self._questions.releases.values()):
            self._owed.add(now_us, request)
        return Output(events=tuple(events))

    def received(self, now_us: int, data: bytes) -> Output:
        events: list[DeviceEvent] = []
        if self._exchange is not None and now_us >= self._deadline_us:
            self._failed(now_us, events)
        if self._exchange is None:
            self._take_unasked(now_us, len(data))
        else:
            self._rest.heard(now_us)
            self._hear(now_us, data, events)
        return self._output(now_us, events)

    def elapsed(self, now_us: int) -> Output:
        events: list[DeviceEvent] = []
        if not self._is_open:
            self._abandon(events)
            return Output(events=tuple(events))
        if self._exchange is not None and now_us >= self._deadline_us:
            self._conclude(now_us, events)
        return self._output(now_us, events)

    def closed(self, now_us: int) -> Output:
        events: list[DeviceEvent] = []
        self._abandon(events)
        self._is_open = False
        self._lose("the line is gone", events)
        return Output(events=tuple(events))

    # what a protocol brings

    @abstractmethod
    def _hear(self, now_us: int, data: bytes, events: list[DeviceEvent]) -> None:
        """Something came in time: `_answered` if it is the answer; `_deadline_us` may be moved."""

    def _conclude(self, now_us: int, events: list[DeviceEvent]) -> None:
        """The deadline passed: without an answer, where answers are taken as they come."""
        self._failed(now_us, events)

    def _owe(self, now_us: int, request: RequestT) -> None:
        """The answer to this may still come."""
        self._owed.add(now_us, request)

    def _wants_fence(self, look: RequestT) -> bool:
        """Whether this look's board has to be asked its fence before, though nothing is owed."""
        return False

    # what a simulator leaves out

    def rest(self, now_us: int) -> int | None:
        busy = not self._is_open or self._exchange is not None or self._orders or self._has_news
        if busy or self._told is not _Told.SEEN or not self._owed.is_settled(now_us):
            return None
        return self._rounds.rest_until_us()

    def expect_news(self) -> None:
        self._rounds.expect_news()

    def resume(self, now_us: int) -> None:
        self._rest.skip(self._rounds.skip(now_us, self._rest.free_at_us))

    # what goes out

    def _output(self, now_us: int, events: list[DeviceEvent]) -> Output:
        for slot, seen_us in self._orders.items():
            if seen_us is None:
                self._orders[slot] = now_us
                if slot in self._looks_first:
                    self._rounds.hurry(now_us)
        if self._exchange is None and now_us >= self._rest.free_at_us:
            self._exchange = self._next_exchange(now_us, events)
            if self._exchange is not None:
                return Output(self._begin(now_us, self._exchange.request), tuple(events))
        return Output(events=tuple(events)) if events else _NOTHING

    def _next_exchange(self, now_us: int, events: list[DeviceEvent]) -> _Exchange[RequestT] | None:
        for slot, seen_us in tuple(self._orders.items()):
            is_valid = seen_us is not None and now_us - seen_us <= ORDER_VALID_US
            if is_valid and slot in self._looks_first:
                continue
            self._drop(slot)
            if is_valid:
                return _Exchange(self._questions.releases[slot], slot)
            events.append(LockPulsed(slot, PulseResult.UNANSWERED))
        return self._next_look(now_us) if now_us >= self._rounds.due_us else None

    def _next_look(self, now_us: int) -> _Exchange[RequestT] | None:
        """The next board's contacts; its fence while their answer is owed; nothing while both are."""
        self._rounds.look(now_us)
        position = self._rounds.position
        look, fence = self._questions.looks[position], self._questions.fences[position]
        look_at_us, fence_at_us = self._owed.until_us(look), self._owed.until_us(fence)
        may_fence = now_us >= fence_at_us
        if now_us >= look_at_us and not (may_fence and self._wants_fence(look)):
            return _Exchange(look, is_look=True)
        if may_fence:
            self._rounds.expect_news()  # a round with a fence is longer than the next ones
            return _Exchange(fence)
        self._rounds.wait_until(min(look_at_us, fence_at_us))
        return None

    def _begin(self, now_us: int, request: RequestT) -> bytes:
        self._parser.expect(request)
        self._rest.asked()
        on_wire_us = self._timing.wire_us(len(request.frame) + request.answer_size)
        self._deadline_us = now_us + on_wire_us + self._timeout_us
        self.statistics.frames_sent += 1
        return request.frame

    # what comes in

    def _answered(self, now_us: int, meaning: Meaning, events: list[DeviceEvent]) -> None:
        exchange = self._exchange
        assert exchange is not None, "an answer without an exchange"
        self._exchange = None
        self.statistics.frames_received += 1
        proves = now_us >= self._owed.until_us(exchange.request) and meaning.is_proof
        if proves:
            self._owed.settle(exchange.request.unit)
        if exchange.slot is not None:
            self._pulsed(now_us, exchange.slot, meaning.result if proves else PulseResult.UNANSWERED, events)
        elif exchange.is_look and meaning.bits is not None:
            self._board_read(now_us, meaning.bits, events)
        elif exchange.is_look:
            self._round_failed(now_us, f"{self.BOARD} {exchange.request.unit}: {meaning.refusal}", events)

    def _pulsed(self, now_us: int, slot: int, result: PulseResult, events: list[DeviceEvent]) -> None:
        events.append(LockPulsed(slot, result))
        self._rounds.hurry(now_us)

    def _board_read(self, now_us: int, bits: int, events: list[DeviceEvent]) -> None:
        self._has_news |= self._belief.read(self._rounds.position, bits)
        round_over = self._rounds.seen(now_us, is_settled=self._belief.are_settled)
        # told by the round: a door and a key that moved in one moment are two boards' news, and belong together
        if round_over and (self._has_news or self._told is not _Told.SEEN) and self._belief.are_known:
            self._told = _Told.SEEN
            self._has_news = False
            events.append(self._belief.seen())
        if round_over and self._belief.are_settled:
            self._looked_again(events)

    def _looked_again(self, events: list[DeviceEvent]) -> None:
        """Orders that waited for this look go out now, or never."""
        for slot, before in tuple(self._looks_first.items()):
            del self._looks_first[slot]
            if self._belief.of(slot) != before:
                del self._orders[slot]
                events.append(LockPulsed(slot, PulseResult.UNANSWERED))

    def _drop(self, slot: int) -> None:
        del self._orders[slot]
        self._looks_first.pop(slot, None)

    def _take_unasked(self, now_us: int, byte_count: int) -> None:
        if self._rest.heard_unasked(now_us, byte_count):
            self.statistics.garbled += 1

    # what goes wrong

    def _failed(self, now_us: int, events: list[DeviceEvent]) -> None:
        exchange = self._exchange
        assert exchange is not None, "a failure without an exchange"
        self._exchange = None
        if self._parser.is_silent:
            self.statistics.timeouts += 1
        else:
            self.statistics.garbled += 1
        self._rest.keep_quiet(now_us)
        self._owe(now_us, exchange.request)
        if exchange.slot is None:
            self._round_failed(now_us, f"{self.BOARD} {exchange.request.unit}: {self._parser.trouble}", events)
        else:
            self._belief.interrupted()
            self._pulsed(now_us, exchange.slot, PulseResult.UNANSWERED, events)

    def _round_failed(self, now_us: int, why: str, events: list[DeviceEvent]) -> None:
        self._belief.interrupted()
        if self._rounds.failed(now_us):
            self._lose(why, events)

    def _lose(self, why: str, events: list[DeviceEvent]) -> None:
        self._belief.forget()
        if self._told is not _Told.LOST:
            self._told = _Told.LOST
            events.append(CabinetLost(why))

    def _abandon(self, events: list[DeviceEvent]) -> None:
        """Orders under way and orders waiting: nothing will come of them any more."""
        if self._exchange is not None and self._exchange.slot is not None:
            events.append(LockPulsed(self._exchange.slot, PulseResult.UNANSWERED))
        events.extend(LockPulsed(slot, PulseResult.UNANSWERED) for slot in self._orders)
        self._exchange = None
        self._orders.clear()
        self._looks_first.clear()


_NOTHING: Final = Output()
