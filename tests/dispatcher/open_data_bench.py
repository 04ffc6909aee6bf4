"""A network as its open data tells it, and what an operator configures for it."""

from dataclasses import replace
from typing import Any

from dispatcher.core.windows import HOUR_MS, Window
from dispatcher.open_data.settings import OpenDataSettings
from dispatcher.open_data.snapshot import Energy, Presence, PublicStation, PublicVehicle, Snapshot
from tests.dispatcher.network import ELEVEN_MS, NOW_MS

BASE_URL = "http://127.0.0.1:8080/gbfs"
SYSTEM: dict[str, Any] = {
    "system_id": "lilas_lille",
    "name": {"fr": "Lilas Autopartage", "en": "Lilas Car-sharing"},
    "feed_contact_email": "donnees@example.org",
    "license_id": "etalab-2.0",
}
PLAN: dict[str, Any] = {
    "plan_id": "hour",
    "name": {"fr": "Heure", "en": "Hour"},
    "description": {"fr": "3 euros par heure", "en": "3 euros an hour"},
    "price": 0,
    "per_min_pricing": [{"start": 0, "rate": 3, "interval": 60}],
}


def open_data(**changes: Any) -> OpenDataSettings:
    """What is configured, at its shortest."""
    return OpenDataSettings.model_validate({"base_url": BASE_URL, "system": SYSTEM, **changes})


def alert(kind: str = "other", **changes: Any) -> dict[str, Any]:
    return {"alert_id": "a-1", "type": kind, "summary": {"fr": "Travaux", "en": "Road works"}, **changes}


STATION = PublicStation(
    station_id="gare",
    name="Gare Lille-Flandres",
    region_id="lille",
    region_name="Lille",
    latitude=50.6366004,
    longitude=3.0706,
    can_be_told=True,
    heard_ms=NOW_MS - 1500,
)
CAR = PublicVehicle(
    public_id="p-1",
    category="city",
    energy_kind="electric",
    station_id="gare",
    presence=Presence.AVAILABLE,
    energy=Energy(80, NOW_MS - HOUR_MS),
    range_percent=80,
    available_until_ms=None,
    slots=(Window(ELEVEN_MS, ELEVEN_MS + HOUR_MS),),
)


def snapshot(*vehicles: PublicVehicle, stations: tuple[PublicStation, ...] = (STATION,)) -> Snapshot:
    """One station, with these vehicles."""
    return Snapshot(NOW_MS, stations, vehicles)


def car(number: int, presence: Presence = Presence.AVAILABLE, **changes: Any) -> PublicVehicle:
    return replace(CAR, public_id=f"p-{number}", presence=presence, **changes)
