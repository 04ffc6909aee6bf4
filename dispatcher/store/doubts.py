"""What else the reconciler looks at: open doors, keys that should be out, quiet trackers, what comes next."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, and_, bindparam, exists, literal_column, or_, select

from contract.messages import CABINET_DEVICE
from dispatcher.core.booking_states import BookingState
from dispatcher.core.hearing import Hearing
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.orders import SWAP_HOLD
from dispatcher.core.picture import BookingView, DoorView, NeedView, TrackerView
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import HOUR_MS, MINUTE_MS
from dispatcher.store.columns import literally_in
from dispatcher.store.incidents import OpenIncident
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    bookings,
    cabinet_links,
    key_states,
    keys,
    slot_states,
    vehicle_readings,
    vehicles,
)

_LIVE = literally_in(bookings.c.state, LIVE_BOOKING_STATES)  # as in the index, which is not used otherwise
_OPEN_DOORS = (
    select(slot_states.c.cabinet_id, slot_states.c.slot, slot_states.c.changed_ms, cabinet_links.c.online)
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == slot_states.c.cabinet_id)
    .where(slot_states.c.door_open)
    .order_by(slot_states.c.cabinet_id, slot_states.c.slot)
)
_is_out = key_states.alias("is_out")
_IN_SLOT = and_(key_states.c.state == "in_slot", key_states.c.key_id == bookings.c.key_id)
_SHOWN = and_(slot_states.c.key_present, slot_states.c.key_id == bookings.c.key_id)
_HANG = (
    select(
        bookings.c.id,
        bookings.c.cabinet_id,
        bookings.c.vehicle_id,
        bookings.c.key_id,
        bookings.c.end_ms,
        key_states.c.cabinet_id.label("hangs_in"),
        key_states.c.slot,
        slot_states.c.cabinet_id.label("shown_in"),
        slot_states.c.slot.label("shown_slot"),
    )
    .outerjoin(key_states, _IN_SLOT)
    .outerjoin(slot_states, _SHOWN)
    .where(
        _LIVE,
        bookings.c.state == literal_column("'active'"),
        or_(
            slot_states.c.slot.is_not(None),
            and_(
                key_states.c.slot.is_not(None),
                ~exists().where(_is_out.c.grant_id == bookings.c.grant_id, _is_out.c.state == "taken"),
            ),
        ),
    )
)
_QUIET = (
    select(
        vehicle_readings.c.vehicle_id,
        vehicle_readings.c.at_ms,
        keys.c.home_cabinet_id,
        cabinet_links.c.online,
    )
    .join(vehicles, vehicles.c.id == vehicle_readings.c.vehicle_id)
    .join(keys, keys.c.vehicle_id == vehicle_readings.c.vehicle_id)
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == keys.c.home_cabinet_id)
    .where(
        vehicle_readings.c.at_ms < bindparam("before_ms"),
        vehicles.c.life_cycle == "in_service",
        keys.c.life_cycle == "in_service",
    )
    .order_by(vehicle_readings.c.vehicle_id, keys.c.id.desc())
)
_NEEDS = (
    select(
        bookings.c.id,
        bookings.c.cabinet_id,
        bookings.c.vehicle_id,
        vehicles.c.category,
        bookings.c.start_ms,
        bookings.c.end_ms,
        vehicle_readings.c.energy_percent,
        vehicle_readings.c.charging,
    )
    .join(vehicles, vehicles.c.id == bookings.c.vehicle_id)
    .join(vehicle_readings, vehicle_readings.c.vehicle_id == bookings.c.vehicle_id)
    .where(
        _LIVE,
        bookings.c.state == literal_column("'booked'"),
        bookings.c.purpose.is_distinct_from(literal_column(f"'{SWAP_HOLD}'")),
        bookings.c.start_ms <= bindparam("until_ms"),
        bookings.c.take_by_ms <= bindparam("take_by_ms"),  # follows from the start, and is what the index is by
        vehicle_readings.c.energy_percent.is_not(None),
    )
)


def open_doors(
    connection: Connection, hearing: Hearing, known: Iterable[OpenIncident], now_ms: int
) -> tuple[DoorView, ...]:
    """Every slot that stands open, as far as its cabinet told."""
    known = tuple(known)
    already = _subjects(known, IncidentKind.DOOR_LEFT_OPEN)
    blind = _subjects(known, IncidentKind.DEVICE_LOST)
    return tuple(
        DoorView(
            cabinet_id=row.cabinet_id,
            slot=row.slot,
            open_ms=now_ms - row.changed_ms,
            is_seen=bool(row.online)
            and row.cabinet_id in hearing.quiet_s
            and f"{row.cabinet_id}/{CABINET_DEVICE}" not in blind,
            open_already=f"{row.cabinet_id}/{row.slot}" in already,
        )
        for row in connection.execute(_OPEN_DOORS)
    )


def _subjects(known: Iterable[OpenIncident], kind: IncidentKind) -> Collection[str]:
    return {incident.subject for incident in known if incident.kind == kind}


def bookings_whose_key_hangs(connection: Connection) -> tuple[BookingView, ...]:
    """Bookings that run though their key hangs in a slot, by the facts or by what its cabinet shows.

    Not where another key is out under the same right: that one is the wrong key, and has its own name.
    """
    views = {
        row.id: BookingView(
            booking_id=row.id,
            cabinet_id=row.cabinet_id,
            vehicle_id=row.vehicle_id,
            key_id=row.key_id,
            state=BookingState.ACTIVE,
            end_ms=row.end_ms,
            hangs_in=(row.hangs_in, row.slot) if row.hangs_in is not None else (row.shown_in, row.shown_slot),
        )
        for row in connection.execute(_HANG)
    }
    return tuple(
        views[name] for name in sorted(views)
    )  # not by the database, which would read them all in that order


def quiet_trackers(
    connection: Connection, rules: FleetRules, hearing: Hearing, known: Iterable[OpenIncident], now_ms: int
) -> tuple[TrackerView, ...]:
    """Vehicles in service whose tracker has spoken before, and not for long."""
    already = _subjects(known, IncidentKind.VEHICLE_SILENT)
    before_ms = now_ms - rules.vehicle_silent_h * HOUR_MS
    views = {  # of several keys the first counts, as elsewhere
        row.vehicle_id: TrackerView(
            vehicle_id=row.vehicle_id,
            cabinet_id=row.home_cabinet_id,
            quiet_ms=now_ms - row.at_ms,
            is_heard=bool(row.online) and row.home_cabinet_id in hearing.quiet_s,
            open_already=row.vehicle_id in already,
        )
        for row in connection.execute(_QUIET, {"before_ms": before_ms})
    }
    return tuple(views.values())


def needs_soon(connection: Connection, rules: FleetRules, now_ms: int) -> tuple[NeedView, ...]:
    """What bookings that begin soon need, and their vehicles have; nothing where the fleet expects nothing."""
    if not rules.energy_percent_per_hour:
        return ()
    until_ms = now_ms + rules.energy_lead_min * MINUTE_MS
    moments = {"until_ms": until_ms, "take_by_ms": until_ms + rules.take_by_s * 1000}
    return tuple(
        NeedView(
            booking_id=row.id,
            cabinet_id=row.cabinet_id,
            vehicle_id=row.vehicle_id,
            category=row.category,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            energy_percent=row.energy_percent,
            charging=bool(row.charging),
        )
        for row in sorted(connection.execute(_NEEDS, moments), key=lambda row: row.id)
    )
