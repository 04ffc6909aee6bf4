"""A vehicle on the road and at its station: odometer, energy, ignition, and when its tracker next speaks.

Driven by wall time, no I/O: `drive_off` and `park` tell what its driver does, `report(now_ms)` is its next
message once `wake_at_ms` has come.
"""

import random
from dataclasses import dataclass

from simulator.network.model import Energy, Station, Vehicle
from simulator.world.codec_json import Signals, codec_json

REPORT_RESTING_MS = 3_600_000  # a parked tracker wakes once an hour, so as not to empty the battery
REPORT_IGNITION_ON_MS = 300_000  # every 5 minutes: P1 asks for no track, and signals change slowly
FIRST_REPORT_WITHIN_MS = 60_000  # all trackers of a network do not speak in the same second

LEG_SHARE = 0.35  # of a rental is driving out, as much driving back, the rest is the errand
FULL_PERCENT = 100
REFUEL_BELOW_PERCENT = 20  # the rule of most clubs: leave a quarter, fill up with the fuel card
FUEL_PER_KM_PERCENT = {Energy.PETROL: 0.14, Energy.HYBRID: 0.10}  # 6.3 and 4.5 litres per 100 km of 45
BATTERY_PER_KM_PERCENT = 0.375  # 15 kWh per 100 km of 40 kWh
CHARGE_PER_HOUR_PERCENT = 18.5  # 7.4 kW into 40 kWh
VOLTAGE_RESTING_MV = 12_450
VOLTAGE_ALTERNATOR_MV = 14_100
BAY_JITTER_DEG = 0.0001  # about 10 m: a good fix in a street
ERRAND_DEG = 0.05  # about 5 km away
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class _Trip:
    start_ms: int
    end_ms: int
    distance_m: int

    def share(self, now_ms: int) -> float:
        return min(max((now_ms - self.start_ms) / (self.end_ms - self.start_ms), 0.0), 1.0)

    def driven_m(self, now_ms: int) -> int:
        share = self.share(now_ms)
        driving = min(share, LEG_SHARE) + max(share - (1 - LEG_SHARE), 0.0)
        return round(self.distance_m * driving / (2 * LEG_SHARE))

    def is_driving(self, now_ms: int) -> bool:
        share = self.share(now_ms)
        return share < LEG_SHARE or 1 - LEG_SHARE <= share < 1

    def next_change_ms(self, now_ms: int) -> int | None:
        length_ms = self.end_ms - self.start_ms
        changes = (self.start_ms + round(length_ms * share) for share in (LEG_SHARE, 1 - LEG_SHARE, 1.0))
        return min((change for change in changes if change > now_ms), default=None)


class PhysicalVehicle:
    """One vehicle, parked and (if electric) plugged in at its station."""

    def __init__(self, vehicle: Vehicle, station: Station, rng: random.Random, now_ms: int) -> None:
        self.vehicle = vehicle
        self._station = station
        self._rng = rng
        self._odometer_m = rng.randint(8_000_000, 90_000_000)
        self._energy_percent = rng.uniform(45.0, FULL_PERCENT)
        self._trip: _Trip | None = None
        self._since_ms = now_ms  # of the odometer and energy above
        self._first = True
        self.wake_at_ms = now_ms + rng.randrange(FIRST_REPORT_WITHIN_MS)

    @property
    def is_electric(self) -> bool:
        return self.vehicle.energy is Energy.ELECTRIC

    def drive_off(self, now_ms: int, back_at_ms: int, distance_m: int) -> None:
        """The driver starts the engine, and means to be back at `back_at_ms`."""
        self._settle(now_ms)
        if back_at_ms > now_ms:
            self._trip = _Trip(now_ms, back_at_ms, distance_m)
        self.wake_at_ms = now_ms

    def park(self, now_ms: int) -> None:
        """Back in the bay, engine off, plugged in; filled up on the way if it was needed."""
        self._settle(now_ms)
        if not self.is_electric and self._energy_percent < REFUEL_BELOW_PERCENT:
            self._energy_percent = FULL_PERCENT
        self.wake_at_ms = now_ms

    def report(self, now_ms: int) -> bytes:
        """The tracker's message of this instant; sets when it speaks next."""
        signals = self.signals(now_ms)
        payload = codec_json(self._rng, now_ms, signals, first=self._first)
        self._first = False
        pause_ms = REPORT_IGNITION_ON_MS if signals.ignition else REPORT_RESTING_MS
        change_ms = self._trip.next_change_ms(now_ms) if self._trip else None
        self.wake_at_ms = min(now_ms + pause_ms, change_ms or now_ms + pause_ms)
        return payload

    def signals(self, now_ms: int) -> Signals:
        """What the car knows at an instant not before the last change."""
        driving = self._trip is not None and self._trip.is_driving(now_ms)
        away = ERRAND_DEG if self._trip is not None else 0.0
        return Signals(
            odometer_m=self._odometer_m + self._driven_m(now_ms),
            energy_percent=round(self._energy_at(now_ms)),
            is_electric=self.is_electric,
            charging=self.is_electric and self._trip is None and self._energy_at(now_ms) < FULL_PERCENT,
            ignition=driving,
            moving=driving,
            speed_kmh=self._rng.randint(5, 70) if driving else 0,
            low_voltage_mv=VOLTAGE_ALTERNATOR_MV if driving else VOLTAGE_RESTING_MV,
            latitude=self._station.latitude + self._rng.uniform(-1, 1) * (away or BAY_JITTER_DEG),
            longitude=self._station.longitude + self._rng.uniform(-1, 1) * (away or BAY_JITTER_DEG),
        )

    def _driven_m(self, now_ms: int) -> int:
        return self._trip.driven_m(now_ms) if self._trip else 0

    def _energy_at(self, now_ms: int) -> float:
        if self._trip is None:
            gained = CHARGE_PER_HOUR_PERCENT * (now_ms - self._since_ms) / HOUR_MS if self.is_electric else 0.0
            return min(self._energy_percent + gained, FULL_PERCENT)
        per_km = BATTERY_PER_KM_PERCENT if self.is_electric else FUEL_PER_KM_PERCENT[self.vehicle.energy]
        return max(self._energy_percent - per_km * self._driven_m(now_ms) / 1000, 0.0)

    def _settle(self, now_ms: int) -> None:
        energy_percent, driven_m = self._energy_at(now_ms), self._driven_m(now_ms)
        self._energy_percent = energy_percent
        self._odometer_m += driven_m
        self._since_ms = now_ms
        self._trip = None
