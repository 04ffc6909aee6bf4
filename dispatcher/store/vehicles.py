"""Reads vehicles with their key and last signals, and as the availability rules see them."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, literal_column, select

from dispatcher.core.availability import NEVER_MS, Holding, KeyPlace, VehicleView
from dispatcher.core.blocks import BlockTimes
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import BookingReason
from dispatcher.core.windows import Window
from dispatcher.store.among import among
from dispatcher.store.holdings import HoldingKind, holdings_around, holdings_coming
from dispatcher.store.origin import Origin, origin_of
from dispatcher.store.paging import Page, PageRequest, cut
from dispatcher.store.schema import (
    cabinets,
    commands,
    key_states,
    keys,
    vehicle_positions,
    vehicle_readings,
    vehicles,
)


class VehicleKey(NamedTuple):
    """The vehicle's key that rentals use: of those in service whose row has an origin, the one with the lowest id.

    Who moved a key's row to another vehicle, past this program, would have a booking of that one open this slot.
    """

    key_id: str
    home_cabinet_id: str
    cabinet_in_service: bool
    place: KeyPlace
    cabinet_id: str | None
    """Where it hangs, or hung last."""
    identity: str | None
    since_ms: int | None
    ordered_by: str | None = None
    """Who gave the command under which it is out."""
    holder: str | None = None
    """Who has it while it is elsewhere, in an operator's words."""


@dataclass(frozen=True, slots=True)
class Reading:
    at_ms: int
    odometer_m: int | None
    energy_percent: int | None
    charging: bool | None
    low_voltage_mv: int | None
    doors_open: bool | None
    plugged_in: bool | None


@dataclass(frozen=True, slots=True)
class LeftAt:
    """Where it was left outside its bay."""

    latitude: float
    longitude: float
    at_ms: int


class Vehicle(NamedTuple):
    """A tuple, as its key is: a search reads a whole network of them."""

    id: str
    name: str
    category: str
    energy: str
    home_station_id: str
    life_cycle: str
    plate: str | None
    key: VehicleKey | None
    reading: Reading | None
    left_at: LeftAt | None


@dataclass(frozen=True, slots=True)
class VehicleFilter:
    station_id: str | None = None
    category: str | None = None
    in_use: bool = False
    """True: without those that are retired."""
    name: str | None = None
    """Part of the name, in any case."""
    plate: str | None = None
    """Capital letters and digits alone."""


_STATES: Mapping[str, BookingState] = {str(state): state for state in BookingState}  # a tenth of a call's time
_VEHICLE = (
    vehicles.c.id,
    vehicles.c.name,
    vehicles.c.category,
    vehicles.c.energy,
    vehicles.c.home_station_id,
    vehicles.c.life_cycle,
    vehicles.c.plate,
)
"""In the order of `Vehicle`."""
_REASONS: Mapping[str, BookingReason] = {
    HoldingKind.BOOKING: BookingReason.VEHICLE_NOT_FREE,
    HoldingKind.ORDER: BookingReason.IN_SERVICE_ORDER,
    HoldingKind.BLOCK: BookingReason.VEHICLE_BLOCKED,
}
_WILD = re.compile("[%_/]")  # what LIKE does not take by its letter
_CONDITIONS: Mapping[str, Any] = {
    "station": vehicles.c.home_station_id == bindparam("station"),
    "category": vehicles.c.category == bindparam("category"),
    "name": func.lower(vehicles.c.name).like(bindparam("name"), escape="/"),
    "plate": vehicles.c.plate == bindparam("plate"),
    "in_use": vehicles.c.life_cycle != literal_column("'retired'"),
    "vehicle": vehicles.c.id == bindparam("vehicle"),
    "vehicles": among(vehicles.c.id, "vehicles"),
    "after": vehicles.c.id > bindparam("after"),
}
"""Which vehicles, by the name of the value that is given; `in_use` takes none."""
_READINGS = select(vehicle_readings).where(among(vehicle_readings.c.vehicle_id, "vehicles"))
_LEFT = select(vehicle_positions).where(among(vehicle_positions.c.vehicle_id, "vehicles"))
_OF_KEY = (
    *keys.c,
    cabinets.c.life_cycle.label("cabinet_life_cycle"),
    key_states.c.state,
    key_states.c.cabinet_id,
    key_states.c.identity,
    key_states.c.since_ms,
    commands.c.author,
    key_states.c.holder,
)
_KEY_NAMES = tuple(column.name for column in _OF_KEY[:-1])  # without the holder


@cache
def _statement(asked: frozenset[str]) -> Select[Any]:
    """The vehicles chosen by these values, in the order of their ids, each beside its keys in service."""
    chosen = select(*_VEHICLE).where(*(condition for name, condition in _CONDITIONS.items() if name in asked))
    if "limit" in asked:
        chosen = chosen.order_by(vehicles.c.id).limit(bindparam("limit"))
    these = chosen.subquery()
    in_service = (keys.c.vehicle_id == these.c.id) & (keys.c.life_cycle == literal_column("'in_service'"))
    beside = (
        these.outerjoin(keys, in_service)
        .outerjoin(cabinets, cabinets.c.id == keys.c.home_cabinet_id)
        .outerjoin(key_states, key_states.c.key_id == keys.c.id)
        .outerjoin(commands, commands.c.id == key_states.c.command_id)
    )
    return select(*these.c, *_OF_KEY).select_from(beside).order_by(these.c.id, keys.c.id)


def vehicles_page(
    connection: Connection, wanted: VehicleFilter, request: PageRequest, *, signals: bool = True
) -> Page[Vehicle]:
    """Vehicles in the order of their ids; `signals` False: without what they said last, which costs two reads."""
    asked = {**_asked(wanted), "limit": request.limit + 1}
    if request.after is not None:
        (asked["after"],) = request.after
    return cut(_read(connection, asked, signals=signals), request, lambda vehicle: (vehicle.id,))


def vehicles_named(connection: Connection, vehicle_ids: Sequence[str]) -> list[Vehicle]:
    """These vehicles, in the order of their ids, without what they said last."""
    return _read(connection, {"vehicles": list(vehicle_ids)}, signals=False)


def vehicles_of(connection: Connection, wanted: VehicleFilter, *, signals: bool = False) -> list[Vehicle]:
    """All vehicles that fit, where a page would hide a free one; `signals`: also with what they said last."""
    return _read(connection, _asked(wanted), signals=signals)


def vehicle_by_id(connection: Connection, vehicle_id: str, *, signals: bool = False) -> Vehicle | None:
    """One vehicle; `signals`: also with what it said last."""
    found = _read(connection, {"vehicle": vehicle_id}, signals=signals)
    return found[0] if found else None


def views(
    connection: Connection,
    found: Sequence[Vehicle],
    now_ms: int,
    *,
    without_booking: str | None = None,
    around: Window | None = None,
) -> list[VehicleView]:
    """The vehicles with their present and coming holdings, one booking perhaps left out (the one changed).

    `around`: only with what matters for this window, so that the rest of a full year is not read.
    """
    holdings = defaultdict(list)
    ids = [vehicle.id for vehicle in found]
    known_until: dict[str, int] = {}
    until_ms = NEVER_MS if around is None else around.end_ms
    rows = holdings_coming(connection, ids, now_ms) if around is None else holdings_around(connection, ids, around)
    for vehicle_id, holding_id, state, start_ms, end_ms, kind in rows:
        reason = _REASONS[kind]
        if reason is BookingReason.VEHICLE_BLOCKED or end_ms is None:
            start_ms, end_ms = BlockTimes(start_ms, end_ms).window(now_ms)  # noqa: PLW2901  # as it is judged
        elif start_ms >= until_ms:
            known_until[vehicle_id] = start_ms
        if holding_id != without_booking:
            holdings[vehicle_id].append(Holding(holding_id, _STATES[state], start_ms, end_ms, reason))
    return [_view(vehicle, tuple(holdings[vehicle.id]), known_until.get(vehicle.id, NEVER_MS)) for vehicle in found]


def _view(vehicle: Vehicle, holdings: tuple[Holding, ...], known_until_ms: int) -> VehicleView:
    key = vehicle.key
    away = key is not None and key.place == "in_slot" and key.cabinet_id != key.home_cabinet_id
    return VehicleView(
        vehicle_id=vehicle.id,
        in_service=vehicle.life_cycle == "in_service",
        key_in_service=key is not None and key.cabinet_in_service,
        key_place="elsewhere" if away else key.place if key is not None else "unknown",
        holdings=holdings,
        known_until_ms=known_until_ms,
    )


def _asked(wanted: VehicleFilter) -> dict[str, Any]:
    """The values by which `_statement` chooses."""
    values = {"station": wanted.station_id, "category": wanted.category, "plate": wanted.plate}
    if wanted.name is not None:
        values["name"] = "%" + _WILD.sub(r"/\g<0>", wanted.name.lower()) + "%"
    asked = {name: value for name, value in values.items() if value is not None}
    return {**asked, "in_use": True} if wanted.in_use else asked


def _read(connection: Connection, asked: Mapping[str, Any], *, signals: bool) -> list[Vehicle]:
    rows = connection.execute(_statement(frozenset(asked)), asked).all()
    origin = origin_of(connection)
    found = []
    for _, of_one in groupby(rows, key=itemgetter(0)):
        told = tuple(map(tuple, of_one))
        vehicle = origin.made(_vehicle, tuple(row[:-1] for row in told))
        holder = next((row[-1] for row in told if row[-1] is not None and _is_used(vehicle, row)), None)
        found.append(vehicle if holder is None else _held_by(vehicle, holder))
    return _with_signals(connection, found) if signals else found


def _with_signals(connection: Connection, found: Sequence[Vehicle]) -> list[Vehicle]:
    ids = {"vehicles": [vehicle.id for vehicle in found]}
    readings: dict[str, Reading] = {}
    for values in map(dict, connection.execute(_READINGS, ids).mappings()):
        vehicle_id = values.pop("vehicle_id")
        readings[vehicle_id] = Reading(**values)
    left = {
        row.vehicle_id: LeftAt(row.latitude, row.longitude, row.at_ms) for row in connection.execute(_LEFT, ids)
    }
    return [each._replace(reading=readings.get(each.id), left_at=left.get(each.id)) for each in found]


def _is_used(vehicle: Vehicle, row: tuple[Any, ...]) -> bool:
    return vehicle.key is not None and vehicle.key.key_id == row[len(_VEHICLE)]


def _held_by(vehicle: Vehicle, holder: str) -> Vehicle:
    """Who holds its key is a person, perhaps: nothing keeps that but its row."""
    assert vehicle.key is not None, "what is held is a key"
    return vehicle._replace(key=vehicle.key._replace(holder=holder))


def _vehicle(origin: Origin, rows: tuple[tuple[Any, ...], ...]) -> Vehicle:
    """A vehicle of its rows without their holder: one for each key in service, in the order of their ids."""
    of_keys = (dict(zip(_KEY_NAMES, row[len(_VEHICLE) :], strict=True)) for row in rows)
    usable = (_key(origin, of_key) for of_key in of_keys if of_key["id"] is not None)
    return Vehicle._make((*rows[0][: len(_VEHICLE)], next(filter(None, usable), None), None, None))


def _key(origin: Origin, row: Mapping[str, Any]) -> VehicleKey | None:
    """None: the row has no origin."""
    if not origin.holds(keys, row):
        return None
    return VehicleKey(
        key_id=row["id"],
        home_cabinet_id=row["home_cabinet_id"],
        cabinet_in_service=row["cabinet_life_cycle"] == "in_service",
        place=row["state"] or "unknown",
        cabinet_id=row["cabinet_id"],
        identity=row["identity"],
        since_ms=row["since_ms"],
        ordered_by=row["author"],
    )
