"""Bugs of the dispatcher."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import text

from contract.chain import chain_hashes
from contract.facts import KeyTaken, parse_fact
from contract.messages import Acknowledged, FactBatch
from dispatcher.core.ingest import Continues, NumberedFact
from dispatcher.core.ingest import judge as honest_judge
from dispatcher.link.intake import IntakeWorker
from dispatcher.link.publisher import Publisher
from dispatcher.store import booking_desk, booking_events, deadlines, handovers, ingest, links, projections, timed
from dispatcher.store.keys import set_key
from dispatcher.store.ledger import lock_cursor, move_cursor
from dispatcher.store.origin import Origin
from simulator.hunt.planted.bug import Bug, Restore, both, replaced
from simulator.virtual.phone import StoreDesk
from simulator.world.acts import Book


def _acknowledged_before_commit() -> Restore:
    honest = IntakeWorker.put

    async def put(self: IntakeWorker, message: Any) -> None:
        if isinstance(message, FactBatch):
            self._courier.send(
                Acknowledged(
                    cabinet=message.cabinet,
                    ledger=self._ledger,
                    epoch=message.epoch,
                    seq=message.last_seq,
                    hash=message.last_hash,
                )
            )
        await honest(self, message)

    return replaced(IntakeWorker, "put", put)


def _no_deduplication() -> Restore:
    """What came twice happened twice: a key that is back is out again."""
    honest = ingest.Intake._take_one

    def take(self: Any, connection: Any, batch: FactBatch, outcomes: Any) -> Acknowledged:
        before = outcomes.total()
        answer: Acknowledged = honest(self, connection, batch, outcomes)
        known = outcomes.total() - before
        for fact in (parse_fact(one) for one in batch.facts[:known]):
            if isinstance(fact, KeyTaken) and fact.key is not None and fact.seq < answer.seq:
                place = {"cabinet_id": batch.cabinet, "slot": fact.slot, "identity": fact.identity}
                set_key(
                    connection, fact.key, state="taken", grant_id=fact.grant, badge_ref=None, since_ms=0, **place
                )
        return answer

    return replaced(ingest.Intake, "_take_one", take)


def _gap_skipped() -> Restore:
    def judge(batch: FactBatch, cursor: Any, hash_at: Any) -> Any:
        if batch.first_seq <= cursor.seq + 1:
            return honest_judge(batch, cursor, hash_at)
        hashes = chain_hashes(batch.hash_before, batch.facts)
        numbered = zip(batch.facts, hashes, strict=True)
        new = tuple(NumberedFact(batch.first_seq + i, fact, after) for i, (fact, after) in enumerate(numbered))
        return Continues(new, 0)

    return replaced(ingest, "judge", judge)


def _watermark_ahead_of_ledger() -> Restore:
    """The cursor moves in a transaction of its own, before the facts."""
    honest = IntakeWorker._take

    async def take(self: IntakeWorker, group: Any) -> None:
        for message in group:
            if isinstance(message, FactBatch):
                await self._database.write(partial(_move_alone, message))
        await honest(self, group)

    return replaced(IntakeWorker, "_take", take)


def _move_alone(batch: FactBatch, connection: Any) -> None:
    cursor = lock_cursor(connection, batch)
    if batch.first_seq == cursor.seq + 1:
        move_cursor(connection, batch, NumberedFact(batch.last_seq, "", batch.last_hash), 0)


def _stale_will_believed() -> Restore:
    return replaced(links, "is_stale_presence", lambda _presence, _known: False)


def _no_show_in_silence() -> Restore:
    return replaced(deadlines, "complete_until_ms", lambda _connection, _cabinet: 1 << 50)


def _retake_hold_forgotten() -> Restore:
    return replaced(booking_events, "hold_until_ms", lambda _rules, returned_ms, _end_ms: returned_ms)


def _incident_never_closed() -> Restore:
    def keep(_connection: Any, *_about: Any) -> None:
        return

    return both(*[replaced(module, "close_incident", keep) for module in (projections, handovers)])


def _overlap_checked_in_code_only() -> Restore:
    """First look whether the vehicle is free, and write a moment later; the database has no say."""
    honest = StoreDesk.answer
    slow: dict[int, Any] = {}

    def answer(self: StoreDesk, question: Any, answered: Any) -> None:
        if not isinstance(question, Book) or question.request.vehicle is None:
            honest(self, question, answered)
            return
        self._context.database.write_now(_drop_triggers)
        request = question.request
        first = slow.pop(id(self), None)
        same = first is not None and first.vehicle == request.vehicle and first.start_ms == request.start_ms
        slow[id(self)] = request
        with _blind(on=same):  # both had looked before either of them wrote
            honest(self, question, answered)

    return replaced(StoreDesk, "answer", answer)


_TRIGGERS = ("booking_overlap_insert", "booking_overlap_update")


def _drop_triggers(connection: Any) -> None:
    for trigger in _TRIGGERS:
        connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))


@contextmanager
def _blind(*, on: bool) -> Iterator[None]:
    undo = replaced(booking_desk, "judge", lambda *_about: None) if on else (lambda: None)
    try:
        yield
    finally:
        undo()


def _row_without_origin_signed() -> Restore:
    return replaced(Origin, "holds", lambda *_row, **_named: True)


def _wanted_state_not_resent() -> Restore:
    def is_due(self: Publisher, state: Any) -> bool:
        sent = self._sent.get(state.cabinet_id)
        return sent is None or sent.version != state.version

    return replaced(Publisher, "_is_due", is_due)


def _older_report_believed() -> Restore:
    return replaced(links, "is_stale_report", lambda _reported, _known, _nonce: False)


def _reports_not_compared() -> Restore:
    from dispatcher.link import intake  # noqa: PLC0415  # a name that two modules imported

    def nothing(_connection: Any, _rules: Any, _now_ms: int) -> None:
        return

    return both(*[replaced(module, "apply_reports", nothing) for module in (intake, timed)])


CENTRE_BUGS = (
    Bug("acknowledged_before_commit", "facts are confirmed as they come", _acknowledged_before_commit),
    Bug("no_deduplication", "a fact that comes twice counts twice", _no_deduplication),
    Bug("gap_skipped", "a batch is taken though the one before it is missing", _gap_skipped),
    Bug("watermark_ahead_of_ledger", "the watermark is committed before the facts", _watermark_ahead_of_ledger),
    Bug("stale_will_believed", "a will that comes late takes a cabinet offline", _stale_will_believed),
    Bug("no_show_in_silence", "a no-show is declared by the clock alone", _no_show_in_silence),
    Bug("retake_hold_forgotten", "a booking is over as soon as the key is back", _retake_hold_forgotten),
    Bug("incident_never_closed", "what a fact opened, no fact closes", _incident_never_closed),
    Bug("overlap_checked_in_code_only", "look first, then book; no constraint", _overlap_checked_in_code_only),
    Bug("row_without_origin_signed", "whoever writes to the database makes rights", _row_without_origin_signed),
    Bug("wanted_state_not_resent", "a wanted state is told once", _wanted_state_not_resent),
    Bug("older_report_believed", "reports count in the order of their arrival", _older_report_believed),
    Bug("reports_not_compared", "only facts move the picture", _reports_not_compared),
)
