"""A vehicle on the road and at its station: odometer, energy, ignition, and when its tracker next speaks.

Driven by wall time, no I/O: `drive_off` and `park` tell what its driver does, `report(now_ms)` is its next
message once `wake_at_ms` has come.
"""

import random
from dataclasses import dataclass, replace

from simulator.network.model import Energy, Station, Vehicle
from simulator.world.codec_json import NO_TIME_SHARE, codec_json
from simulator.world.codec_vss import codec_vss
from simulator.world.signals import Signals, Told

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
VOLTAGE_FLAT_MV = 11_400  # a battery of 60 Ah after a night of parking lights
BAY_JITTER_DEG = 0.0001  # about 10 m: a good fix in a street
ERRAND_DEG = 0.05  # about 5 km away
NEXT_STREET_DEG = 0.005  # 550 m: outside of any bay, and a short walk
HOUR_MS = 3_600_000
ROLLS_IN_MS = 1_000  # of whoever comes home early, from an errand: the engine was on for longer than nothing
ROLLS_IN_KMH = 20


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


@dataclass(frozen=True, slots=True)
class Parking:
    """How somebody leaves a car: by default as it should be, in its bay, shut, and with its cable in."""

    elsewhere: bool = False
    doors_open: bool = False
    unplugged: bool = False
    lights_on: bool = False


class PhysicalVehicle:
    """One vehicle, parked and (if electric) plugged in at its station."""

    def __init__(self, vehicle: Vehicle, station: Station, rng: random.Random, now_ms: int) -> None:
        self.vehicle = vehicle
        self._station = station
        self._rng = rng
        self._odometer_m = rng.randint(8_000_000, 90_000_000)
        self._energy_percent = rng.uniform(45.0, FULL_PERCENT)
        self._trip: _Trip | None = None
        self._parking = Parking()
        self.next_parking = Parking()
        """How its driver will leave it the next time."""
        self.told: list[Told] = []
        """All that its tracker ever said, oldest first."""
        self._since_ms = now_ms  # of the odometer and energy above
        self._first = True
        self._rolls_in = False
        self.wake_at_ms = now_ms + rng.randrange(FIRST_REPORT_WITHIN_MS)

    @property
    def is_electric(self) -> bool:
        return self.vehicle.energy is Energy.ELECTRIC

    def drive_off(self, now_ms: int, back_at_ms: int, distance_m: int) -> None:
        """The driver starts the engine, and means to be back at `back_at_ms`."""
        self._settle(now_ms)
        self._parking = Parking()
        if back_at_ms > now_ms:
            self._trip = _Trip(now_ms, back_at_ms, distance_m)
        self.wake_at_ms = now_ms

    def park(self, now_ms: int) -> None:
        """Engine off, left as `next_parking` says; filled up on the way if it was needed."""
        trip = self._trip
        self._rolls_in = trip is not None and not trip.is_driving(now_ms) and trip.share(now_ms) < 1
        self._settle(now_ms)
        self._parking, self.next_parking = self.next_parking, Parking()
        if not self.is_electric and self._energy_percent < REFUEL_BELOW_PERCENT:
            self._energy_percent = FULL_PERCENT
        self.wake_at_ms = now_ms

    def report(self, now_ms: int) -> bytes:
        """The tracker's message of this instant; sets when it speaks next."""
        signals = self.signals(now_ms)
        if self._rolls_in:
            signals = replace(signals, ignition=True, moving=True, speed_kmh=ROLLS_IN_KMH)
        timed = not (self._first and self._rng.random() < NO_TIME_SHARE)
        codec = codec_vss if self.is_electric else codec_json
        payload = codec(self._rng, now_ms, signals, timed=timed)
        self._first = False
        self.told.append(Told(now_ms, signals, is_timed=timed))
        pause_ms = REPORT_IGNITION_ON_MS if signals.ignition else REPORT_RESTING_MS
        change_ms = self._trip.next_change_ms(now_ms) if self._trip else None
        if self._rolls_in:
            self._rolls_in, change_ms = False, now_ms + ROLLS_IN_MS
        self.wake_at_ms = min(now_ms + pause_ms, change_ms or now_ms + pause_ms)
        return payload

    def signals(self, now_ms: int) -> Signals:
        """What the car knows at an instant not before the last change."""
        driving = self._trip is not None and self._trip.is_driving(now_ms)
        away = ERRAND_DEG if self._trip is not None else 0.0
        north = NEXT_STREET_DEG if self._parking.elsewhere else 0.0
        resting_mv = VOLTAGE_FLAT_MV if self._parking.lights_on else VOLTAGE_RESTING_MV
        return Signals(
            odometer_m=self._odometer_m + self._driven_m(now_ms),
            energy_percent=round(self._energy_at(now_ms)),
            is_electric=self.is_electric,
            charging=self._is_plugged_in and self._energy_at(now_ms) < FULL_PERCENT,
            plugged_in=self._is_plugged_in,
            ignition=driving,
            moving=driving,
            doors_open=self._parking.doors_open,
            speed_kmh=self._rng.randint(5, 70) if driving else 0,
            low_voltage_mv=VOLTAGE_ALTERNATOR_MV if driving else resting_mv,
            latitude=self._station.latitude + north + self._rng.uniform(-1, 1) * (away or BAY_JITTER_DEG),
            longitude=self._station.longitude + self._rng.uniform(-1, 1) * (away or BAY_JITTER_DEG),
        )

    @property
    def _is_plugged_in(self) -> bool:
        return self.is_electric and self._trip is None and not self._parking.unplugged

    def _driven_m(self, now_ms: int) -> int:
        return self._trip.driven_m(now_ms) if self._trip else 0

    def _energy_at(self, now_ms: int) -> float:
        if self._trip is None:
            gained = CHARGE_PER_HOUR_PERCENT * (now_ms - self._since_ms) / HOUR_MS if self._is_plugged_in else 0.0
            return min(self._energy_percent + gained, FULL_PERCENT)
        per_km = BATTERY_PER_KM_PERCENT if self.is_electric else FUEL_PER_KM_PERCENT[self.vehicle.energy]
        return max(self._energy_percent - per_km * self._driven_m(now_ms) / 1000, 0.0)

    def _settle(self, now_ms: int) -> None:
        energy_percent, driven_m = self._energy_at(now_ms), self._driven_m(now_ms)
        self._energy_percent = energy_percent
        self._odometer_m += driven_m
        self._since_ms = now_ms
        self._trip = None
