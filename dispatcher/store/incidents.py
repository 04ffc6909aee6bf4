"""Incidents: opened once, closed once, whoever finds them and however often."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Exists, Select, bindparam, exists, insert, select, update

from dispatcher.core.incidents import KINDS, REOPENED_WITHIN_MS, Discrepancy, Found, IncidentKind
from dispatcher.store.incident_history import PROGRAM, Happened, note
from dispatcher.store.later import mind_of, remembered
from dispatcher.store.origin import origin_of
from dispatcher.store.schema import incidents

REMEMBERED_MAX = 500  # some 20 cabinets in a bad night; to read them takes as long as ten looks at one

KINDS_BY_STATE = frozenset(kind for kind, rule in KINDS.items() if rule.found is Found.BY_STATE)


class OpenIncident(NamedTuple):
    """An open row, as far as it is compared."""

    id: int
    kind: str
    subject: str
    updated_ms: int
    expected: str
    seen: str
    cabinet_id: str | None


_OPEN = select(*(incidents.c[name] for name in OpenIncident._fields)).where(incidents.c.closed_ms.is_(None))
_SOME = _OPEN.order_by(incidents.c.id).limit(REMEMBERED_MAX + 1)
_OPEN_ONE = _OPEN.where(incidents.c.kind == bindparam("kind"), incidents.c.subject == bindparam("subject"))
_OPEN_OF_KINDS = _OPEN.where(incidents.c.kind.in_(bindparam("kinds", expanding=True)))
_OPEN_OF_SUBJECT = _OPEN_OF_KINDS.where(incidents.c.subject == bindparam("subject"))
_NEW = insert(incidents)
_PREVIOUS = (
    select(incidents.c.id, incidents.c.closed_ms, incidents.c.reopened)
    .where(incidents.c.kind == bindparam("kind"), incidents.c.subject == bindparam("subject"))
    .order_by(incidents.c.id.desc())
    .limit(1)
)
_THIS = update(incidents).where(incidents.c.id == bindparam("this"))
_OPEN_OF_CABINET = select(incidents.c.id).where(
    incidents.c.closed_ms.is_(None),
    incidents.c.kind == bindparam("kind"),
    incidents.c.cabinet_id == bindparam("cabinet"),
)
_OPEN_SUBJECTS = select(incidents.c.subject).where(
    incidents.c.closed_ms.is_(None), incidents.c.kind == bindparam("kind")
)
_OPEN_SUBJECTS_THERE = _OPEN_SUBJECTS.where(incidents.c.cabinet_id == bindparam("cabinet"))


@dataclass(frozen=True, slots=True)
class Incident:
    """A row, for people and tests."""

    id: int
    ref: str
    kind: str
    subject: str
    cabinet_id: str | None
    vehicle_id: str | None
    booking_id: str | None
    severity: str
    opened_ms: int
    updated_ms: int
    closed_ms: int | None
    expected: str
    seen: str
    reopened: int
    acknowledged_ms: int | None
    acknowledged_by: str | None
    assigned_to: str | None


def settle(
    connection: Connection,
    wanted: Iterable[Discrepancy],
    kinds: Collection[IncidentKind],
    now_ms: int,
    subject: str | None = None,
) -> None:
    """Make the open incidents of `kinds` (and of one subject, where named) those that are `wanted`."""
    among: dict[str, Any] = {"kinds": sorted(kinds)}
    all_open = _all_open(connection)
    if all_open is not None:
        known = tuple(
            row for row in all_open.values() if row.kind in kinds and (subject is None or row.subject == subject)
        )
    elif subject is None:
        known = _read(connection, _OPEN_OF_KINDS, among)
    else:
        known = _read(connection, _OPEN_OF_SUBJECT, among | {"subject": subject})
    _settle(connection, wanted, known, kinds, now_ms)


def open_incidents(connection: Connection) -> tuple[OpenIncident, ...]:
    """All that are open, of every kind."""
    return _read(connection, _OPEN)


def open_by_state(connection: Connection) -> frozenset[tuple[str, str]]:
    """Kind and subject of all that the reconciler opened."""
    return frozenset(
        (each.kind, each.subject) for each in open_incidents(connection) if each.kind in KINDS_BY_STATE
    )


def settle_among(
    connection: Connection, wanted: Iterable[Discrepancy], known: Iterable[OpenIncident], now_ms: int
) -> None:
    """As `settle`, of all kinds that a picture shows; `known` is what `open_incidents` read in this transaction."""
    by_state = [incident for incident in known if incident.kind in KINDS_BY_STATE]
    _settle(connection, wanted, by_state, KINDS_BY_STATE, now_ms)


def close_aged(connection: Connection, known: Iterable[OpenIncident], now_ms: int) -> None:
    """Close those of which nothing more was heard for as long as their kind lasts."""
    for incident in known:
        lasts_ms = KINDS[IncidentKind(incident.kind)].lasts_ms
        if lasts_ms is not None and incident.updated_ms + lasts_ms <= now_ms:
            _close(connection, incident.id, now_ms)


def _settle(
    connection: Connection,
    wanted: Iterable[Discrepancy],
    known: Iterable[OpenIncident],
    kinds: Collection[IncidentKind],
    now_ms: int,
) -> None:
    left = {(incident.kind, incident.subject): incident for incident in known}
    for discrepancy in wanted:
        assert discrepancy.kind in kinds, "a caller settles what it looked at"
        row = left.pop((discrepancy.kind, discrepancy.subject), None)
        _open_or_update(connection, discrepancy, row, now_ms)
    for row in left.values():
        _close(connection, row.id, now_ms)


def _read(
    connection: Connection, statement: Select[Any], of: Mapping[str, Any] | None = None
) -> tuple[OpenIncident, ...]:
    return tuple(OpenIncident(*row) for row in connection.execute(statement, of))


def open_incident(connection: Connection, discrepancy: Discrepancy, now_ms: int) -> None:
    """Open an incident that a fact tells; one that is open already is brought up to date."""
    row = _open_row(connection, discrepancy.kind, discrepancy.subject)
    _open_or_update(connection, discrepancy, row, now_ms)


def close_incident(connection: Connection, kind: IncidentKind, subject: str, now_ms: int) -> None:
    """Close an incident if it is open."""
    row = _open_row(connection, kind, subject)
    if row is not None:
        _close(connection, row.id, now_ms)


def close_by_hand(connection: Connection, incident_id: int, author: str, reason: str, now_ms: int) -> None:
    """Somebody says that one that is open is over, and why. The next fact that tells of it opens another one."""
    _close(connection, incident_id, now_ms, author, {"reason": reason})


def close_of_cabinet(connection: Connection, kind: IncidentKind, cabinet_id: str, now_ms: int) -> None:
    """Close all of a kind that a cabinet has open."""
    all_open = _all_open(connection)
    if all_open is not None:
        for row in [row for row in all_open.values() if (row.kind, row.cabinet_id) == (kind, cabinet_id)]:
            _close(connection, row.id, now_ms)
        return
    these = {"kind": kind, "cabinet": cabinet_id}
    for incident_id in connection.execute(_OPEN_OF_CABINET, these).scalars().all():
        _close(connection, incident_id, now_ms)


def open_subjects(connection: Connection, kind: IncidentKind, cabinet_id: str | None = None) -> frozenset[str]:
    """The subjects of a kind's open incidents, everywhere or of one cabinet."""
    all_open = _all_open(connection)
    if all_open is not None:
        there = (row for row in all_open.values() if row.kind == kind)
        return frozenset(row.subject for row in there if cabinet_id is None or row.cabinet_id == cabinet_id)
    statement = _OPEN_SUBJECTS if cabinet_id is None else _OPEN_SUBJECTS_THERE
    return frozenset(connection.execute(statement, {"kind": kind, "cabinet": cabinet_id}).scalars())


def some_are_open(kind: IncidentKind, cabinet_id: Any) -> Exists:
    """For a select: whether a cabinet, by a column or a parameter, has any of a kind open."""
    return exists().where(
        incidents.c.closed_ms.is_(None), incidents.c.kind == kind, incidents.c.cabinet_id == cabinet_id
    )


def some_are_open_of(kind: IncidentKind, subject: Any) -> Exists:
    """The same, for a subject."""
    return exists().where(incidents.c.closed_ms.is_(None), incidents.c.kind == kind, incidents.c.subject == subject)


def all_incidents(connection: Connection) -> tuple[Incident, ...]:
    """Every incident ever opened, oldest first."""
    rows = connection.execute(select(incidents).order_by(incidents.c.id))
    return tuple(Incident(**row._asdict()) for row in rows)


def _open_row(connection: Connection, kind: IncidentKind, subject: str) -> OpenIncident | None:
    known = _all_open(connection)
    if known is not None:
        return known.get((kind, subject))
    row = connection.execute(_OPEN_ONE, {"kind": kind, "subject": subject}).first()
    return None if row is None else OpenIncident(*row)


def _all_open(connection: Connection) -> dict[tuple[str, str], OpenIncident] | None:
    """All that are open, read once in a transaction; None: there are too many, or nobody remembers."""
    mind = mind_of(connection)
    if mind is None:
        return None
    if _OPEN not in mind.remembered:
        rows = _read(connection, _SOME)
        few = len(rows) <= REMEMBERED_MAX
        mind.remembered[_OPEN] = {(row.kind, row.subject): row for row in rows} if few else None
    known: dict[tuple[str, str], OpenIncident] | None = mind.remembered[_OPEN]
    return known


def _remember(connection: Connection, row: OpenIncident) -> None:
    known = remembered(connection).get(_OPEN)
    if known is not None:
        known[row.kind, row.subject] = row


def _forget(connection: Connection, incident_id: int) -> None:
    known = remembered(connection).get(_OPEN) or {}
    for identity in [identity for identity, row in known.items() if row.id == incident_id]:
        del known[identity]


def _open_or_update(
    connection: Connection, discrepancy: Discrepancy, row: OpenIncident | None, now_ms: int
) -> None:
    told = {"expected": discrepancy.expected, "seen": discrepancy.seen, "updated_ms": now_ms}
    detail = {"expected": discrepancy.expected, "seen": discrepancy.seen}
    if row is None:
        incident_id = _insert(connection, discrepancy, told, now_ms)
        note(connection, incident_id, Happened.OPENED, now_ms, detail)
    elif (row.expected, row.seen) != (discrepancy.expected, discrepancy.seen):
        connection.execute(_THIS, {"this": row.id, **told})
        _remember(connection, row._replace(expected=discrepancy.expected, seen=discrepancy.seen, updated_ms=now_ms))
        note(connection, row.id, Happened.UPDATED, now_ms, detail)


def _insert(connection: Connection, discrepancy: Discrepancy, told: Mapping[str, Any], now_ms: int) -> int:
    """A new row; its number."""
    identity = {"kind": discrepancy.kind, "subject": discrepancy.subject}
    previous = connection.execute(_PREVIOUS, identity).one_or_none()
    came_back = previous is not None and previous.closed_ms + REOPENED_WITHIN_MS > now_ms
    number = previous.id if previous is not None else 0
    opened = {
        **identity,
        "ref": origin_of(connection).opaque("incidents", *identity.values(), number, now_ms),
        "cabinet_id": discrepancy.cabinet_id,
        "vehicle_id": discrepancy.vehicle_id,
        "booking_id": discrepancy.booking_id,
        "severity": KINDS[discrepancy.kind].severity,
        "opened_ms": now_ms,
        "reopened": previous.reopened + 1 if previous is not None and came_back else 0,
    }
    inserted = connection.execute(_NEW, {**opened, **told}).inserted_primary_key
    assert inserted is not None, "both databases return the key of a row inserted alone"
    number = int(inserted[0])
    _remember(
        connection,
        OpenIncident(
            number,
            discrepancy.kind,
            discrepancy.subject,
            now_ms,
            discrepancy.expected,
            discrepancy.seen,
            discrepancy.cabinet_id,
        ),
    )
    return number


def _close(
    connection: Connection,
    incident_id: int,
    now_ms: int,
    author: str = PROGRAM,
    detail: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    connection.execute(_THIS, {"this": incident_id, "closed_ms": now_ms, "updated_ms": now_ms})
    _forget(connection, incident_id)
    note(connection, incident_id, Happened.CLOSED, now_ms, dict(detail), author)
