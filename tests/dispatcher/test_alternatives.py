"""What is offered where a booking is not to be had."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Connection

from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.core.windows import Window
from dispatcher.store.alternatives import ALTERNATIVES_MAX, Asked, alternatives
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined, WantedBooking, WantedChange
from dispatcher.store.bookings import Booking
from dispatcher.store.database import Database
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, import_document, network_database, set_link
from tests.dispatcher.small_fleet import counted_bytes

RULES = FleetRules()
WINDOW = Window(ELEVEN_MS, ELEVEN_MS + HOUR_MS)
LATITUDE, LONGITUDE = 50.6366, 3.0706  # of the station that is asked
NEXT_BYTES = counted_bytes()


@pytest.fixture
def database() -> Iterator[Database]:
    """The network, and eight stations to its north, 1 km from one to the next, each with a city car."""
    with network_database() as database:
        import_document(database, _stations_to_the_north(8))
        for cabinet_id in ("gare-1", *(f"north-{number}" for number in range(1, 9))):
            set_link(database, cabinet_id)
        yield database


def _stations_to_the_north(count: int) -> Mapping[str, list[dict[str, Any]]]:
    numbers = range(1, count + 1)
    return {
        "stations": [
            {
                "id": f"north-{number}",
                "name": f"North {number}",
                "municipality_id": "lille",
                "latitude": LATITUDE + number * 0.009,
                "longitude": LONGITUDE,
            }
            for number in numbers
        ],
        "cabinets": [{"id": f"north-{number}", "station_id": f"north-{number}", "slots": 2} for number in numbers],
        "vehicles": [
            {
                "id": f"car-{number}",
                "name": f"Car {number}",
                "category": "city",
                "energy": "petrol",
                "home_station_id": f"north-{number}",
            }
            for number in numbers
        ],
        "keys": [
            {
                "id": f"key-{number}",
                "vehicle_id": f"car-{number}",
                "home_cabinet_id": f"north-{number}",
                "home_slot": 1,
            }
            for number in numbers
        ],
    }


def _create(database: Database, **wanted: Any) -> Booking | Declined:
    def create(connection: Connection) -> Booking | Declined:
        desk = BookingDesk(connection, RULES, NOW_MS, NEXT_BYTES, "api/test")
        return desk.create(WantedBooking(**{"member_id": "m-alix", "window": WINDOW, **wanted}))

    return database.write_now(create)


def _declined(database: Database, **wanted: Any) -> Declined:
    declined = _create(database, **wanted)
    assert isinstance(declined, Declined)
    return declined


def _offered(declined: Declined) -> list[str]:
    return [offer.vehicle_id for offer in declined.alternatives]


def test_first_the_same_station_is_offered_then_the_nearest_ones_five_in_all(database: Database) -> None:
    _create(database, vehicle_id="v-city-1")
    declined = _declined(database, vehicle_id="v-city-1", member_id="m-brahim")
    assert _offered(declined) == ["v-city-2", "car-1", "car-2", "car-3", "car-4"]
    assert [offer.distance_m for offer in declined.alternatives] == [0, 1001, 2002, 3002, 4003]
    assert len(declined.alternatives) == ALTERNATIVES_MAX


def test_what_is_booked_or_of_another_category_is_not_offered(database: Database) -> None:
    for vehicle_id in ("v-city-1", "v-city-2", "car-1"):
        assert isinstance(_create(database, vehicle_id=vehicle_id), Booking)
    declined = _declined(database, category="city", station_id="gare")
    assert _offered(declined) == ["car-2", "car-3", "car-4", "car-5", "car-6"]


def test_what_was_offered_can_be_booked(database: Database) -> None:
    _create(database, vehicle_id="v-city-1")
    for offer in _declined(database, vehicle_id="v-city-1").alternatives:
        assert isinstance(_create(database, vehicle_id=offer.vehicle_id), Booking)


def test_a_car_at_a_silent_cabinet_is_not_offered_but_for_a_later_week(database: Database) -> None:
    set_link(database, "mairie-1", online=False)
    station = {"municipality_id": "lille", "id": "mairie", "name": "Mairie", "latitude": 50.63, "longitude": 3.06}
    import_document(database, {"stations": [{**station, "public": True}]})
    _create(database, vehicle_id="v-family")
    _create(database, vehicle_id="v-city-1")
    assert "v-mairie" not in _offered(_declined(database, vehicle_id="v-city-1"))
    later = Window(WINDOW.start_ms + 8 * 24 * HOUR_MS, WINDOW.end_ms + 8 * 24 * HOUR_MS)
    _create(database, vehicle_id="v-city-1", window=later)
    assert "v-mairie" in _offered(_declined(database, vehicle_id="v-city-1", window=later))


def test_a_station_that_is_not_for_the_public_is_not_offered_from_elsewhere(database: Database) -> None:
    set_link(database, "mairie-1")
    _create(database, vehicle_id="v-city-1")
    assert "v-mairie" not in _offered(_declined(database, vehicle_id="v-city-1"))


def test_what_is_too_far_away_is_not_offered(database: Database) -> None:
    far = {"id": "north-1", "name": "N", "municipality_id": "lille", "latitude": 50.78, "longitude": LONGITUDE}
    import_document(database, {"stations": [far]})  # 16 km
    asked = Asked("gare", "city", WINDOW)
    found = database.read_now(lambda connection: alternatives(connection, RULES, asked, (), NOW_MS))
    assert "car-1" not in [offer.vehicle_id for offer in found]
    assert "car-2" in [offer.vehicle_id for offer in found]


def test_a_category_is_served_where_the_cabinet_speaks(database: Database) -> None:
    cabinet = {"id": "gare-2", "station_id": "gare", "slots": 4}
    keys = [{"id": "k-city-1", "vehicle_id": "v-city-1", "home_cabinet_id": "gare-2", "home_slot": 1}]
    import_document(database, {"cabinets": [cabinet], "keys": keys})
    spoken = _create(database, category="city", station_id="gare")
    assert isinstance(spoken, Booking)
    assert spoken.vehicle_id == "v-city-2"
    silent = _declined(database, category="city", station_id="gare")
    assert (silent.why.reason, silent.why.field) == (BookingReason.CABINET_UNREACHABLE, "accept_unreachable")
    assert _offered(silent)[0] == "car-1"
    accepted = _create(database, category="city", station_id="gare", accept_unreachable=True)
    assert isinstance(accepted, Booking)
    assert accepted.vehicle_id == "v-city-1"


def test_a_car_of_the_same_station_on_another_cabinet_comes_first(database: Database) -> None:
    cabinet = {"id": "gare-2", "station_id": "gare", "slots": 4}
    keys = [{"id": "k-city-1", "vehicle_id": "v-city-1", "home_cabinet_id": "gare-2", "home_slot": 1}]
    import_document(database, {"cabinets": [cabinet], "keys": keys})
    silent = _declined(database, vehicle_id="v-city-1")
    assert silent.why.reason is BookingReason.CABINET_UNREACHABLE
    assert _offered(silent)[:2] == ["v-city-2", "car-1"]


@pytest.mark.parametrize("change", [{"vehicle_id": "v-mairie"}, {"start_ms": ELEVEN_MS + HOUR_MS // 4}])
def test_a_change_that_a_silent_box_would_have_to_be_told_needs_the_yes_too(
    database: Database, change: dict[str, Any]
) -> None:
    window = Window(ELEVEN_MS, ELEVEN_MS + 2 * HOUR_MS)
    vehicle_id = "v-city-1" if "vehicle_id" in change else "v-mairie"
    booked = _create(database, vehicle_id=vehicle_id, window=window, accept_unreachable=True)
    assert isinstance(booked, Booking)

    def changed(connection: Connection, **more: Any) -> Booking | Declined:
        found = locked(connection, booked.id)
        assert found is not None
        desk = BookingDesk(connection, RULES, NOW_MS, NEXT_BYTES, "api/test")
        return desk.change(found, WantedChange(**change, **more))

    declined = database.write_now(changed)
    assert isinstance(declined, Declined)
    assert declined.why.reason is BookingReason.CABINET_UNREACHABLE
    accepted = database.write_now(lambda connection: changed(connection, accept_unreachable=True))
    assert isinstance(accepted, Booking)
