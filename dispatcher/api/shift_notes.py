"""What one shift leaves to the next: whom to call back, what to look at."""

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, Listing, PageQuery, instant_of, next_cursor, page_request
from dispatcher.api.writing import Write
from dispatcher.core.life_cycles import NetworkReason
from dispatcher.core.windows import to_utc
from dispatcher.store.ids import new_id
from dispatcher.store.shift_notes import NewNote, ShiftNote, Unknown, leave_note, mark_done, note_by_ref, notes_page

router = resource("shift-notes", read=Scope.INCIDENTS_READ, write=Scope.OPERATIONS)

NOTE_CHARACTERS_MAX = 500  # read at a glance at the change of shifts


class NewShiftNote(Body):
    text: Annotated[str, Field(min_length=1, max_length=NOTE_CHARACTERS_MAX)]
    """What those who come after have to know or to do. No names of members: whoever handles incidents reads it."""
    station_id: Id | None = None
    """The station that it is about."""
    incident_id: Id | None = None
    """The incident that it is about."""


class ShiftNoteOut(Answer):
    id: str
    at: datetime
    author: str
    """The name of the token."""
    text: str
    station_id: str | None
    incident_id: str | None
    done_at: datetime | None
    """null: it is still to be done."""
    done_by: str | None


class ShiftNoteList(Listing):
    items: list[ShiftNoteOut]


class ShiftNoteQuery(PageQuery):
    done: bool | None = None
    """true: only those that are done; false: only those that are not."""


@router.get("", responses=answers(422))
async def list_shift_notes(context: Context, query: Annotated[ShiftNoteQuery, Query()]) -> ShiftNoteList:
    """Notes as long as they are kept (`retention.shift_notes_days`), the newest first."""
    request = page_request(query, int)
    work = partial(notes_page, since_ms=kept_since_ms(context), request=request, is_done=query.done)
    page = await context.database.read(work)
    return ShiftNoteList(items=[_out(note) for note in page.items], next=next_cursor(page))


@router.get("/{note_id}", responses=answers(404, 422))
async def read_shift_note(context: Context, note_id: Id) -> ShiftNoteOut:
    since_ms = kept_since_ms(context)
    return _found(note_id, await context.database.read(partial(note_by_ref, ref=note_id, since_ms=since_ms)))


@router.post("", status_code=201, responses=answers(400, 413, 422))
async def create_shift_note(write: Write, wanted: NewShiftNote) -> ShiftNoteOut:
    """Leave a note to those who come after."""

    def work(connection: Connection) -> ShiftNoteOut:
        ref, now_ms = new_id(write.context.random_bytes), write.context.clock.now_ms()
        note = NewNote(ref, now_ms, write.caller, wanted.text, wanted.station_id, wanted.incident_id)
        made = leave_note(connection, note)
        if made is Unknown.STATION:
            raise _refusal(NetworkReason.NO_SUCH_STATION, "station_id", wanted.station_id, "the id of a station")
        if made is Unknown.INCIDENT:
            raise _refusal(ApiReason.INVALID_REQUEST, "incident_id", wanted.incident_id, "the id of an incident")
        return _out(made)

    return await write(work, lambda made: f"/api/v1/shift-notes/{made.id}")


@router.post("/{note_id}/done", responses=answers(404, 422))
async def mark_shift_note_done(write: Write, note_id: Id) -> ShiftNoteOut:
    """Say that it is done. Who said so first stays so."""
    since_ms = kept_since_ms(write.context)

    def work(connection: Connection) -> ShiftNoteOut:
        mark_done(connection, note_id, write.caller, write.context.clock.now_ms())
        return _found(note_id, note_by_ref(connection, note_id, since_ms))

    return await write(work)


def kept_since_ms(context: ApiContext) -> int:
    """What was written before it is told no more, removed already or not."""
    return context.retention.cutoff_ms("shift_notes_days", context.clock.now_ms())


def _refusal(reason: NetworkReason | ApiReason, field: str, value: str | None, expected: str) -> Refusal:
    fault = FieldFault(field=field, value=value, expected=expected)
    return Refusal(reason, f"{field} is {value}; expected {expected}", [fault])


def _found(note_id: str, note: ShiftNote | None) -> ShiftNoteOut:
    if note is None:
        raise not_found("shift note", note_id)
    return _out(note)


def _out(note: ShiftNote) -> ShiftNoteOut:
    return ShiftNoteOut(
        id=note.ref,
        at=to_utc(note.at_ms),
        author=note.author,
        text=note.text,
        station_id=note.station_id,
        incident_id=note.incident_ref,
        done_at=instant_of(note.done_ms),
        done_by=note.done_by,
    )
