"""How the files are handed out: one read for a crowd, the same bytes while nothing changes, never too old."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import OperationalError

from dispatcher.core.rules import FleetRules
from dispatcher.open_data.feeds import Version
from dispatcher.open_data.shelf import OLDEST_MS, SAYS_ANEW_MS, SNAPSHOT_US, File, Shelf
from dispatcher.store.links import keep_presence
from dispatcher.store.schema import stations
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.open_data_bench import open_data
from tests.dispatcher.small_fleet import NOW_MS, new_database

BACKENDS = ("sqlite",)  # what is read is tested on both; here is what is done with it
T = TypeVar("T")


class Desk:
    """A shelf over a database whose reads are counted, and can fail."""

    def __init__(self) -> None:
        self._database = new_database()
        self._database.write_now(lambda connection: keep_presence(connection, FakeBox().presence(), NOW_MS))
        self.clock, self.wall = HandClock(), HandClock()
        """The line's, and people's, which may run faster."""
        self.reads = 0
        self.is_down = False
        self.takes_s = 0.0
        """How long a read takes."""
        self.shelf = Shelf(self, FleetRules(), open_data(), (self.wall, self.clock))  # type: ignore[arg-type]

    async def read(self, fn: Callable[[Connection], T]) -> T:
        self.reads += 1
        await asyncio.sleep(0)
        self.pass_s(self.takes_s)
        if self.is_down:
            raise OperationalError("select", {}, Exception("it is down"))
        return self._database.read_now(fn)

    def rename(self, name: str) -> None:
        named = update(stations).where(stations.c.id == "st-a").values(name=name)
        self._database.write_now(lambda connection: connection.execute(named))

    def pass_s(self, seconds: float, *, speed: float = 1.0) -> None:
        self.clock.pass_s(seconds)
        self.wall.pass_s(seconds * speed)

    def pass_ms(self, milliseconds: int) -> None:
        self.pass_s(milliseconds / 1000)

    async def file(self, name: str = "station_information") -> File:
        found = await self.shelf.file(Version.V3_0, name)
        assert found is not None
        return found

    async def said(self, name: str = "station_information") -> Any:
        return json.loads((await self.file(name)).body)


async def test_a_crowd_that_asks_at_once_costs_one_read() -> None:
    desk = Desk()
    files = await asyncio.gather(*(desk.file(name) for name in ("station_status", "vehicle_status") * 50))
    assert desk.reads == 1
    assert len({file.body for file in files}) == 2


async def test_for_five_seconds_nothing_is_read_again_and_then_it_is() -> None:
    desk = Desk()
    await desk.file()
    desk.rename("Gare")
    desk.pass_ms(SNAPSHOT_US // 1000 - 1)
    assert (await desk.said())["data"]["stations"][0]["name"][0]["text"] == "Station a"
    desk.pass_ms(1)
    assert (await desk.said())["data"]["stations"][0]["name"][0]["text"] == "Gare"
    assert desk.reads == 2


@pytest.mark.parametrize(("takes_s", "lasts_s"), [(0.25, 5), (0.7, 14), (30.0, 60)])
async def test_a_network_that_takes_long_to_read_is_read_less_often(takes_s: float, lasts_s: int) -> None:
    desk = Desk()
    desk.takes_s = takes_s
    await desk.file()
    desk.pass_ms(lasts_s * 1000 - 1)
    await desk.file()
    assert desk.reads == 1
    desk.pass_ms(1)
    await desk.file()
    assert desk.reads == 2


async def test_where_the_wall_clock_runs_fast_nothing_is_older_than_a_minute_by_it_either() -> None:
    desk = Desk()
    await desk.file()
    desk.pass_s(1, speed=59)
    await desk.file()
    assert desk.reads == 1
    desk.pass_s(1, speed=1)
    await desk.file()
    assert desk.reads == 2


async def test_what_has_not_changed_keeps_its_bytes_for_a_minute_and_then_says_that_it_is_current() -> None:
    desk = Desk()
    first = await desk.said("vehicle_status")
    desk.pass_ms(SAYS_ANEW_MS - 1)
    assert await desk.said("vehicle_status") == first
    desk.pass_ms(SNAPSHOT_US // 1000)
    later = await desk.said("vehicle_status")
    assert later["data"] == first["data"]
    assert later["last_updated"] > first["last_updated"]


async def test_real_time_files_are_to_be_asked_for_anew_and_the_others_say_how_long_they_last() -> None:
    desk = Desk()
    ttl_s = {name: (await desk.said(name))["ttl"] for name in ("station_status", "vehicle_status", "gbfs")}
    assert ttl_s == {"station_status": 0, "vehicle_status": 0, "gbfs": 3600}
    assert (await desk.said("station_information"))["ttl"] == 60
    assert (await desk.said())["version"] == "3.0"


async def test_a_database_that_is_down_leaves_what_it_said_last_until_that_is_nearly_five_minutes_old() -> None:
    desk = Desk()
    before = await desk.said("station_status")
    desk.is_down = True
    desk.pass_ms(OLDEST_MS)
    assert await desk.said("station_status") == before
    desk.pass_ms(SNAPSHOT_US // 1000)
    for _ in range(2):
        with pytest.raises(OperationalError):
            await desk.file("station_status")
    desk.is_down = False
    assert (await desk.said("station_status"))["last_updated"] > before["last_updated"]


async def test_a_database_that_never_answered_is_said_to_be_down() -> None:
    desk = Desk()
    desk.is_down = True
    with pytest.raises(OperationalError):
        await desk.file()


@pytest.mark.parametrize("name", ["geofencing_zones", "manifest", "system_pricing_plans", "vehicle_availability"])
async def test_a_file_that_is_not_published_is_not_there(name: str) -> None:
    assert await Desk().shelf.file(Version.V3_0, name) is None
