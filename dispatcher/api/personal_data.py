"""What is kept of a member: given out, and erased. Each is recorded with author and reason."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Caller, Context
from dispatcher.api.problems import ApiReason, Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, instant_of
from dispatcher.api.writing import Write
from dispatcher.core.rules import BookingReason
from dispatcher.core.windows import DAY_MS
from dispatcher.store.audit import AuditAction, record
from dispatcher.store.erasure import Erased, erase, is_member, still_holds
from dispatcher.store.erasure_list import Erasure, ErasureList
from dispatcher.store.export import export_member
from dispatcher.store.ids import new_id

router = resource("members", write=Scope.ADMIN)


class Because(Body):
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    """Why, for the audit record. No names."""
    case: Annotated[str, Field(max_length=100)] = ""
    """What you file it under."""


class ErasedOut(Answer):
    place_id: str
    """The random id that stands in the member's place in bookings since. It leads to nobody."""
    bookings: int
    """In how many."""
    held_until: datetime | None
    """Until then the name is held for the question who held a vehicle, and for nothing else; null: it is gone."""


@router.post("/{member_id}/export", responses=answers(400, 404, 413, 422))
async def export(context: Context, caller: Caller, member_id: Id, because: Because) -> dict[str, Any]:
    """All that is known of a member, for the member. Numbers of badges are in it, PINs are not."""
    return await context.database.write(lambda connection: _export(connection, context, caller, member_id, because))


@router.post("/{member_id}/erase", responses=answers(400, 404, 409, 413, 422))
async def erase_member(write: Write, member_id: Id, because: Because) -> ErasedOut:
    """Forget a member. Refused while a booking holds or a key is out. Nobody can undo it."""
    context = write.context
    if context.erasures is None:
        detail = "expected the setting database.erasures_file: a restore has to know who was erased"
        raise Refusal(ApiReason.ERASURES_NOT_KEPT, detail)
    erasures, place_id = context.erasures, new_id(context.random_bytes)

    def work(connection: Connection) -> ErasedOut:
        done = _erase(connection, context, write.caller, erasures, (member_id, place_id), because)
        return ErasedOut(place_id=done.place_id, bookings=done.bookings, held_until=instant_of(done.held_until_ms))

    erased = await write(work)
    context.wake()
    return erased


def _export(
    connection: Connection, context: ApiContext, caller: str, member_id: str, because: Because
) -> dict[str, Any]:
    now_ms = context.clock.now_ms()
    action, why = AuditAction.MEMBER_EXPORTED, {"reason": because.reason, "case": because.case}
    record(connection, now_ms, caller, action, member_id, **why)  # so that it is in the document
    document = export_member(connection, member_id, now_ms)
    if document is None:
        raise not_found("member", member_id)
    return document


def _erase(
    connection: Connection,
    context: ApiContext,
    caller: str,
    erasures: ErasureList,
    ids: tuple[str, str],
    because: Because,
) -> Erased:
    member_id, place_id = ids
    now_ms = context.clock.now_ms()
    if not is_member(connection, member_id):
        raise not_found("member", member_id)
    holds = still_holds(connection, member_id)
    if holds is not None and holds.key_out:
        raise Refusal(BookingReason.KEY_STILL_OUT, "expected a member who has no key; a return always works")
    if holds is not None:
        detail = f"expected a member without a booking that holds; cancel or change {holds.subject!r} first"
        raise Refusal(ApiReason.MEMBER_HAS_BOOKINGS, detail)
    erasure = Erasure(now_ms, member_id, place_id)
    done = erase(connection, erasure, context.retention.who_held_days * DAY_MS, now_ms)
    why = {"reason": because.reason, "case": because.case}
    record(connection, now_ms, caller, AuditAction.MEMBER_ERASED, place_id, **why)
    try:
        erasures.append(erasure)  # last, and before the commit: what is erased is in the list
    except OSError as error:
        raise Refusal(ApiReason.ERASURES_NOT_KEPT, f"{erasures.path}: {error.strerror}") from None
    return done
