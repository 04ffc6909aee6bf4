"""What one shift leaves to the next: short notes, perhaps about a station or an incident, each marked when done."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from dispatcher.store.paging import Page, PageRequest, cut, newest_first
from dispatcher.store.schema import incidents, shift_notes, stations

SHOWN_MAX = 30  # on the board: a shift that leaves more is read in the list


class Unknown(StrEnum):
    """What a note names that is not there."""

    STATION = "station"
    INCIDENT = "incident"


@dataclass(frozen=True, slots=True)
class NewNote:
    """What somebody leaves to those who come after."""

    ref: str
    at_ms: int
    author: str
    text: str
    station_id: str | None = None
    incident_ref: str | None = None


@dataclass(frozen=True, slots=True)
class ShiftNote:
    id: int
    ref: str
    at_ms: int
    author: str
    text: str
    station_id: str | None
    incident_ref: str | None
    done_ms: int | None
    done_by: str | None


@dataclass(frozen=True, slots=True)
class ShownNote:
    """A note with what its station is called, and its incident's number and kind; None: it is about none."""

    note: ShiftNote
    station: str | None
    incident: int | None
    kind: str | None


_NEW = insert(shift_notes)
_BY_REF = select(shift_notes).where(shift_notes.c.ref == bindparam("ref"))
_DONE = (
    update(shift_notes)
    .where(shift_notes.c.ref == bindparam("this"), shift_notes.c.done_ms.is_(None))
    .values(done_ms=bindparam("now_ms"), done_by=bindparam("by"))
)
_STATION = select(stations.c.id).where(stations.c.id == bindparam("id"))
_INCIDENT = select(incidents.c.id).where(incidents.c.ref == bindparam("id"))
_SHOWN = (
    select(
        shift_notes,
        stations.c.name.label("station"),
        incidents.c.id.label("incident"),
        incidents.c.kind.label("kind"),
    )
    .outerjoin(stations, stations.c.id == shift_notes.c.station_id)
    .outerjoin(incidents, incidents.c.ref == shift_notes.c.incident_ref)
    .where(shift_notes.c.at_ms >= bindparam("since_ms"))
    .order_by(shift_notes.c.done_ms.is_not(None), shift_notes.c.id.desc())
    .limit(SHOWN_MAX)
)


def leave_note(connection: Connection, wanted: NewNote) -> ShiftNote | Unknown:
    """Write it down; or what it is about that is not there."""
    if wanted.station_id is not None and not connection.execute(_STATION, {"id": wanted.station_id}).first():
        return Unknown.STATION
    if wanted.incident_ref is not None and not connection.execute(_INCIDENT, {"id": wanted.incident_ref}).first():
        return Unknown.INCIDENT
    connection.execute(_NEW, asdict(wanted))
    return _note(connection.execute(_BY_REF, {"ref": wanted.ref}).mappings().one())


def note_by_ref(connection: Connection, ref: str, since_ms: int) -> ShiftNote | None:
    """One note; None: there is none of that name, or it is older than notes are kept."""
    row = connection.execute(_BY_REF, {"ref": ref}).mappings().one_or_none()
    return None if row is None or row["at_ms"] < since_ms else _note(row)


def mark_done(connection: Connection, ref: str, by: str, now_ms: int) -> None:
    """Say that it is done. Who was first stays so: a second time changes nothing."""
    connection.execute(_DONE, {"this": ref, "by": by, "now_ms": now_ms})


def notes_page(
    connection: Connection, since_ms: int, request: PageRequest, *, is_done: bool | None
) -> Page[ShiftNote]:
    """Notes that are not older than notes are kept, the newest first; `is_done` None: whether done or not."""
    statement = select(shift_notes).where(shift_notes.c.at_ms >= since_ms)
    if is_done is not None:
        done = shift_notes.c.done_ms
        statement = statement.where(done.is_not(None) if is_done else done.is_(None))
    rows = connection.execute(newest_first(statement, shift_notes.c.id, request)).mappings()
    return cut([_note(row) for row in rows], request, lambda note: (note.id,))


def shown_notes(connection: Connection, since_ms: int) -> tuple[ShownNote, ...]:
    """For the board: what is still to be done first, then the newest; at most `SHOWN_MAX`."""
    rows = connection.execute(_SHOWN, {"since_ms": since_ms}).mappings()
    return tuple(ShownNote(_note(row), row["station"], row["incident"], row["kind"]) for row in rows)


def _note(row: Mapping[Any, Any]) -> ShiftNote:
    return ShiftNote(**{name: row[name] for name in ShiftNote.__dataclass_fields__})
