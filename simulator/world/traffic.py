"""All vehicles of the world and what their trackers publish, each message at its own time by the wall clock."""

import asyncio
from collections.abc import Awaitable, Callable

from contract.topics import VEHICLE_RAW
from runtime.clocks import Clock
from simulator.network.draws import stream
from simulator.network.model import Network
from simulator.world.signals import Told
from simulator.world.vehicle import PhysicalVehicle

Publish = Callable[[str, bytes], Awaitable[None]]
"""(topic, payload): QoS 0 or 1, never retained. It does not raise: a tracker without network loses messages."""


class Traffic:
    """Made when the world begins: every vehicle stands in its bay."""

    def __init__(self, network: Network, seed: int, clock: Clock, publish: Publish, namespace: str) -> None:
        self._clock = clock
        self._publish = publish
        self._namespace = namespace
        self._changed = asyncio.Event()
        now_ms = clock.now_ms()
        self.vehicles = {
            vehicle.id: PhysicalVehicle(
                vehicle,
                network.station_by_id[vehicle.station],
                stream(seed, f"vehicle/{vehicle.id}"),
                now_ms,
            )
            for vehicle in network.vehicles
        }

    @property
    def told(self) -> dict[str, list[Told]]:
        """What each vehicle's tracker said, oldest first."""
        return {name: vehicle.told for name, vehicle in self.vehicles.items()}

    def drive_off(self, vehicle: str, back_at_ms: int, distance_m: int) -> None:
        self.vehicles[vehicle].drive_off(self._clock.now_ms(), back_at_ms, distance_m)
        self._changed.set()

    def park(self, vehicle: str) -> None:
        self.vehicles[vehicle].park(self._clock.now_ms())
        self._changed.set()

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        while True:
            self._changed.clear()
            for name, vehicle in self.vehicles.items():
                if vehicle.wake_at_ms <= self._clock.now_ms():
                    payload = vehicle.report(self._clock.now_ms())
                    await self._publish(VEHICLE_RAW.topic(self._namespace, name), payload)
            next_ms = min(vehicle.wake_at_ms for vehicle in self.vehicles.values())
            await self._wait(next_ms)

    async def _wait(self, until_ms: int) -> None:
        """Until then, or until a driver turns a key; a clock may want to be asked again before."""
        delay_s = self._clock.line_delay_s(until_ms)
        try:
            async with asyncio.timeout(delay_s):
                await self._changed.wait()
        except TimeoutError:
            return
