"""What each file of the open data says, from snapshots made by hand."""

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.core.windows import HOUR_MS
from dispatcher.importing.rows import Energy
from dispatcher.open_data.documents import PROPULSION
from dispatcher.open_data.feeds import FEEDS, Version, data_of
from dispatcher.open_data.settings import OpenDataSettings
from dispatcher.open_data.snapshot import Presence, Snapshot
from tests.dispatcher.network import ELEVEN_MS, NOW_MS, at
from tests.dispatcher.open_data_bench import BASE_URL, CAR, PLAN, STATION, alert, car, open_data, snapshot

EVERYWHERE = tuple(car(number, presence) for number, presence in enumerate(Presence))


def data(
    name: str,
    of: Snapshot | None = None,
    settings: OpenDataSettings | None = None,
    version: Version = Version.V3_1,
) -> Any:
    told = data_of(name, version, of or snapshot(CAR), settings or open_data())
    assert told is not None
    return told


def status(of: Snapshot | None = None, settings: OpenDataSettings | None = None) -> Any:
    (station,) = data("station_status", of, settings)["stations"]
    return station


def names(version: Version, settings: OpenDataSettings) -> list[str]:
    return [feed["name"] for feed in data("gbfs", settings=settings, version=version)["feeds"]]


def test_only_the_candidate_of_3_1_has_the_coming_availability_of_vehicles() -> None:
    settings = open_data()
    assert set(names(Version.V3_1, settings)) - set(names(Version.V3_0, settings)) == {"vehicle_availability"}
    assert data_of("vehicle_availability", Version.V3_0, snapshot(CAR), settings) is None


def test_each_feed_is_found_under_its_own_version_and_no_manifest_is_named() -> None:
    feeds = data("gbfs", version=Version.V3_0)["feeds"]
    assert {"name": "station_status", "url": f"{BASE_URL}/v3/station_status.json"} in feeds
    assert all(feed["url"].startswith(f"{BASE_URL}/v3/") for feed in feeds)
    assert "manifest" not in {feed["name"] for feed in feeds}, "that is for who publishes several networks"
    candidate = data("gbfs_versions")["versions"]
    assert [one["version"] for one in candidate] == ["3.0", "3.1-RC3"]
    assert data("gbfs_versions", version=Version.V3_0)["versions"] == candidate[:1]


def test_every_text_is_there_in_french_and_in_english() -> None:
    settings = open_data(pricing_plans=[PLAN], alerts=[alert()])
    translated = [
        data("system_information", settings=settings)["name"],
        data("station_information")["stations"][0]["name"],
        data("system_regions")["regions"][0]["name"],
        data("system_pricing_plans", settings=settings)["plans"][0]["description"],
        data("system_alerts", settings=settings)["alerts"][0]["summary"],
    ]
    assert all([text["language"] for text in texts] == ["fr", "en"] for texts in translated)
    assert data("system_information")["languages"] == ["fr", "en"]
    assert translated[0] == [
        {"text": "Lilas Autopartage", "language": "fr"},
        {"text": "Lilas Car-sharing", "language": "en"},
    ]


def test_of_the_system_what_is_not_configured_is_not_there() -> None:
    assert set(data("system_information")) == {
        "languages",
        "system_id",
        "name",
        "feed_contact_email",
        "timezone",
        "opening_hours",
        "license_id",
    }


def test_a_station_tells_its_place_to_a_tenth_of_a_metre_and_its_municipality() -> None:
    (station,) = data("station_information")["stations"]
    assert (station["lat"], station["lon"], station["region_id"]) == (50.6366, 3.0706, "lille")
    assert data("system_regions")["regions"][0]["region_id"] == "lille"


def test_a_station_counts_what_can_be_had_and_what_cannot_and_not_what_is_away() -> None:
    told = status(snapshot(*EVERYWHERE))
    assert (told["num_vehicles_available"], told["num_vehicles_disabled"]) == (1, 1)
    assert told["vehicle_types_available"] == [{"vehicle_type_id": "city.electric", "count": 1}]
    assert (told["is_renting"], told["is_returning"], told["is_installed"]) == (True, True, True)
    assert told["last_reported"] == "2026-10-04T10:06:58Z", "whole seconds, the one before"


def test_a_type_that_a_station_has_none_of_is_counted_as_none() -> None:
    diesel = car(2, Presence.AWAY, energy_kind="diesel")
    counts = {it["vehicle_type_id"]: it["count"] for it in status(snapshot(CAR, diesel))["vehicle_types_available"]}
    assert counts == {"city.electric": 1, "city.diesel": 0}


def test_a_vehicle_in_a_rental_is_not_listed_and_each_other_says_how_it_is() -> None:
    told = data("vehicle_status", snapshot(*EVERYWHERE))["vehicles"]
    assert [(vehicle["is_reserved"], vehicle["is_disabled"]) for vehicle in told] == [
        (False, False),
        (True, False),
        (False, True),
    ]


def test_a_vehicle_is_where_its_station_is_and_has_no_place_of_its_own() -> None:
    (vehicle,) = data("vehicle_status")["vehicles"]
    assert vehicle == {
        "vehicle_id": "p-1",
        "vehicle_type_id": "city.electric",
        "station_id": "gare",
        "home_station_id": "gare",
        "is_reserved": False,
        "is_disabled": False,
        "current_range_meters": 160_000,
        "current_fuel_percent": 0.8,
        "last_reported": at(NOW_MS - HOUR_MS),
    }


def test_energy_that_is_not_known_is_not_told_and_the_range_is_what_the_rules_keep() -> None:
    unknown = car(1, energy=None, range_percent=10, available_until_ms=ELEVEN_MS)
    (vehicle,) = data("vehicle_status", snapshot(unknown))["vehicles"]
    assert {"current_fuel_percent", "last_reported"}.isdisjoint(vehicle)
    assert vehicle["current_range_meters"] == 20_000
    assert vehicle["available_until"] == at(ELEVEN_MS)


def test_every_energy_of_a_vehicle_has_a_propulsion_and_a_range() -> None:
    for energy in Energy.__args__:  # type: ignore[attr-defined]  # of a Literal
        (kind,) = data("vehicle_types", snapshot(car(1, energy_kind=energy)))["vehicle_types"]
        assert (kind["form_factor"], kind["return_constraint"]) == ("car", "roundtrip_station")
        assert kind["propulsion_type"] == PROPULSION[energy]
        assert kind["max_range_meters"] >= 100_000


def test_what_is_configured_of_a_type_is_told_with_it() -> None:
    more = {"category": "city", "energy": "electric", "max_range_km": 300, "rider_capacity": 4}
    settings = open_data(vehicle_types=[{**more, "name": {"fr": "Citadine", "en": "City car"}}])
    (kind,) = data("vehicle_types", settings=settings)["vehicle_types"]
    assert (kind["max_range_meters"], kind["rider_capacity"]) == (300_000, 4)
    assert kind["name"][0] == {"text": "Citadine", "language": "fr"}
    (vehicle,) = data("vehicle_status", settings=settings)["vehicles"]
    assert vehicle["current_range_meters"] == 240_000


def test_without_a_plan_there_is_no_file_of_plans_and_with_some_each_type_has_one() -> None:
    assert data_of("system_pricing_plans", Version.V3_0, snapshot(CAR), open_data()) is None
    assert "system_pricing_plans" not in names(Version.V3_0, open_data())
    assert "default_pricing_plan_id" not in data("vehicle_types")["vehicle_types"][0]
    night = {**PLAN, "plan_id": "night"}
    of_type = {"category": "city", "energy": "electric", "pricing_plan_id": "night"}
    settings = open_data(pricing_plans=[PLAN, night], vehicle_types=[of_type])
    both = snapshot(CAR, car(2, energy_kind="petrol"))
    kinds = data("vehicle_types", both, settings)["vehicle_types"]
    plans = {kind["vehicle_type_id"]: kind["default_pricing_plan_id"] for kind in kinds}
    assert plans == {"city.electric": "night", "city.petrol": "hour"}
    (plan, _) = data("system_pricing_plans", settings=settings)["plans"]
    assert (plan["price"], plan["currency"], plan["is_taxable"]) == (0, "EUR", False)
    assert plan["per_min_pricing"] == [{"start": 0, "rate": 3, "interval": 60}]
    assert "per_km_pricing" not in plan


def test_coming_availability_names_the_same_vehicle_and_those_in_a_rental_too() -> None:
    told = data("vehicle_availability", snapshot(CAR, car(2, Presence.AWAY)))["vehicles"]
    assert [vehicle["vehicle_id"] for vehicle in told] == ["p-1", "p-2"]
    assert told[0]["availabilities"] == [{"from": at(ELEVEN_MS), "until": at(ELEVEN_MS + HOUR_MS)}]


def test_a_station_whose_cabinets_cannot_be_told_stands_there_takes_back_and_does_not_rent() -> None:
    silent = snapshot(car(1, Presence.DISABLED), stations=(replace(STATION, can_be_told=False),))
    told = status(silent)
    assert (told["is_installed"], told["is_renting"], told["is_returning"]) == (True, False, True)
    assert (told["num_vehicles_available"], told["num_vehicles_disabled"]) == (0, 1)


def test_a_station_rents_what_hangs_in_a_neighbours_cabinet() -> None:
    assert status(snapshot(CAR, stations=(replace(STATION, can_be_told=False),)))["is_renting"] is True


def test_in_a_storm_every_station_is_told_and_none_rents() -> None:
    stations = tuple(replace(STATION, station_id=f"s-{number}", can_be_told=False) for number in range(30))
    cars = tuple(car(number, Presence.DISABLED, station_id=f"s-{number}") for number in range(30))
    storm = snapshot(*cars, stations=stations)
    told = data("station_status", storm)["stations"]
    assert len(told) == len(data("station_information", storm)["stations"]) == 30
    assert not any(station["is_renting"] or station["num_vehicles_available"] for station in told)
    assert all(vehicle["is_disabled"] for vehicle in data("vehicle_status", storm)["vehicles"])


def test_a_closed_system_keeps_telling_what_would_be_free_and_rents_nothing() -> None:
    told = status(settings=open_data(alerts=[alert("system_closure")]))
    assert (told["is_renting"], told["is_returning"], told["num_vehicles_available"]) == (False, True, 1)
    (vehicle,) = data("vehicle_status", settings=open_data(alerts=[alert("system_closure")]))["vehicles"]
    assert vehicle["is_disabled"] is False, "GBFS: not because the system is closed"


def test_a_suspended_system_lists_no_vehicle_and_its_stations_stay() -> None:
    settings = open_data(suspended=True)
    told = status(settings=settings)
    assert (told["is_installed"], told["is_renting"], told["is_returning"]) == (True, False, False)
    assert (told["num_vehicles_available"], told["num_vehicles_disabled"]) == (0, 0)
    assert data("vehicle_status", settings=settings)["vehicles"] == []
    assert data("vehicle_availability", settings=settings)["vehicles"] == []


@pytest.mark.parametrize(
    ("start", "end", "closed", "published"),
    [
        (None, None, True, True),
        (at(NOW_MS), at(NOW_MS + 1), True, True),
        (at(NOW_MS + HOUR_MS), None, False, True),
        (at(NOW_MS - HOUR_MS), at(NOW_MS), False, False),
    ],
    ids=["always", "now", "to come", "over"],
)
def test_a_closure_holds_from_its_start_to_its_end_and_goes_then(
    start: str | None, end: str | None, *, closed: bool, published: bool
) -> None:
    times = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
    settings = open_data(alerts=[alert("station_closure", station_ids=["gare"], **times)])
    assert status(settings=settings)["is_renting"] is not closed
    told = data("system_alerts", settings=settings)["alerts"]
    assert bool(told) is published
    if told and start is not None:
        assert told[0]["times"][0]["start"] == at(NOW_MS + HOUR_MS if not closed else NOW_MS)


def test_a_closure_of_one_station_leaves_the_others_open() -> None:
    settings = open_data(alerts=[alert("station_closure", station_ids=["republique"])])
    assert status(settings=settings)["is_renting"] is True


def test_an_alert_says_nothing_of_stations_that_are_not_public() -> None:
    mixed = alert(station_ids=["gare", "mairie"])
    alone = alert(alert_id="a-2", station_ids=["mairie"])
    (told,) = data("system_alerts", settings=open_data(alerts=[mixed, alone]))["alerts"]
    assert (told["alert_id"], told["station_ids"]) == ("a-1", ["gare"])


def test_all_files_are_made_of_an_empty_network_too() -> None:
    empty = snapshot(stations=())
    for name in FEEDS:
        data(name, empty, open_data(pricing_plans=[PLAN]))
