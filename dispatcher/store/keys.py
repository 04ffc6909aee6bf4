"""Where each key is, and what is wrong with that."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, bindparam, false, func, literal_column, or_, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.picture import BookingView, KeyView
from dispatcher.core.reconcile import of_key
from dispatcher.store.columns import literally_in
from dispatcher.store.incidents import OpenIncident, settle
from dispatcher.store.kept import change_row, kept_row
from dispatcher.store.later import remembered
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings, commands, key_states, keys, vehicle_positions
from dispatcher.store.scope import Scope

KEY_KINDS = (
    IncidentKind.KEY_OUT_WITHOUT_RIGHT,
    IncidentKind.WRONG_KEY_TAKEN,
    IncidentKind.KEY_IN_WRONG_SLOT,
    IncidentKind.KEY_AT_WRONG_STATION,
    IncidentKind.KEY_MISSING,
)
"""What `of_key` can find: the kinds whose subject is a key."""


def set_key(connection: Connection, key_id: str, **columns: Any) -> None:
    """Write where a key is: `state`, `cabinet_id`, `slot`, `identity`, `grant_id`, `command_id`, `badge_ref`,
    `since_ms`, and `holder`, who is known only until the next word of it.
    """
    change_row(connection, key_states, {"key_id": key_id, "holder": None, **columns})


class KeyRow(NamedTuple):
    """A row of `key_states`."""

    key_id: str
    state: str
    cabinet_id: str | None
    slot: int | None
    identity: str
    grant_id: str | None
    badge_ref: str | None
    since_ms: int
    command_id: str | None
    holder: str | None


def key_state(connection: Connection, key_id: str) -> KeyRow | None:
    """Where a key is; None for a key never heard of."""
    row = kept_row(connection, key_states, key_id)
    return None if row is None else KeyRow(**row)


class Fob(NamedTuple):
    """A key of the fleet, as far as a handover asks."""

    vehicle_id: str
    home: tuple[str, int]
    """Cabinet and slot where it lives."""
    left_outside: bool
    """Where its vehicle stands is known to be outside its bay."""


def fob_of(connection: Connection, key_id: str | None) -> Fob | None:
    """None for a key that nothing identified, or that is not of this fleet. A transaction reads it once.

    Whoever changes where vehicles stand calls `forget_fobs`.
    """
    if key_id is None:
        return None
    known: dict[str, Fob | None] = remembered(connection).setdefault(_FOBS, {})
    if key_id not in known:
        known[key_id] = _read_fob(connection, key_id)
    return known[key_id]


def _read_fob(connection: Connection, key_id: str) -> Fob | None:
    row = connection.execute(_FOB, {"key": key_id}).one_or_none()
    if row is None:
        return None
    return Fob(row.vehicle_id, (row.home_cabinet_id, row.home_slot), row.outside is not None)


def forget_fobs(connection: Connection) -> None:
    """Where vehicles stand has changed since they were read."""
    remembered(connection).pop(_FOBS, None)


def settle_key(connection: Connection, key_id: str, now_ms: int) -> None:
    """Open and close the incidents of one key, as it is after a fact."""
    for row in connection.execute(_ONE, {"key": key_id}):
        settle(connection, of_key(_view(row)), KEY_KINDS, now_ms, subject=key_id)


def settle_known_key(connection: Connection, key: KeyView, now_ms: int) -> None:
    """As `settle_key`, where whoever moved the key knows all of it."""
    settle(connection, of_key(key), KEY_KINDS, now_ms, subject=key.key_id)


def keys_in_doubt(connection: Connection, scope: Scope, known: Iterable[OpenIncident]) -> tuple[KeyView, ...]:
    """Every key that neither hangs at home nor is out under the very right that names it.

    Of a scope: those that hang nowhere, that the cabinets touched know of, or that have an incident among `known`.
    """
    if scope.cabinets is None:
        return tuple(_view(row) for row in connection.execute(_IN_DOUBT))
    named = {incident.subject for incident in known if incident.kind in KEY_KINDS}
    touched = {"cabinets": sorted(scope.cabinets), "keys": sorted(named)}
    return tuple(_view(row) for row in connection.execute(_TOUCHED_IN_DOUBT, touched))


_FOBS = "fobs"  # as what is remembered
_FOB = (
    select(
        keys.c.vehicle_id,
        keys.c.home_cabinet_id,
        keys.c.home_slot,
        vehicle_positions.c.vehicle_id.label("outside"),
    )
    .outerjoin(vehicle_positions, vehicle_positions.c.vehicle_id == keys.c.vehicle_id)
    .where(keys.c.id == bindparam("key"))
)
_VIEWS = (  # made once: these run for every handover and every two seconds
    select(
        key_states,
        keys.c.vehicle_id,
        keys.c.home_cabinet_id,
        keys.c.home_slot,
        bookings.c.id.label("booking_id"),
        bookings.c.cabinet_id.label("booking_cabinet_id"),
        bookings.c.vehicle_id.label("booking_vehicle_id"),
        bookings.c.key_id.label("booking_key_id"),
        bookings.c.state.label("booking_state"),
        bookings.c.end_ms,
        commands.c.author,
    )
    .outerjoin(keys, keys.c.id == key_states.c.key_id)
    .outerjoin(bookings, bookings.c.grant_id == key_states.c.grant_id)
    .outerjoin(
        commands,
        and_(commands.c.id == key_states.c.command_id, commands.c.cabinet_id == key_states.c.cabinet_id),
    )
    .order_by(key_states.c.key_id)
)
_ONE = _VIEWS.where(key_states.c.key_id == bindparam("key"))
_AT_HOME = and_(
    key_states.c.state == "in_slot",
    key_states.c.cabinet_id == keys.c.home_cabinet_id,
    key_states.c.slot == keys.c.home_slot,
)
_UNDER_RIGHT = and_(
    key_states.c.state == "taken",
    or_(
        and_(bookings.c.key_id == key_states.c.key_id, literally_in(bookings.c.state, LIVE_BOOKING_STATES)),
        commands.c.id.is_not(None),
    ),
)
_IN_DOUBT = _VIEWS.where(~func.coalesce(_AT_HOME, false()), ~func.coalesce(_UNDER_RIGHT, false()))  # no row: no
_TOUCHED = or_(
    key_states.c.state != literal_column("'in_slot'"),
    key_states.c.cabinet_id.in_(bindparam("cabinets", expanding=True)),
    key_states.c.key_id.in_(bindparam("keys", expanding=True)),
)
_TOUCHED_IN_DOUBT = _IN_DOUBT.where(_TOUCHED)


def _view(row: Row[Any]) -> KeyView:
    booking = None
    if row.booking_id is not None:
        booking = BookingView(
            booking_id=row.booking_id,
            cabinet_id=row.booking_cabinet_id,
            vehicle_id=row.booking_vehicle_id,
            key_id=row.booking_key_id,
            state=BookingState(row.booking_state),
            end_ms=row.end_ms,
        )
    return KeyView(
        key_id=row.key_id,
        vehicle_id=row.vehicle_id,
        home=(row.home_cabinet_id, row.home_slot) if row.home_cabinet_id is not None else None,
        state=row.state,
        place=(row.cabinet_id, row.slot),
        grant_id=row.grant_id,
        booking=booking,
        command_id=row.command_id,
        ordered_by=row.author,
    )
