"""Reads the snapshot that the feeds are made of: one transaction, so that no file contradicts another."""

from sqlalchemy import Connection

from dispatcher.core.availability import VehicleView, judge
from dispatcher.core.rules import FleetRules
from dispatcher.open_data.judging import (
    available_until_ms,
    bookable,
    fresh_energy,
    looked_at,
    next_window,
    presence_of,
)
from dispatcher.open_data.snapshot import Energy, Presence, PublicStation, PublicVehicle, Snapshot
from dispatcher.store.alternatives import silent_towards
from dispatcher.store.public_ids import public_ids
from dispatcher.store.registry import Station, public_stations
from dispatcher.store.vehicles import Vehicle, VehicleFilter, vehicles_of, views


def read_snapshot(connection: Connection, rules: FleetRules, now_ms: int) -> Snapshot:
    """What is public now. A station that no cabinet ever spoke of is not there yet."""
    stations = tuple(filter(None, map(_station, public_stations(connection))))
    here = {station.station_id for station in stations}
    found = [
        vehicle
        for vehicle in vehicles_of(connection, VehicleFilter(in_use=True), signals=True)
        if vehicle.home_station_id in here and vehicle.life_cycle == "in_service"
    ]
    ids = public_ids(connection, [vehicle.id for vehicle in found])
    seen = views(connection, found, now_ms, around=looked_at(rules, now_ms))
    silent = silent_towards(connection, rules, found, next_window(rules, now_ms).start_ms, now_ms)
    vehicles = [
        _vehicle(vehicle, view, ids[vehicle.id], rules, now_ms, is_silent=vehicle.id in silent)
        for vehicle, view in zip(found, seen, strict=True)
    ]
    return Snapshot(now_ms, stations, tuple(sorted(vehicles, key=lambda vehicle: vehicle.public_id)))


def _station(station: Station) -> PublicStation | None:
    cabinets = [cabinet for cabinet in station.cabinets if cabinet.life_cycle == "in_service"]
    heard_ms = max((cabinet.heard_ms for cabinet in cabinets if cabinet.heard_ms is not None), default=None)
    if heard_ms is None:
        return None
    fields = station.fields
    return PublicStation(
        station_id=fields.id,
        name=fields.name,
        region_id=fields.municipality_id,
        region_name=fields.municipality_name,
        latitude=fields.latitude,
        longitude=fields.longitude,
        can_be_told=any(cabinet.reachable for cabinet in cabinets),
        heard_ms=heard_ms,
    )


def _vehicle(
    vehicle: Vehicle, view: VehicleView, public_id: str, rules: FleetRules, now_ms: int, *, is_silent: bool
) -> PublicVehicle:
    verdict = judge(rules, view, next_window(rules, now_ms), now_ms)
    presence = presence_of(view, verdict, is_silent=is_silent)
    is_available = presence is Presence.AVAILABLE
    energy = None if presence is Presence.AWAY else _energy(vehicle, rules, now_ms)
    return PublicVehicle(
        public_id=public_id,
        category=vehicle.category,
        energy_kind=vehicle.energy,
        station_id=vehicle.home_station_id,
        presence=presence,
        energy=energy,
        range_percent=rules.low_energy_percent if energy is None else energy.percent,
        available_until_ms=available_until_ms(view, rules, now_ms) if is_available else None,
        slots=tuple(bookable(view, rules, now_ms, is_silent=is_silent)),
    )


def _energy(vehicle: Vehicle, rules: FleetRules, now_ms: int) -> Energy | None:
    reading, key = vehicle.reading, vehicle.key
    if reading is None:
        return None
    since_ms = None if key is None else key.since_ms
    return fresh_energy(reading.energy_percent, reading.at_ms, since_ms, rules, now_ms)
