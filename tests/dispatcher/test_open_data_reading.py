"""What the database gives to the open data: whose ids rotate, who is absent, what stays out."""

import json
from typing import Any

import pytest
from sqlalchemy import Connection, update

from contract.facts import Identity, KeyReturned, KeyTaken, VehicleReading
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.windows import Window
from dispatcher.open_data.feeds import FEEDS, Version, data_of
from dispatcher.open_data.reading import read_snapshot
from dispatcher.open_data.snapshot import Presence, PublicVehicle, Snapshot
from dispatcher.store.incidents import close_incident, open_incident
from dispatcher.store.links import keep_presence
from dispatcher.store.origin import EXECUTION_OPTION, Origin
from dispatcher.store.public_ids import public_ids
from dispatcher.store.schema import cabinets, stations, vehicles
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.open_data_bench import open_data
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    book,
    new_database,
    take,
)

UNDER_1: dict[str, Any] = {
    "slot": 1,
    "key": "key-1",
    "identity": Identity.READ,
    "grant": "grant-1",
    "badge": "ref-1",
}


class Lille:
    """The small fleet with both boxes online."""

    def __init__(self) -> None:
        self.database = new_database()
        self.box = FakeBox()
        for box in (self.box, FakeBox(OTHER_CABINET)):
            self.write(keep_presence, box.presence(), NOW_MS)

    def write(self, work: Any, *arguments: Any) -> None:
        self.database.write_now(lambda connection: work(connection, *arguments))

    def tell(self, kind: type[Any], at_ms: int, **fields: Any) -> None:
        self.box.now_ms = at_ms
        take(self.database, self.box.batch(self.box.note(kind, **fields)), now_ms=at_ms)

    def seen(self, now_ms: int = NOW_MS) -> Snapshot:
        return self.database.read_now(lambda connection: read_snapshot(connection, RULES, now_ms))

    def execute(self, statement: Any) -> None:
        self.database.write_now(lambda connection: connection.execute(statement))

    def ids(self) -> dict[str, str]:
        return self.database.read_now(lambda connection: public_ids(connection, ["car-1", "car-2", "car-3"]))


def of(snapshot: Snapshot, public_id: str) -> PublicVehicle:
    (found,) = (vehicle for vehicle in snapshot.vehicles if vehicle.public_id == public_id)
    return found


def test_a_vehicle_is_away_during_its_rental_and_has_another_id_after_it() -> None:
    lille = Lille()
    before = lille.ids()
    book(lille.database)
    assert of(lille.seen(), before["car-1"]).presence is Presence.RESERVED
    lille.tell(KeyTaken, NOW_MS + MINUTE, **UNDER_1)
    during = lille.seen(NOW_MS + 2 * MINUTE)
    assert of(during, before["car-1"]).presence is Presence.AWAY
    assert of(during, before["car-1"]).slots[0].start_ms == NOW_MS + 2 * HOUR
    lille.tell(KeyReturned, NOW_MS + HOUR, **UNDER_1)
    after = lille.ids()
    assert {car for car in after if after[car] != before[car]} == {"car-1"}
    told = of(lille.seen(NOW_MS + HOUR + MINUTE), after["car-1"])
    assert told.presence is Presence.RESERVED, "while the retake hold runs, its time is not sold"


def test_an_id_rotates_at_each_rental_and_at_nothing_else() -> None:
    lille = Lille()
    seen = {lille.ids()["car-1"]}
    for hour in range(1, 4):
        book(lille.database, hour, start_ms=NOW_MS + hour * HOUR, end_ms=NOW_MS + (hour + 1) * HOUR)
        right = {**UNDER_1, "grant": f"grant-{hour}"}
        lille.tell(KeyTaken, NOW_MS + hour * HOUR, **right)
        assert lille.ids()["car-1"] in seen, "not before the rental is over"
        lille.tell(KeyReturned, NOW_MS + hour * HOUR + 30 * MINUTE, **right)
        assert lille.ids()["car-1"] not in seen
        seen.add(lille.ids()["car-1"])
    assert len(seen) == 4


def test_no_id_is_made_without_the_key_and_none_holds_the_inner_one() -> None:
    lille = Lille()
    other = Origin(b"x" * 32)

    def guessed(connection: Connection) -> dict[str, str]:
        return public_ids(connection.execution_options(**{EXECUTION_OPTION: other}), list(lille.ids()))

    assert not set(lille.database.read_now(guessed).values()) & set(lille.ids().values())
    assert all(len(public_id) == 20 and "car" not in public_id for public_id in lille.ids().values())


def test_nothing_that_is_published_names_a_vehicle_a_key_a_member_or_a_cabinet() -> None:
    lille = Lille()
    book(lille.database)
    told = json.dumps([data_of(name, Version.V3_1, lille.seen(), open_data()) for name in FEEDS])
    assert "st-a" in told
    for inner in ("car-1", "Car 1", "key-1", "member-1", "Member", "cab-a", "booking-1", "grant-1", "ref-1"):
        assert inner not in told


def test_private_ordered_and_unheard_stations_stay_out_with_their_vehicles() -> None:
    lille = Lille()
    assert [station.station_id for station in lille.seen().stations] == ["st-a", "st-b"]
    lille.execute(update(stations).where(stations.c.id == "st-a").values(public=False))
    seen = lille.seen()
    assert [station.station_id for station in seen.stations] == ["st-b"]
    assert {vehicle.station_id for vehicle in seen.vehicles} == {"st-b"}
    lille.execute(update(stations).where(stations.c.id == "st-b").values(life_cycle="ordered"))
    assert lille.seen() == Snapshot(NOW_MS, (), ())
    unheard = new_database().read_now(lambda connection: read_snapshot(connection, RULES, NOW_MS))
    assert unheard == Snapshot(NOW_MS, (), ())


def test_vehicles_and_cabinets_that_are_not_in_service_are_not_told_of() -> None:
    lille = Lille()
    lille.execute(update(vehicles).where(vehicles.c.id == "car-1").values(life_cycle="ordered"))
    lille.execute(update(vehicles).where(vehicles.c.id == "car-2").values(life_cycle="retired"))
    assert {vehicle.station_id for vehicle in lille.seen().vehicles} == {"st-b"}
    lille.execute(update(cabinets).where(cabinets.c.id == OTHER_CABINET).values(life_cycle="retired"))
    assert lille.seen().vehicles == ()


@pytest.mark.parametrize("kind", [IncidentKind.CABINET_SILENT, IncidentKind.CABINETS_SILENT_STORM])
def test_what_hangs_in_a_silent_cabinet_is_told_as_not_to_be_had_until_it_speaks(kind: IncidentKind) -> None:
    lille = Lille()
    subject = CABINET if kind is IncidentKind.CABINET_SILENT else "network"
    silent = Discrepancy(kind, subject, expected="a word", seen=f"1 cabinets: {CABINET}")
    lille.write(open_incident, silent, NOW_MS)
    seen = lille.seen()
    assert {station.station_id: station.can_be_told for station in seen.stations} == {"st-a": False, "st-b": True}
    presences = {vehicle.station_id: vehicle.presence for vehicle in seen.vehicles}
    assert presences == {"st-a": Presence.DISABLED, "st-b": Presence.AVAILABLE}
    assert all(not vehicle.slots for vehicle in seen.vehicles if vehicle.station_id == "st-a")
    lille.write(close_incident, kind, subject, NOW_MS)
    assert all(vehicle.presence is Presence.AVAILABLE for vehicle in lille.seen().vehicles)


def test_energy_is_of_the_present_stay_and_goes_while_the_vehicle_is_away() -> None:
    lille = Lille()
    book(lille.database, state=BookingState.BOOKED)
    lille.tell(KeyTaken, NOW_MS + MINUTE, **UNDER_1, vehicle=VehicleReading(age_s=0, energy_percent=90))
    away = lille.seen(NOW_MS + 2 * MINUTE)
    assert of(away, lille.ids()["car-1"]).energy is None
    back_ms = NOW_MS + HOUR
    lille.tell(KeyReturned, back_ms, **UNDER_1, vehicle=VehicleReading(age_s=120, energy_percent=40))
    told = of(lille.seen(back_ms), lille.ids()["car-1"])
    assert told.energy is not None
    assert (told.energy.percent, told.energy.at_ms, told.range_percent) == (40, back_ms - 2 * MINUTE, 40)
    later = of(lille.seen(back_ms + 25 * HOUR), lille.ids()["car-1"])
    assert (later.energy, later.range_percent) == (None, RULES.low_energy_percent)


def test_a_snapshot_says_until_when_an_available_vehicle_may_be_kept() -> None:
    lille = Lille()
    book(lille.database, start_ms=NOW_MS + 3 * HOUR, end_ms=NOW_MS + 5 * HOUR)
    told = of(lille.seen(), lille.ids()["car-1"])
    assert (told.presence, told.available_until_ms) == (Presence.AVAILABLE, NOW_MS + 3 * HOUR)
    assert told.slots[0] == Window(NOW_MS, NOW_MS + 3 * HOUR)
    assert of(lille.seen(), lille.ids()["car-2"]).available_until_ms is None
