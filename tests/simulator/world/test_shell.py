"""The whole world at one station, hurried, with the smallest agent behind the ports."""

import asyncio
from pathlib import Path

from runtime.clocks import SystemLineClock
from simulator.clocks import ScaledClock
from simulator.network.lilas import lilas_network
from simulator.network.wiring import LOCK_LINE, READER_LINE
from simulator.world.api import ApiAnswer, ApiRefusal, BookingRequest, BookingView
from simulator.world.demand import GRID_MS, MORNING_MS
from simulator.world.record import What
from simulator.world.shell import FIRST_BOOKING_LINE_S, World
from station_agent.drivers.teltonika.codec_json import TeltonikaJson
from station_agent.drivers.vss import VssJson
from tests.runtime.waiting import eventually
from tests.simulator.world.fake_agent import FakeAgent

SEED = 1
NETWORK = lilas_network(SEED, stations=1)
CABINET = NETWORK.cabinets[0]
SPEED = 900.0  # a grid step of 15 minutes is a second
GRID_START_MS = 1_772_427_600_000


class FakeApi:
    """Books whatever is asked for."""

    def __init__(self) -> None:
        self.asked: list[BookingRequest] = []

    async def book(self, request: BookingRequest) -> ApiAnswer:
        self.asked.append(request)
        vehicle = request.vehicle or NETWORK.vehicles[0].id
        return BookingView(f"booking-{len(self.asked)}", vehicle, CABINET, "booked", "on_box")

    async def booking(self, booking: str) -> ApiAnswer:
        return BookingView(booking, NETWORK.vehicles[0].id, CABINET, "booked", "on_box")

    async def cancel(self, booking: str) -> ApiAnswer:
        return BookingView(booking, NETWORK.vehicles[0].id, CABINET, "cancelled", None)


class Published:
    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    async def __call__(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))


async def test_people_book_take_keys_and_finish_what_their_hands_began(tmp_path: Path) -> None:
    line = SystemLineClock()
    lead_ms = (FIRST_BOOKING_LINE_S + 0.3) * 1000 * SPEED
    clock = ScaledClock(GRID_START_MS - round(lead_ms), SPEED, line)
    api, published = FakeApi(), Published()
    world = World(NETWORK, SEED, clock, line, tmp_path, api, published)
    world.open()
    assert (tmp_path / CABINET / LOCK_LINE).exists()
    assert (tmp_path / CABINET / READER_LINE).exists()
    home = NETWORK.vehicles[0].key.home_slot
    agent = FakeAgent(tmp_path / CABINET, SEED, CABINET, lambda _card: home)
    async with agent.running():
        running = asyncio.create_task(world.run())
        await eventually(lambda: world.record.count(What.KEY_REMOVED), within_s=10)
        world.stop_acting()
        await asyncio.wait_for(running, 20)
        facts = world.record.of(CABINET)
        assert facts[-1].deed.what is What.DOOR_CLOSED, "who held the key open shut it before going"
        await eventually(lambda: agent.shows(home) == (False, False))
    world.close()
    assert not (tmp_path / CABINET / LOCK_LINE).exists()
    assert api.asked[0].start_ms % GRID_MS == 0
    assert {request.start_ms for request in api.asked} >= {GRID_START_MS}
    topics = {topic for topic, _ in published.messages}
    assert topics == {f"carshare/v1/vehicles/{vehicle.id}/raw" for vehicle in NETWORK.vehicles}
    drivers = (TeltonikaJson(), VssJson())
    assert all(any(driver.read(clock.now_ms(), payload) for driver in drivers) for _, payload in published.messages)


async def test_refused_bookings_are_counted_by_reason(tmp_path: Path) -> None:
    class StrictApi(FakeApi):
        async def book(self, request: BookingRequest) -> ApiAnswer:
            self.asked.append(request)
            return ApiRefusal("vehicle_not_free")

    line, api = SystemLineClock(), StrictApi()
    world = World(NETWORK, SEED, ScaledClock(MORNING_MS, 60.0, line), line, tmp_path, api, Published())
    running = asyncio.create_task(world.run())
    await eventually(lambda: len(api.asked) >= len(NETWORK.vehicles))
    world.stop_acting()
    await asyncio.wait_for(running, 5)
    assert world.refused_bookings == {"vehicle_not_free": len(api.asked)}


async def test_a_world_that_stops_at_once_leaves_nobody_behind(tmp_path: Path) -> None:
    line = SystemLineClock()
    world = World(NETWORK, SEED, ScaledClock(GRID_START_MS, 1.0, line), line, tmp_path, FakeApi(), Published())
    world.open()
    running = asyncio.create_task(world.run())
    await asyncio.sleep(0)
    world.stop_acting()
    await asyncio.wait_for(running, 5)
    world.close()
    assert world.record.count(*What) == 0
