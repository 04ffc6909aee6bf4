"""Both real programs and a cabinet byte for byte: the planned car's key is gone, its member drives another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from contract.credentials import cabinet_digest_key
from dispatcher.core.windows import MINUTE_MS, to_ms, utc_text
from dispatcher.importing.files import read_document
from dispatcher.store.bookings import booking_by_id, insert_booking
from dispatcher.store.database import Database
from dispatcher.store.importing import import_rows
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.vouching import check_origin
from runtime.executor import InlineExecutor
from simulator.network.import_document import import_document
from simulator.network.lilas import lilas_network
from simulator.network.model import Member, Network, Standing
from tests.contract.keys import pem, public_text
from tests.dispatcher.network import booking_row
from tests.dispatcher.small_fleet import ORIGIN
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto
from tests.wire.dispatcher_bench import CONFIG, TOKEN, Program
from tests.wire.station import BOX_KEY, CENTRE_KEY, SEED, Station

GRID_MS = 15 * MINUTE_MS
WITHIN_S = 60  # two programs that start on a busy machine
SECRET = bytes(range(32, 64))


def filled(url: str, network: Network) -> None:
    """A database with the network of one station."""
    database = Database(url, InlineExecutor(), origin=ORIGIN)
    migrate_engine(database.engine)
    keys = {network.cabinets[0]: public_text(BOX_KEY)}
    rows, faults = read_document(import_document(network, keys), "network.json")
    assert not faults
    now_ms = to_ms(datetime.now(UTC))
    database.write_now(check_origin)
    database.write_now(lambda connection: import_rows(connection, rows, now_ms, Random(SEED).randbytes))
    database.close()


@asynccontextmanager
async def dispatcher(folder: Path, broker: Mosquitto, network: Network) -> AsyncIterator[Program]:
    """The one that the box of `tests.wire.station` believes."""
    url = f"sqlite:///{folder}/dispatcher.sqlite"
    filled(url, network)
    running = Program(folder, broker.port, url)
    (folder / "signing.pem").write_bytes(pem(CENTRE_KEY))
    (folder / "digest-secret").write_text(f"{SECRET.hex()}\n")
    values = {"url": url, "namespace": "carshare", "dispatcher": "centre"}
    running.config.write_text(CONFIG.format(broker_port=broker.port, http_port=running.http_port, **values))
    running.start()
    try:
        await eventually(lambda: running.get("readyz")[0] == HTTPStatus.OK, within_s=WITHIN_S)
        yield running
    finally:
        running.close()


@asynccontextmanager
async def box(folder: Path, broker: Mosquitto, gone: str) -> AsyncIterator[Station]:
    """The agent at its cabinet, in which the key of one vehicle does not hang."""
    station = Station(folder, broker.port, gone=gone)
    (folder / "digest.key").write_text(cabinet_digest_key(SECRET, station.cabinet).hex())
    station.site.open()
    station.start()
    try:
        yield station
    finally:
        station.kill()
        station.site.close()


def drives(network: Network) -> Member:
    """Somebody whose badge needs no PIN."""
    return next(
        member
        for member in network.members
        if member.standing is Standing.ACTIVE
        and member.organisation is None
        and member.badges
        and not member.badges[0].asks_for_pin
    )


@pytest.mark.long
async def test_whose_car_is_gone_is_handed_another_of_the_category_and_is_booked_on_it(tmp_path: Path) -> None:
    whole = lilas_network(SEED, 1)
    member = drives(whole)
    network = replace(whole, members=(member,))
    station = network.stations[0]
    here, there = tmp_path / "box", tmp_path / "centre"
    here.mkdir()
    there.mkdir()
    start_ms = to_ms(datetime.now(UTC)) // GRID_MS * GRID_MS
    window = {"start": utc_text(start_ms), "end": utc_text(start_ms + 8 * GRID_MS)}
    async with (
        mosquitto(tmp_path) as broker,
        dispatcher(there, broker, network) as centre,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{centre.http_port}/api/v1", headers={"authorization": f"Bearer {TOKEN}"}
        ) as api,
    ):
        wanted = {"member_id": member.id, "category": "city", "station_id": station.id, **window}
        made = await api.post("/bookings", json={**wanted, "accept_unreachable": True})
        assert made.status_code == 201, made.text
        path, planned = f"/bookings/{made.json()['id']}", made.json()["vehicle_id"]
        other = next(car for car in network.vehicles if car.category == "city" and car.id != planned)
        async with box(here, broker, planned) as agent:
            await until(api, path, grant="on_box")
            async with httpx.AsyncClient() as watcher:
                await devices_online(watcher, agent)
            await agent.show(member.badges[0])
            await agent.until_open(other.key.home_slot)
            await agent.take(other.key.home_slot)
            await until(api, path, state="active", vehicle_id=other.id)
        told = [entry["what"] for entry in (await api.get(f"{path}/history")).json()["items"]]
        assert "rebound" in told
        again = {**wanted, "accept_unreachable": True, "vehicle_id": other.id}
        del again["category"], again["station_id"]
        refused = await api.post("/bookings", json=again)
        assert (refused.status_code, refused.json()["reason"]) == (409, "vehicle_not_free"), refused.text
    database = centre.database()
    booked = database.read_now(partial(booking_by_id, booking_id=made.json()["id"]))
    assert booked is not None
    over_it = booking_row(
        "over-it", start_ms, start_ms + GRID_MS, member_id=member.id, vehicle_id=other.id, key_id=other.key.id,
        station_id=station.id, cabinet_id=agent.cabinet,
    )  # fmt: skip
    assert not database.write_now(partial(insert_booking, booking=over_it)), "the database refuses it, too"
    database.close()


async def devices_online(watcher: httpx.AsyncClient, agent: Station) -> None:
    """The right is on the box some time before readers that were paired first light up."""
    async with asyncio.timeout(WITHIN_S):
        online: list[str] = []
        while set(online) != {"1"}:
            scraped = (await watcher.get(agent.metrics_url)).text
            online = [
                row.split()[-1].removesuffix(".0") for row in scraped.splitlines() if "_device_online{" in row
            ]


async def until(api: httpx.AsyncClient, path: str, **fields: Any) -> None:
    """Ask for a thing until it is so."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(WITHIN_S):
            while {name: found.get(name) for name in fields} != fields:
                found = (await api.get(path)).json()
    except TimeoutError:
        raise AssertionError(f"{fields} not so within {WITHIN_S} s: {found}") from None
