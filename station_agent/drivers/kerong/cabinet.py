"""A bus of KERONG boards with the locks and contacts of a cabinet, as a `Codec` (`station_agent/drivers/base.py`).

How it looks, releases and tells is every lock bus's (`station_agent/drivers/lock_bus.py`); its fence is here the
harmless query (0x38). A reply says from which board and of which kind it is, no more: all status replies of a board
look alike, and so does the reply to an unlock. These habits keep it honest:
1. A reply is taken when the line has been silent for a while after it: a left-over is followed by the reply
   that it precedes. Of two that could be meant neither is believed (`frames.py`).
2. For a while after anything that was not asked for, each look is preceded by a query of its own: a left-over of
   the query cannot be taken for a status. Reads before and after a whole frame that nobody asked for are not in
   a row. A board that has once answered the query since the line opened is not believed again without it.
3. Before the first look after an unlock the query is asked, because some boards stay busy after one until it is;
   a board that does not answer a look is asked the query before the next.
4. No reply to an unlock never means "still locked": it is UNANSWERED, and so is one that may be a left-over. The
   protocol has no refusal, so no order is REFUSED. The contacts in an unlock's reply are not read: it may have
   been made before the lock moved.

What cannot be told apart: a board that answers each question with the reply to the one before, from the moment
when the line opens, looks like one that does not know the query: its picture is one look old.
"""

from typing import Final

from station_agent.core.device_events import DeviceEvent, PulseResult
from station_agent.drivers.base import Output
from station_agent.drivers.belief import Belief, Contact
from station_agent.drivers.kerong.frames import (
    LOCKS,
    QUERY,
    REPLY_MIN,
    STATUS_REPLY,
    UNLOCK,
    Reply,
    ReplyParser,
    Request,
    Status,
    query,
    read_status,
    unlock,
)
from station_agent.drivers.kerong.wiring import CabinetWiring
from station_agent.drivers.lock_bus import OWED_FOR_US, SETTLED_US, LockBus, Meaning, Questions

LISTEN_US: Final = 20_000  # a USB adapter holds bytes back for up to 16 ms


class KerongCabinet(LockBus[Request]):
    """Looks at the contacts of one cabinet and unlocks its locks on order."""

    def __init__(self, wiring: CabinetWiring) -> None:
        boards = sorted({slot.board for slot in wiring.slots})
        questions = Questions(
            looks=tuple(read_status(board) for board in boards),
            fences=tuple(query(board) for board in boards),
            releases={slot.slot: unlock(slot.board, slot.lock) for slot in wiring.slots},
        )
        self._replies = ReplyParser()
        super().__init__(wiring, _belief(wiring, boards), questions, self._replies, REPLY_MIN)
        self._wary_until_us = 0
        self._unlocked: set[int] = set()  # boards that were asked nothing since
        self._knows_query: set[int] = set()  # boards that answered it since the line opened
        self._unasked_count = 0  # bytes since the last request

    def opened(self, now_us: int) -> Output:
        self._knows_query.clear()
        return super().opened(now_us)

    def _wants_fence(self, look: Request) -> bool:
        return look.unit in self._unlocked

    def _owe(self, now_us: int, request: Request) -> None:
        is_settled_by_query = request.function == STATUS_REPLY and request.unit in self._knows_query
        self._owed.add(now_us, request, until_settled=is_settled_by_query)

    def _begin(self, now_us: int, request: Request) -> bytes:
        self._unasked_count = 0
        if request.command == UNLOCK:
            self._unlocked.add(request.unit)
        else:
            self._unlocked.discard(request.unit)
        return super()._begin(now_us, request)

    def _hear(self, now_us: int, data: bytes, events: list[DeviceEvent]) -> None:
        self._replies.feed(data)
        if self._replies.reply is not None:
            self._deadline_us = now_us + LISTEN_US
        elif self._replies.byte_count >= REPLY_MIN:
            self._deadline_us = min(self._deadline_us, now_us + SETTLED_US)

    def _conclude(self, now_us: int, events: list[DeviceEvent]) -> None:
        exchange, reply = self._exchange, self._replies.reply
        assert exchange is not None, "a conclusion without an exchange"
        if reply is None:
            self._failed(now_us, events)
            return
        if self._replies.has_left_over:
            self._wary_until_us = now_us + OWED_FOR_US
        self._rest.heard(now_us)  # the end of a round is an instant at which nothing is under way: polls may rest
        if exchange.request.command == QUERY:
            self._knows_query.add(exchange.request.unit)
        self._answered(now_us, _meaning(reply), events)
        if exchange.request.function == STATUS_REPLY and now_us < self._wary_until_us:
            self._owe(now_us, exchange.request)

    def _take_unasked(self, now_us: int, byte_count: int) -> None:
        super()._take_unasked(now_us, byte_count)
        self._unasked_count += byte_count
        if self._unasked_count >= REPLY_MIN:  # it can be a whole frame: the one that was taken may be older
            self._wary_until_us = now_us + OWED_FOR_US
            self._belief.interrupted()
            for look in self._questions.looks:
                self._owe(now_us, look)


def _belief(wiring: CabinetWiring, boards: list[int]) -> Belief:
    return Belief(
        (
            slot.slot,
            Contact(boards.index(slot.board), len(LOCKS) + slot.lock, slot.infrared_inverted),
            Contact(boards.index(slot.board), slot.lock, not slot.hook_inverted),
        )
        for slot in wiring.slots
    )


def _meaning(reply: Reply) -> Meaning:
    if isinstance(reply, Status):
        return Meaning(bits=reply.hooks | reply.infrared << len(LOCKS), result=PulseResult.CONFIRMED)
    return Meaning()
