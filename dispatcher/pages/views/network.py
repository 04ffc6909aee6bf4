"""Every station with its cabinets, slot by slot: what is known, and how old that is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, bindparam, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import FleetRules
from dispatcher.core.silence import REPORT_EVERY_S
from dispatcher.pages.views.slots import KeyFacts, Shown, SlotFacts, SlotView, slot_view
from dispatcher.store.columns import literally_in
from dispatcher.store.reachability import reachable_cabinets
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    blocks,
    bookings,
    cabinet_links,
    cabinet_stations,
    cabinets,
    key_states,
    keys,
    municipalities,
    slot_states,
    slot_uses,
    stations,
    vehicles,
)

IN_SERVICE = "in_service"


class Heard(StrEnum):
    """How good what is known of a cabinet is."""

    FRESH = "fresh"
    STALE = "stale"  # online, and its last report is older than any of a cabinet that is well
    SILENT = "silent"  # offline, or called silent
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class CabinetBox:
    """A cabinet and what hangs in it."""

    id: str
    heard: Heard
    heard_ms: int | None
    clock_trusted: bool | None
    slots: tuple[SlotView, ...]

    @property
    def free_slots(self) -> int:
        """Slots that a key can be brought back into, as far as is known."""
        return sum(slot.shown in {Shown.EMPTY, Shown.SPARE, Shown.AWAY} for slot in self.slots)


@dataclass(frozen=True, slots=True)
class StationCard:
    id: str
    name: str
    municipality_id: str
    municipality: str
    latitude: float
    longitude: float
    cabinets: tuple[CabinetBox, ...]
    served_by: tuple[str, ...]
    """Cabinets of other stations where its keys hang."""
    cars: int
    """Vehicles in service that live here."""
    free: int
    """Those of them that could be taken now: key there, not booked, not blocked."""

    @property
    def heard(self) -> Heard:
        """The worst of its cabinets."""
        order = list(Heard)
        return max((cabinet.heard for cabinet in self.cabinets), key=order.index, default=Heard.FRESH)

    @property
    def wrong(self) -> int:
        """Slots that somebody has to look at."""
        return sum(slot.is_wrong for cabinet in self.cabinets for slot in cabinet.slots)


_STATIONS = (
    select(stations, municipalities.c.name.label("municipality"))
    .join(municipalities, municipalities.c.id == stations.c.municipality_id)
    .where(stations.c.life_cycle == IN_SERVICE)
    .order_by(municipalities.c.name, stations.c.name)
)
_CABINETS = (
    select(
        cabinets.c.id,
        cabinets.c.station_id,
        cabinets.c.slots,
        cabinet_links.c.heard_ms,
        cabinet_links.c.clock_trusted,
    )
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cabinets.c.id)
    .where(cabinets.c.life_cycle == IN_SERVICE)
    .order_by(cabinets.c.id)
)
_KEYS = (
    select(
        keys.c.id,
        keys.c.vehicle_id,
        keys.c.home_cabinet_id,
        keys.c.home_slot,
        vehicles.c.name,
        vehicles.c.home_station_id,
        key_states.c.state,
        key_states.c.cabinet_id,
        key_states.c.slot,
        key_states.c.grant_id,
    )
    .join(vehicles, vehicles.c.id == keys.c.vehicle_id)
    .outerjoin(key_states, key_states.c.key_id == keys.c.id)
    .where(keys.c.life_cycle == IN_SERVICE, vehicles.c.life_cycle == IN_SERVICE)
)
_HOLDING = select(
    bookings.c.vehicle_id, bookings.c.grant_id, bookings.c.start_ms, bookings.c.end_ms, bookings.c.state
).where(
    literally_in(bookings.c.state, LIVE_BOOKING_STATES),
    (bookings.c.start_ms <= bindparam("now_ms")) | (bookings.c.state == BookingState.ACTIVE),
)
_BLOCKED = select(blocks.c.vehicle_id).where(blocks.c.ended_ms.is_(None), blocks.c.start_ms <= bindparam("now_ms"))
_SERVED = select(cabinet_stations.c.cabinet_id, cabinet_stations.c.station_id).where(
    cabinet_stations.c.serves.is_(True)
)


class _Known(NamedTuple):
    """All of it, by what it is looked up by."""

    slots: Mapping[tuple[str, int], SlotFacts]
    uses: Mapping[tuple[str, int], str]
    keys: Mapping[str, KeyFacts]
    homes: Mapping[tuple[str, int], KeyFacts]
    blocked: frozenset[str]
    busy: frozenset[str]
    """Vehicles that a booking or an order holds now."""
    reachable: frozenset[str]
    served: Mapping[str, list[str]]
    """Cabinets by the station that they serve beside their own."""


def stale_after_ms(rules: FleetRules, speed: float = 1.0) -> int:
    """How old the last word of a cabinet that is well can be; boxes count in real time, whatever the clock does."""
    return round(1000 * (REPORT_EVERY_S + rules.cabinet_silent_s) * speed)


def network(connection: Connection, stale_ms: int, now_ms: int) -> tuple[StationCard, ...]:
    """Every station in service, by municipality and name; `stale_ms`: `stale_after_ms`."""
    return _cards(connection, _STATIONS, _CABINETS, stale_ms, now_ms)


def station(connection: Connection, station_id: str, stale_ms: int, now_ms: int) -> StationCard | None:
    """One of them; None: there is none of that name in service."""
    found = _cards(
        connection,
        _STATIONS.where(stations.c.id == station_id),
        _CABINETS.where(cabinets.c.station_id == station_id),
        stale_ms,
        now_ms,
    )
    return found[0] if found else None


def _cards(
    connection: Connection, of_stations: Select[Any], of_cabinets: Select[Any], stale_ms: int, now_ms: int
) -> tuple[StationCard, ...]:
    key_rows = connection.execute(_KEYS).mappings().all()
    known = _known(connection, key_rows, now_ms)
    boxes: dict[str, list[CabinetBox]] = defaultdict(list)
    for row in connection.execute(of_cabinets).mappings():
        boxes[row["station_id"]].append(_box(row, known, stale_ms, now_ms))
    cars: dict[str, set[str]] = defaultdict(set)
    for row in key_rows:
        cars[row["home_station_id"]].add(row["vehicle_id"])
    ready = _ready(known)
    return tuple(
        _card(row, boxes[row["id"]], known.served.get(row["id"], []), cars[row["id"]], ready)
        for row in connection.execute(of_stations).mappings()
    )


def _card(
    row: RowMapping, boxes: Iterable[CabinetBox], served_by: Iterable[str], cars: set[str], ready: frozenset[str]
) -> StationCard:
    return StationCard(
        id=row["id"],
        name=row["name"],
        municipality_id=row["municipality_id"],
        municipality=row["municipality"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        cabinets=tuple(boxes),
        served_by=tuple(served_by),
        cars=len(cars),
        free=len(cars & ready),
    )


def _known(connection: Connection, key_rows: Iterable[RowMapping], now_ms: int) -> _Known:
    at = {"now_ms": now_ms}
    holding = connection.execute(_HOLDING, at).all()
    back_ms = {row.grant_id: row.end_ms for row in holding}
    by_vehicle = {row.vehicle_id: row.end_ms for row in holding if row.state == BookingState.ACTIVE}
    found = {row["id"]: _key(row, back_ms, by_vehicle) for row in key_rows}
    served: dict[str, list[str]] = defaultdict(list)
    for cabinet_id, station_id in connection.execute(_SERVED):
        served[station_id].append(cabinet_id)
    return _Known(
        slots={
            (row.cabinet_id, row.slot): SlotFacts(row.key_present, row.key_id, row.identity, row.door_open)
            for row in connection.execute(select(slot_states))
        },
        uses={(row.cabinet_id, row.slot): row.use for row in connection.execute(select(slot_uses))},
        keys=found,
        homes={key.home: key for key in found.values()},
        blocked=frozenset(connection.execute(_BLOCKED, at).scalars()),
        busy=frozenset(row.vehicle_id for row in holding),
        reachable=reachable_cabinets(connection),
        served=served,
    )


def _key(row: RowMapping, back_ms: Mapping[str, int], by_vehicle: Mapping[str, int]) -> KeyFacts:
    return KeyFacts(
        key_id=row["id"],
        vehicle_id=row["vehicle_id"],
        vehicle=row["name"],
        home=(row["home_cabinet_id"], row["home_slot"]),
        state=row["state"],
        place=(row["cabinet_id"], row["slot"]),
        back_ms=back_ms.get(row["grant_id"] or "", by_vehicle.get(row["vehicle_id"])),
    )


def _box(row: RowMapping, known: _Known, stale_ms: int, now_ms: int) -> CabinetBox:
    views = []
    for number in range(1, row["slots"] + 1):
        place = (row["id"], number)
        told = known.slots.get(place)
        hangs = known.keys.get(told.key_id) if told is not None and told.key_id is not None else None
        view = slot_view(place, told, known.uses.get(place), known.homes.get(place), hangs, now_ms)
        views.append(replace(view, is_blocked=view.vehicle_id in known.blocked))
    heard_ms = row["heard_ms"]
    return CabinetBox(
        id=row["id"],
        heard=_heard(heard_ms, stale_ms, now_ms, is_reachable=row["id"] in known.reachable),
        heard_ms=heard_ms,
        clock_trusted=row["clock_trusted"],
        slots=tuple(views),
    )


def _heard(heard_ms: int | None, stale_ms: int, now_ms: int, *, is_reachable: bool) -> Heard:
    if heard_ms is None:
        return Heard.NEVER
    if not is_reachable:
        return Heard.SILENT
    return Heard.FRESH if now_ms - heard_ms <= stale_ms else Heard.STALE


def _ready(known: _Known) -> frozenset[str]:
    """Vehicles whose key hangs in a slot, and which nothing holds."""
    hanging = {
        known.keys[told.key_id].vehicle_id
        for told in known.slots.values()
        if told.key_present and told.key_id is not None and told.key_id in known.keys
    }
    return frozenset(hanging) - known.blocked - known.busy
