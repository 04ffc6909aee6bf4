"""One Modbus bus with the locks and contacts of a cabinet, as a `Codec` (`station_agent/drivers/base.py`).

    look at the contacts, board by board ... a release goes before the next look ... look, fast, for a while

Modbus RTU has no transaction id: an answer that comes after its deadline looks like the answer to whatever
was asked next. Four habits keep it from being believed:
1. After an exchange without a good answer the bus is left alone for as long as an answer may take, and what
   comes is dropped (`rest.py`); the same when a frame comes that nobody asked for.
2. For much longer no answer is trusted that could be the missing one: instead of the inputs, the relays are
   read, once; their answer cannot be mistaken, and settles what is owed (`owed.py`). When the line opens,
   everything is owed: an earlier process may have asked it.
3. A contact is believed after two good reads with no failed exchange between them (`contacts.py`).
4. A release is sent once. Whether the lock opened is seen from its contacts; a second order for it goes out only
   after a look that shows the slot as it was when it was given: a key that was hung up meanwhile is not let out.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from station_agent.core.device_events import CabinetLost, DeviceEvent, LockPulsed, PulseResult
from station_agent.drivers.base import LineStatistics, Output
from station_agent.drivers.modbus.contacts import Contacts
from station_agent.drivers.modbus.frames import (
    READ_INPUTS,
    REFUSAL_SIZE,
    Answer,
    AnswerParser,
    BitsRead,
    CoilWritten,
    Refused,
    Request,
    Trouble,
    pulse_coil,
    read_coils,
)
from station_agent.drivers.modbus.owed import OwedAnswers
from station_agent.drivers.modbus.rest import BusRest
from station_agent.drivers.modbus.rounds import Rounds
from station_agent.drivers.modbus.wiring import CabinetWiring

SETTLED_US: Final = 50_000  # a frame stands still for three times a USB adapter's 16 ms: no more will come
OWED_FOR_US: Final = 2_000_000  # ten usual timeouts; on a `socket://` line a resent packet takes about 1 s
ORDER_VALID_US: Final = 3_000_000  # a lock must not click when the member has given up and turned away

# exceptions that leave open whether the lock gets current: "accepted, takes long", "gateway heard nothing"
EXCEPTIONS_LEAVING_DOUBT: Final = frozenset({0x05, 0x0B})


class _Told(Enum):
    """What the core heard last of this cabinet."""

    NOTHING = auto()
    SEEN = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True)
class _Exchange:
    request: Request
    slot: int | None = None
    """Of a release."""


class ModbusCabinet:
    """Looks at the contacts of one cabinet and pulses its locks on order."""

    def __init__(self, wiring: CabinetWiring) -> None:
        self.statistics = LineStatistics()
        self._wiring = wiring
        self._contacts = Contacts(wiring)
        self._parser = AnswerParser(local_echo=wiring.local_echo)
        self._fences = tuple(read_coils(read.unit, 0, 1) for read in self._contacts.reads)
        self._pulses = {slot.slot: pulse_coil(*slot.lock, wiring.pulse_ms) for slot in wiring.slots}
        self._timeout_us = wiring.answer_timeout_ms * 1000
        self._rest = BusRest(gap_us=wiring.gap_us, quiet_us=self._timeout_us)
        self._rounds = Rounds(board_count=len(self._contacts.reads), idle_us=wiring.scan_ms * 1000)
        self._owed = OwedAnswers(owed_for_us=max(OWED_FOR_US, 2 * self._timeout_us))

        self._is_open = False
        self._told = _Told.NOTHING
        self._orders: dict[int, int | None] = {}  # by slot: since when it waits; None: just given
        self._looks_first: dict[int, tuple[bool, bool]] = {}  # orders that wait for a look: key and door before
        self._exchange: _Exchange | None = None
        self._deadline_us = 0  # of the exchange
        self._answers_proved = False  # a read was answered, so what comes back is not the adapter's echo
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
        assert slot in self._pulses, f"slot {slot} has no lock on this bus"
        if again and slot not in self._orders:
            self._looks_first[slot] = self._contacts.of(slot)
        self._orders.setdefault(slot)

    def opened(self, now_us: int) -> Output:
        events: list[DeviceEvent] = []
        self._abandon(events)
        self._is_open = True
        self._answers_proved = False
        self._rounds.restart(now_us)
        self._contacts.forget()
        self._rest.keep_quiet(now_us)
        for request in (*self._contacts.reads, *self._pulses.values()):
            self._owed.add(now_us, request)
        return Output(events=tuple(events))

    def received(self, now_us: int, data: bytes) -> Output:
        events: list[DeviceEvent] = []
        if self._exchange is not None and now_us >= self._deadline_us:
            self._failed(now_us, self._parser.trouble, events)
        if self._exchange is None:
            self._take_unasked(now_us, len(data))
        else:
            self._rest.heard(now_us)
            answer = self._parser.feed(data)
            if answer is not None:
                self._answered(now_us, answer, events)
            elif self._parser.byte_count >= REFUSAL_SIZE:
                self._deadline_us = min(self._deadline_us, now_us + SETTLED_US)
        return self._output(now_us, events)

    def elapsed(self, now_us: int) -> Output:
        events: list[DeviceEvent] = []
        if not self._is_open:
            self._abandon(events)
            return Output(events=tuple(events))
        if self._exchange is not None and now_us >= self._deadline_us:
            self._failed(now_us, self._parser.trouble, events)
        return self._output(now_us, events)

    def closed(self, now_us: int) -> Output:
        events: list[DeviceEvent] = []
        self._abandon(events)
        self._is_open = False
        self._lose("the line is gone", events)
        return Output(events=tuple(events))

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

    def _next_exchange(self, now_us: int, events: list[DeviceEvent]) -> _Exchange | None:
        for slot, seen_us in tuple(self._orders.items()):
            is_valid = seen_us is not None and now_us - seen_us <= ORDER_VALID_US
            if is_valid and slot in self._looks_first:
                continue
            self._drop(slot)
            if is_valid:
                return _Exchange(self._pulses[slot], slot)
            events.append(LockPulsed(slot, PulseResult.UNANSWERED))
        return _Exchange(request) if (request := self._next_look(now_us)) is not None else None

    def _next_look(self, now_us: int) -> Request | None:
        """The next board's inputs; its relays while the inputs are owed; nothing while both are."""
        if now_us < self._rounds.due_us:
            return None
        self._rounds.look(now_us)
        look, fence = self._contacts.reads[self._rounds.position], self._fences[self._rounds.position]
        look_at_us, fence_at_us = self._owed.until_us(look), self._owed.until_us(fence)
        if now_us >= look_at_us:
            return look
        if now_us >= fence_at_us:
            return fence
        self._rounds.wait_until(min(look_at_us, fence_at_us))
        return None

    def _begin(self, now_us: int, request: Request) -> bytes:
        self._parser.expect(request)
        self._rest.asked()
        on_wire_us = self._wiring.wire_us(len(request.frame) + request.answer_size)
        self._deadline_us = now_us + on_wire_us + self._timeout_us
        self.statistics.frames_sent += 1
        return request.frame

    # what comes in

    def _answered(self, now_us: int, answer: Answer, events: list[DeviceEvent]) -> None:
        exchange = self._exchange
        assert exchange is not None, "an answer without an exchange"
        self._exchange = None
        self.statistics.frames_received += 1
        proves = now_us >= self._owed.until_us(exchange.request) and self._is_no_echo(answer)
        if proves:
            self._owed.settle(exchange.request.unit)
        if exchange.slot is not None:
            result = _result_of(answer) if proves else PulseResult.UNANSWERED
            self._pulsed(now_us, exchange.slot, result, events)
        elif exchange.request.function == READ_INPUTS:
            self._looked(now_us, exchange.request.unit, answer, events)
        if self._parser.surplus:
            self._take_unasked(now_us, self._parser.surplus)

    def _is_no_echo(self, answer: Answer) -> bool:
        """The answer to a write equals its request: on a line that never answered a read it may be the request."""
        return self._wiring.local_echo or self._answers_proved or not isinstance(answer, CoilWritten)

    def _pulsed(self, now_us: int, slot: int, result: PulseResult, events: list[DeviceEvent]) -> None:
        events.append(LockPulsed(slot, result))
        self._rounds.hurry(now_us)

    def _looked(self, now_us: int, unit: int, answer: Answer, events: list[DeviceEvent]) -> None:
        if isinstance(answer, BitsRead):
            self._answers_proved = True
            self._board_read(now_us, answer.bits, events)
        elif isinstance(answer, Refused):
            why = f"unit {unit}: refuses to show its inputs (exception {answer.code})"
            self._round_failed(now_us, why, events)

    def _board_read(self, now_us: int, bits: int, events: list[DeviceEvent]) -> None:
        self._has_news |= self._contacts.read(self._rounds.position, bits)
        round_over = self._rounds.seen(now_us, is_settled=self._contacts.are_settled)
        # told by the round: a door and a key that moved in one moment are two boards' news, and belong together
        if round_over and (self._has_news or self._told is not _Told.SEEN) and self._contacts.are_known:
            self._told = _Told.SEEN
            self._has_news = False
            events.append(self._contacts.seen())
        if round_over and self._contacts.are_settled:
            self._looked_again(events)

    def _looked_again(self, events: list[DeviceEvent]) -> None:
        """Orders that waited for this look go out now, or never."""
        for slot, before in tuple(self._looks_first.items()):
            del self._looks_first[slot]
            if self._contacts.of(slot) != before:
                del self._orders[slot]
                events.append(LockPulsed(slot, PulseResult.UNANSWERED))

    def _drop(self, slot: int) -> None:
        del self._orders[slot]
        self._looks_first.pop(slot, None)

    def _take_unasked(self, now_us: int, byte_count: int) -> None:
        if self._rest.heard_unasked(now_us, byte_count):
            self.statistics.garbled += 1

    # what goes wrong

    def _failed(self, now_us: int, trouble: Trouble, events: list[DeviceEvent]) -> None:
        exchange = self._exchange
        assert exchange is not None, "a failure without an exchange"
        self._exchange = None
        if trouble is Trouble.SILENT:
            self.statistics.timeouts += 1
        else:
            self.statistics.garbled += 1
        self._rest.keep_quiet(now_us)
        self._owed.add(now_us, exchange.request)
        if exchange.slot is None:
            self._round_failed(now_us, f"unit {exchange.request.unit}: {trouble}", events)
        else:
            self._contacts.interrupted()
            self._pulsed(now_us, exchange.slot, PulseResult.UNANSWERED, events)

    def _round_failed(self, now_us: int, why: str, events: list[DeviceEvent]) -> None:
        self._contacts.interrupted()
        if self._rounds.failed(now_us):
            self._lose(why, events)

    def _lose(self, why: str, events: list[DeviceEvent]) -> None:
        self._contacts.forget()
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


def _result_of(answer: Answer) -> PulseResult:
    if isinstance(answer, CoilWritten):
        return PulseResult.CONFIRMED
    if isinstance(answer, Refused) and answer.code not in EXCEPTIONS_LEAVING_DOUBT:
        return PulseResult.REFUSED
    return PulseResult.UNANSWERED


_NOTHING: Final = Output()
