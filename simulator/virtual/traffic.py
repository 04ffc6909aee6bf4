"""All vehicles of a world in virtual time, and what their trackers publish."""

from collections.abc import Callable

from contract.topics import VEHICLE_RAW
from simulator.network.draws import stream
from simulator.network.model import Network
from simulator.virtual.clocks import TrueClock
from simulator.virtual.timers import Call, Timers
from simulator.world.signals import Told
from simulator.world.vehicle import PhysicalVehicle

Publish = Callable[[str, bytes], None]


class VirtualTraffic:
    """Every vehicle stands in its bay when the world begins."""

    def __init__(
        self, network: Network, seed: int, timers: Timers, clock: TrueClock, publish: Publish, namespace: str
    ) -> None:
        self._timers = timers
        self._clock = clock
        self._publish = publish
        self._namespace = namespace
        self.vehicles = {
            vehicle.id: PhysicalVehicle(
                vehicle,
                network.station_by_id[vehicle.station],
                stream(seed, f"vehicle/{vehicle.id}"),
                clock.now_ms(),
            )
            for vehicle in network.vehicles
        }
        self._alarms: dict[str, Call] = {}

    def begin(self) -> None:
        for name in self.vehicles:
            self._arm(name)

    @property
    def told(self) -> dict[str, list[Told]]:
        """What each vehicle's tracker said, oldest first."""
        return {name: vehicle.told for name, vehicle in self.vehicles.items()}

    def drive_off(self, vehicle: str, back_at_ms: int, distance_m: int) -> None:
        self.vehicles[vehicle].drive_off(self._clock.now_ms(), back_at_ms, distance_m)
        self._arm(vehicle)

    def park(self, vehicle: str) -> None:
        self.vehicles[vehicle].park(self._clock.now_ms())
        self._arm(vehicle)

    def _arm(self, name: str) -> None:
        if name in self._alarms:
            self._alarms[name].cancel()
        at_us = self._clock.at_us(self.vehicles[name].wake_at_ms)
        self._alarms[name] = self._timers.call_at(at_us, lambda: self._speak(name))

    def _speak(self, name: str) -> None:
        payload = self.vehicles[name].report(self._clock.now_ms())
        self._publish(VEHICLE_RAW.topic(self._namespace, name), payload)
        self._arm(name)
