"""Over days of the network: what the open data offers is what the booking desk would give, at the same instant."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import Connection, func, select, update

from dispatcher.core.windows import Window, to_ms
from dispatcher.instants import Instant
from dispatcher.open_data.feeds import Version, data_of
from dispatcher.open_data.judging import next_window
from dispatcher.open_data.reading import read_snapshot
from dispatcher.open_data.snapshot import Snapshot
from dispatcher.store.booking_desk import BookingDesk
from dispatcher.store.booking_requests import WantedBooking
from dispatcher.store.bookings import Booking
from dispatcher.store.public_ids import public_ids
from dispatcher.store.schema import members, rentals, stations, vehicles
from simulator.hunt.faults.ways import cut
from simulator.virtual.box import VirtualBox
from simulator.virtual.runs import on_heap, people_act
from simulator.virtual.timers import HOUR_US, MINUTE_US
from simulator.virtual.world import VirtualWorld
from tests.dispatcher.open_data_bench import open_data

EVERY_US = 17 * MINUTE_US  # on all minutes of the grid's steps, one after the other
PRIVATE = select(members.c.id).where(
    members.c.organisation_id.is_(None), members.c.standing == "active", members.c.role == "member"
)
FLEET = select(vehicles.c.id, vehicles.c.home_station_id, stations.c.public).join(
    stations, stations.c.id == vehicles.c.home_station_id
)
OUT = select(rentals.c.vehicle_id).where(rentals.c.returned_ms.is_(None))
OVER = (
    select(rentals.c.vehicle_id, func.count())
    .where(rentals.c.returned_ms.is_not(None))
    .group_by(rentals.c.vehicle_id)
)
"""Rentals that are over, of each vehicle."""
INSTANT = TypeAdapter(Instant)


@dataclass
class Reader:
    """Reads the feeds every 17 minutes, and asks the booking desk the same."""

    world: VirtualWorld
    seen: Counter[str] = field(default_factory=Counter)
    """How often it was so, for the test to know that it was."""
    ids: dict[str, str] = field(default_factory=dict)
    """Each vehicle's public id, at the last look."""
    over: dict[str, int] = field(default_factory=dict)
    """And how many of its rentals were over."""

    def begin(self) -> None:
        timers = self.world.stage.timers

        def look() -> None:
            self.compare()
            timers.call_at(timers.now_us() + EVERY_US, look)

        timers.call_at(timers.now_us() + EVERY_US, look)

    def compare(self) -> None:
        now_ms, rules = self.world.stage.clock.now_ms(), self.world.stage.rules
        read = self.world.database.read_now
        snapshot = read(lambda connection: read_snapshot(connection, rules, now_ms))
        status = {it["vehicle_id"]: it for it in _entries("vehicle_status", snapshot)}
        coming = {it["vehicle_id"]: _slots(it) for it in _entries("vehicle_availability", snapshot)}
        renting = {it["station_id"]: it for it in _entries("station_status", snapshot)}
        fleet = read(lambda connection: connection.execute(FLEET).all())
        out = set(read(lambda connection: connection.scalars(OUT).all()))
        ids = read(lambda connection: public_ids(connection, [row.id for row in fleet]))
        offered: Counter[str] = Counter()
        window = next_window(rules, now_ms)
        for vehicle_id, station_id, public in fleet:
            public_id = ids[vehicle_id]
            if not public:
                assert public_id not in status.keys() | coming.keys()
                assert station_id not in renting
                self.seen["private"] += 1
                continue
            is_taken = self.would_get(vehicle_id, window)
            is_offered = _is_offered(status.get(public_id)) and renting[station_id]["is_renting"]
            offered[station_id] += is_offered
            self.seen["offered" if is_offered else "not offered"] += 1
            if vehicle_id in out:
                assert public_id not in status, "in a rental"
                self.seen["out"] += 1
            if is_offered or public_id in status:
                assert is_taken is is_offered, (now_ms, vehicle_id, status.get(public_id))
            assert is_taken is any(slot.contains(window) for slot in coming[public_id]), (now_ms, vehicle_id)
            self.compare_slots(vehicle_id, coming[public_id], window)
        for station_id, station in renting.items():
            assert station["num_vehicles_available"] == offered[station_id]
            self.seen["station does not rent"] += not station["is_renting"]
        self.compare_ids(ids)

    def compare_slots(self, vehicle_id: str, slots: list[Window], window: Window) -> None:
        """The first slot is taken from its first instant to its last, and not a step sooner."""
        grid_ms = self.world.stage.rules.grid_ms
        for slot in slots[:1]:
            assert self.would_get(vehicle_id, slot), slot
            sooner_ms = slot.start_ms - grid_ms
            if sooner_ms >= window.start_ms:
                assert not self.would_get(vehicle_id, Window(sooner_ms, sooner_ms + window.length_ms)), slot

    def compare_ids(self, ids: dict[str, str]) -> None:
        rows = self.world.database.read_now(lambda connection: connection.execute(OVER).all())
        over = {vehicle_id: count for vehicle_id, count in rows if vehicle_id is not None}
        for vehicle_id, before in self.ids.items():
            is_another = ids[vehicle_id] != before
            assert is_another is (over.get(vehicle_id, 0) > self.over.get(vehicle_id, 0)), vehicle_id
            self.seen["rotated"] += is_another
        self.ids, self.over = ids, over

    def would_get(self, vehicle_id: str, window: Window) -> bool:
        """Whether the desk gives the vehicle to a private person. It is asked in earnest, and nothing is kept."""
        now_ms, rules = self.world.stage.clock.now_ms(), self.world.stage.rules

        def book(connection: Connection) -> bool:
            desk = BookingDesk(connection, rules, now_ms, lambda count: b"\x07" * count, "test")
            member_id = connection.scalars(PRIVATE.limit(1)).one()
            return isinstance(desk.create(WantedBooking(member_id, window, vehicle_id)), Booking)

        return self.world.database.read_now(book)


def _entries(name: str, snapshot: Snapshot) -> list[dict[str, Any]]:
    data = data_of(name, Version.V3_1, snapshot, open_data())
    assert data is not None
    (entries,) = data.values()
    return list(entries)


def _is_offered(vehicle: dict[str, Any] | None) -> bool:
    return vehicle is not None and not vehicle["is_reserved"] and not vehicle["is_disabled"]


def _slots(vehicle: dict[str, Any]) -> list[Window]:
    return [
        Window(to_ms(INSTANT.validate_python(slot["from"])), to_ms(INSTANT.validate_python(slot["until"])))
        for slot in vehicle["availabilities"]
    ]


def _trouble(world: VirtualWorld) -> None:
    """A station that falls silent, then all of them, and one that becomes private."""
    timers = world.stage.timers
    boxes = list(world.boxes.values())

    def silence(some: list[VirtualBox], for_us: int) -> None:
        for box in some:
            timers.call_at(timers.now_us() + for_us, cut(box))

    def close_to_the_public() -> None:
        station_id = world.network.stations[-1].id
        closing = update(stations).where(stations.c.id == station_id).values(public=False)
        world.database.write_now(lambda connection: connection.execute(closing))

    timers.call_at(HOUR_US // 2, lambda: silence(boxes[:1], HOUR_US // 2))
    timers.call_at(2 * HOUR_US, lambda: silence(boxes, HOUR_US // 2))
    timers.call_at(3 * HOUR_US, close_to_the_public)


@pytest.mark.parametrize("hours", [4, pytest.param(24, marks=pytest.mark.long)])
def test_what_is_offered_would_be_given_and_what_would_be_given_is_told(hours: int) -> None:
    readers: list[Reader] = []

    def set_up(world: VirtualWorld) -> None:
        readers.append(Reader(world))
        readers[0].begin()
        _trouble(world)

    on_heap(3, 3, people_act(hours * HOUR_US, set_up))
    (reader,) = readers
    for what in ("offered", "not offered", "out", "private", "station does not rent", "rotated"):
        assert reader.seen[what] > 2, reader.seen
