"""The `data` of each file of GBFS 3.0, and of `vehicle_availability` of 3.1, from a snapshot and the settings.

Field names and conditions: GBFS 3.0 (`gbfs.md` at tag v3.0) and 3.1-RC3, by file.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from dispatcher.core.windows import to_ms
from dispatcher.open_data.closures import Closures, alerts_to_tell, closures
from dispatcher.open_data.settings import OpenDataSettings, PlanSettings, SegmentSettings, VehicleTypeSettings
from dispatcher.open_data.snapshot import Presence, PublicStation, PublicVehicle, Snapshot
from dispatcher.open_data.texts import LANGUAGES, Json, name_of_place, timestamp, without_none

PROPULSION: Mapping[str, str] = MappingProxyType(
    {
        "petrol": "combustion",
        "diesel": "combustion_diesel",
        "hybrid": "hybrid",
        "plug_in_hybrid": "plug_in_hybrid",
        "electric": "electric",
        "hydrogen": "hydrogen_fuel_cell",
    }
)
"""`propulsion_type` of each energy that a vehicle can have here."""
KM_M = 1000
PLACES = 6  # of degrees: a tenth of a metre, what GBFS recommends


def system_information(_snapshot: Snapshot, settings: OpenDataSettings) -> Json:
    system = settings.system
    told = {name: getattr(system, name) for name in type(system).model_fields}
    return {"languages": list(LANGUAGES), **without_none(told)}


def system_regions(snapshot: Snapshot, _settings: OpenDataSettings) -> Json:
    """The municipalities that have a public station."""
    names = {station.region_id: station.region_name for station in snapshot.stations}
    return {"regions": [{"region_id": found, "name": name_of_place(names[found])} for found in sorted(names)]}


def station_information(snapshot: Snapshot, _settings: OpenDataSettings) -> Json:
    """Cars stand in plain bays, whose number is not known here: stations are virtual ones, in the words of GBFS."""
    return {
        "stations": [
            {
                "station_id": station.station_id,
                "name": name_of_place(station.name),
                "lat": round(station.latitude, PLACES),
                "lon": round(station.longitude, PLACES),
                "region_id": station.region_id,
                "is_virtual_station": True,
            }
            for station in snapshot.stations
        ]
    }


def station_status(snapshot: Snapshot, settings: OpenDataSettings) -> Json:
    closed = closures(settings, snapshot.at_ms)
    types = sorted({vehicle.type_id for vehicle in snapshot.vehicles})
    here: dict[str, list[PublicVehicle]] = {station.station_id: [] for station in snapshot.stations}
    for vehicle in snapshot.vehicles:
        here[vehicle.station_id].append(vehicle)
    return {
        "stations": [_status(station, here[station.station_id], types, closed) for station in snapshot.stations]
    }


def _status(station: PublicStation, here: list[PublicVehicle], types: list[str], closed: Closures) -> Json:
    there = [] if closed.suspended else [vehicle.presence for vehicle in here]
    available = Counter(
        vehicle.type_id for vehicle in here if vehicle.presence is Presence.AVAILABLE and not closed.suspended
    )
    # a key may live in a neighbour's cabinet: what can be booked here says that one can book here
    can_be_told = station.can_be_told or available.total() > 0
    return {
        "station_id": station.station_id,
        "is_installed": True,
        "is_renting": can_be_told and closed.rents(station.station_id),
        "is_returning": not closed.suspended,  # a return needs no network and no right
        "last_reported": timestamp(station.heard_ms),
        "num_vehicles_available": available.total(),
        "num_vehicles_disabled": there.count(Presence.DISABLED),
        "vehicle_types_available": [{"vehicle_type_id": kind, "count": available[kind]} for kind in types],
    }


def vehicle_types(snapshot: Snapshot, settings: OpenDataSettings) -> Json:
    """Those that public stations have."""
    kinds = sorted({(vehicle.type_id, vehicle.category, vehicle.energy_kind) for vehicle in snapshot.vehicles})
    return {"vehicle_types": [_type(settings, *kind) for kind in kinds]}


def _type(settings: OpenDataSettings, type_id: str, category: str, energy: str) -> Json:
    more = _more_of(settings, category, energy)
    plan_id = None if more is None else more.pricing_plan_id
    if plan_id is None and settings.pricing_plans:
        plan_id = settings.pricing_plans[0].plan_id
    return without_none(
        {
            "vehicle_type_id": type_id,
            "form_factor": "car",
            "propulsion_type": PROPULSION[energy],
            "max_range_meters": _max_range_m(settings, category, energy),
            "return_constraint": "roundtrip_station",
            "name": None if more is None else more.name,
            "rider_capacity": None if more is None else more.rider_capacity,
            "default_pricing_plan_id": plan_id,
        }
    )


def _more_of(settings: OpenDataSettings, category: str, energy: str) -> VehicleTypeSettings | None:
    fitting = (it for it in settings.vehicle_types if (it.category, it.energy) == (category, energy))
    return next(fitting, None)


def _max_range_m(settings: OpenDataSettings, category: str, energy: str) -> int:
    more = _more_of(settings, category, energy)
    own_km = None if more is None else more.max_range_km
    usual_km: int = getattr(settings.ranges_km, energy)
    return (usual_km if own_km is None else own_km) * KM_M


def vehicle_status(snapshot: Snapshot, settings: OpenDataSettings) -> Json:
    """Vehicles that stand at their stations. Their place is their station's, never one of their own."""
    if settings.suspended:
        return {"vehicles": []}
    there = [vehicle for vehicle in snapshot.vehicles if vehicle.presence is not Presence.AWAY]
    return {"vehicles": [_vehicle(vehicle, settings) for vehicle in there]}


def _vehicle(vehicle: PublicVehicle, settings: OpenDataSettings) -> Json:
    max_range_m = _max_range_m(settings, vehicle.category, vehicle.energy_kind)
    energy, until_ms = vehicle.energy, vehicle.available_until_ms
    return without_none(
        {
            "vehicle_id": vehicle.public_id,
            "vehicle_type_id": vehicle.type_id,
            "station_id": vehicle.station_id,
            "home_station_id": vehicle.station_id,
            "is_reserved": vehicle.presence is Presence.RESERVED,
            "is_disabled": vehicle.presence is Presence.DISABLED,
            "current_range_meters": max_range_m * vehicle.range_percent // 100,
            "current_fuel_percent": None if energy is None else energy.percent / 100,
            "last_reported": None if energy is None else timestamp(energy.at_ms),
            "available_until": None if until_ms is None else timestamp(until_ms),
        }
    )


def vehicle_availability(snapshot: Snapshot, settings: OpenDataSettings) -> Json:
    """When each vehicle can be booked, those that are in a rental too; a week on, whatever is free after it."""
    vehicles = [] if settings.suspended else snapshot.vehicles
    return {
        "vehicles": [
            {
                "vehicle_id": vehicle.public_id,
                "vehicle_type_id": vehicle.type_id,
                "station_id": vehicle.station_id,
                "availabilities": [
                    {"from": timestamp(slot.start_ms), "until": timestamp(slot.end_ms)} for slot in vehicle.slots
                ],
            }
            for vehicle in vehicles
        ]
    }


def system_pricing_plans(_snapshot: Snapshot, settings: OpenDataSettings) -> Json:
    return {"plans": [_plan(plan) for plan in settings.pricing_plans]}


def _plan(plan: PlanSettings) -> Json:
    told = {name: getattr(plan, name) for name in type(plan).model_fields}
    for name in ("per_min_pricing", "per_km_pricing"):
        told[name] = [_segment(segment) for segment in told[name]] or None
    return without_none(told)


def _segment(segment: SegmentSettings) -> Json:
    return without_none({name: getattr(segment, name) for name in type(segment).model_fields})


def system_alerts(snapshot: Snapshot, settings: OpenDataSettings) -> Json:
    """Of stations that are not public nothing is told, nor of an alert about such ones alone."""
    public = {station.station_id for station in snapshot.stations}
    alerts = []
    for alert in alerts_to_tell(settings, snapshot.at_ms):
        station_ids = [station_id for station_id in alert.station_ids if station_id in public]
        if alert.station_ids and not station_ids:
            continue
        times = None
        if alert.start is not None:
            end = None if alert.end is None else timestamp(to_ms(alert.end))
            times = [without_none({"start": timestamp(to_ms(alert.start)), "end": end})]
        alerts.append(
            without_none(
                {
                    "alert_id": alert.alert_id,
                    "type": alert.type,
                    "summary": alert.summary,
                    "description": alert.description,
                    "url": alert.url,
                    "times": times,
                    "station_ids": station_ids or None,
                }
            )
        )
    return {"alerts": alerts}
