"""One station: its cabinets in large with what their boxes say of themselves, who comes when, what was taken."""

import json
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from dispatcher.pages.views.calendar import Calendar, calendar
from dispatcher.pages.views.network import StationCard, station
from dispatcher.pages.views.places import Named, vehicles_named
from dispatcher.pages.views.strips import Strip, strips_of
from dispatcher.store.cabinets import CabinetState, cabinet_by_id
from dispatcher.store.schema import cabinet_links, handovers, vehicles

HANDOVERS_MAX = 20  # what a shift asks about; the ledger has the rest

_REPORTED = select(cabinet_links.c.reported).where(cabinet_links.c.cabinet_id == bindparam("cabinet"))
_HANDOVERS = (
    select(
        handovers.c.position,
        handovers.c.kind,
        handovers.c.slot,
        handovers.c.vehicle_id,
        handovers.c.booking_id,
        handovers.c.at_ms,
        handovers.c.identity,
        handovers.c.wrong_slot,
        handovers.c.command_id,
    )
    .where(handovers.c.cabinet_id.in_(bindparam("cabinets", expanding=True)))
    .order_by(handovers.c.at_ms.desc(), handovers.c.position.desc())
    .limit(HANDOVERS_MAX)
)
_CARS = (
    select(vehicles.c.id, vehicles.c.name)
    .where(vehicles.c.home_station_id == bindparam("station"), vehicles.c.life_cycle == "in_service")
    .order_by(vehicles.c.name)
)


class Device(NamedTuple):
    """A reader, a lock board: as the box told of it last."""

    name: str
    online: bool
    tampered: bool


@dataclass(frozen=True, slots=True)
class BoxState:
    state: CabinetState
    devices: tuple[Device, ...]

    @property
    def lag_ms(self) -> int | None:
        """How much older the rights on the box are than ours (versions are unix milliseconds); None: not at all."""
        told = self.state.desired
        if told is None or told.held_version is None or told.held_version >= told.told_version:
            return None
        return told.told_version - told.held_version


@dataclass(frozen=True, slots=True)
class Moved:
    """A key that was taken or brought back, as a sentence says it."""

    position: int
    kind: str
    slot: int
    vehicle: str | None
    booking_id: str | None
    at_ms: int
    identity: str
    wrong_slot: bool
    by_command: bool


@dataclass(frozen=True, slots=True)
class StationPage:
    card: StationCard
    boxes: dict[str, BoxState]
    """By cabinet."""
    strips: tuple[Strip, ...]
    calendar: Calendar
    moved: tuple[Moved, ...]
    """The newest first."""


def station_page(connection: Connection, station_id: str, stale_ms: int, now_ms: int) -> StationPage | None:
    """None: there is no station of that name in service."""
    card = station(connection, station_id, stale_ms, now_ms)
    if card is None:
        return None
    ids = [cabinet.id for cabinet in card.cabinets]
    cars = [Named(row.id, row.name) for row in connection.execute(_CARS, {"station": station_id})]
    return StationPage(
        card=card,
        boxes={each: box for each in ids if (box := _box(connection, each)) is not None},
        strips=strips_of(connection, now_ms, cabinets=ids),
        calendar=calendar(connection, cars, now_ms),
        moved=_moved(connection, ids),
    )


def _box(connection: Connection, cabinet_id: str) -> BoxState | None:
    state = cabinet_by_id(connection, cabinet_id)
    if state is None:
        return None
    text = connection.execute(_REPORTED, {"cabinet": cabinet_id}).scalar_one_or_none()
    devices = json.loads(text).get("devices", ()) if text else ()
    return BoxState(
        state,
        tuple(Device(each["device"], bool(each["online"]), bool(each.get("tampered"))) for each in devices),
    )


def _moved(connection: Connection, cabinet_ids: list[str]) -> tuple[Moved, ...]:
    rows = connection.execute(_HANDOVERS, {"cabinets": cabinet_ids}).all()
    names = vehicles_named(connection, {row.vehicle_id for row in rows if row.vehicle_id is not None})
    return tuple(
        Moved(
            position=row.position,
            kind=row.kind,
            slot=row.slot,
            vehicle=names[row.vehicle_id].name if row.vehicle_id in names else None,
            booking_id=row.booking_id,
            at_ms=row.at_ms,
            identity=row.identity,
            wrong_slot=row.wrong_slot,
            by_command=row.command_id is not None,
        )
        for row in rows
    )
