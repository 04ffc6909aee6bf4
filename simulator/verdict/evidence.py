"""What the dispatcher's database says, read once at the end: the other side of every comparison.

Only tables are read, with SQLAlchemy Core: no word of an agent and no code of the dispatcher's stands between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection, select

from contract.facts import BadFact, Fact, UnknownFact, parse_fact
from dispatcher.core.orders import SWAP_HOLD
from dispatcher.store import schema


@dataclass(frozen=True, slots=True)
class Booking:
    id: str
    people: frozenset[str]
    """Owner and drivers."""
    vehicle: str
    cabinet: str
    key: str
    start_ms: int
    end_ms: int
    take_by_ms: int
    state: str
    ended_ms: int | None
    created_ms: int
    returned_ms: int | None = None
    no_show_declared_ms: int | None = None
    """When this was decided, which is later than `ended_ms`."""


@dataclass(frozen=True, slots=True)
class LedgerFact:
    position: int
    cabinet: str
    epoch: str
    seq: int
    fact: Fact | UnknownFact | BadFact
    hash: str = ""
    is_repeat: bool = False
    """A box put back from an old image told it again under another number, and it was not applied again."""


@dataclass(frozen=True, slots=True)
class Badge:
    ref: str
    member: str
    is_active: bool
    revoked_ms: int | None = None


@dataclass(frozen=True, slots=True)
class KeyState:
    state: str
    cabinet: str | None
    slot: int | None


@dataclass(frozen=True, slots=True)
class SlotState:
    key_present: bool | None
    door_open: bool | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Incident:
    kind: str
    subject: str
    opened_ms: int
    is_open: bool
    seen: str
    closed_ms: int | None = None


@dataclass(frozen=True)
class Evidence:
    """The database at one instant."""

    bookings: tuple[Booking, ...]
    ledger: tuple[LedgerFact, ...]
    """In the order in which the ledger took them."""
    badges: Mapping[str, Badge]
    """By credential."""
    keys: Mapping[str, KeyState]
    slots: Mapping[tuple[str, int], SlotState]
    incidents: tuple[Incident, ...]
    refusals: tuple[str, ...]
    """The reason of each."""
    handovers: tuple[str, ...]
    """The kind of each: taken, returned."""

    @cached_property
    def booking_by_id(self) -> Mapping[str, Booking]:
        return {booking.id: booking for booking in self.bookings}

    @cached_property
    def credential_of_ref(self) -> Mapping[str, str]:
        return {badge.ref: credential for credential, badge in self.badges.items()}

    def ledger_of(self, cabinet: str) -> tuple[LedgerFact, ...]:
        return tuple(fact for fact in self.ledger if fact.cabinet == cabinet)


def read_evidence(connection: Connection) -> Evidence:
    """Read everything that the verdict needs, in one transaction of the caller."""
    return Evidence(
        bookings=_bookings(connection),
        ledger=_ledger(connection),
        badges=_badges(connection),
        keys={
            row.key_id: KeyState(row.state, row.cabinet_id, row.slot)
            for row in connection.execute(select(schema.key_states))
        },
        slots={
            (row.cabinet_id, row.slot): SlotState(row.key_present, row.door_open, row.key_id)
            for row in connection.execute(select(schema.slot_states))
        },
        incidents=tuple(
            Incident(row.kind, row.subject, row.opened_ms, row.closed_ms is None, row.seen, row.closed_ms)
            for row in connection.execute(select(schema.incidents).order_by(schema.incidents.c.id))
        ),
        refusals=tuple(connection.execute(select(schema.refusals.c.reason)).scalars()),
        handovers=tuple(connection.execute(select(schema.handovers.c.kind)).scalars()),
    )


def _bookings(connection: Connection) -> tuple[Booking, ...]:
    """Without what only holds a vehicle that a booking is offered: no right, and nobody's booking."""
    drivers: dict[str, set[str]] = {}
    for row in connection.execute(select(schema.booking_drivers)):
        drivers.setdefault(row.booking_id, set()).add(row.member_id)
    told = select(schema.booking_history).where(schema.booking_history.c.what == "no_show_declared")
    declared = {row.booking_id: row.at_ms for row in connection.execute(told)}
    return tuple(
        Booking(
            id=row.id,
            people=frozenset({row.member_id, *drivers.get(row.id, ())}),
            vehicle=row.vehicle_id,
            cabinet=row.cabinet_id,
            key=row.key_id,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            take_by_ms=row.take_by_ms,
            state=row.state,
            ended_ms=row.ended_ms,
            created_ms=row.created_ms,
            returned_ms=row.returned_ms,
            no_show_declared_ms=declared.get(row.id),
        )
        for row in connection.execute(
            select(schema.bookings)
            .where(schema.bookings.c.purpose.is_distinct_from(SWAP_HOLD))
            .order_by(schema.bookings.c.start_ms)
        )
    )


def _ledger(connection: Connection) -> tuple[LedgerFact, ...]:
    return tuple(
        LedgerFact(
            row.position,
            row.cabinet_id,
            row.epoch,
            row.seq,
            _fact(row.text),
            row.hash,
            is_repeat=row.repeats is not None,
        )
        for row in connection.execute(select(schema.facts).order_by(schema.facts.c.position))
    )


def _fact(text: str) -> Fact | UnknownFact | BadFact:
    try:
        return parse_fact(text)
    except BadFact as error:
        return error


def _badges(connection: Connection) -> Mapping[str, Badge]:
    return {
        row.credential: Badge(row.ref, row.member_id, row.state == "active", row.revoked_ms)
        for row in connection.execute(select(schema.badges))
    }
