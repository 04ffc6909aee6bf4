"""What vehicles say: the newest reading of each is state, a sign that begins or ends is a fact.

Signs are judged for the vehicles whose keys live here, by readings that tell a time worth believing, and a fresh
one: trackers send what they buffered, newest first. A sign that is so for long enough is told once, and once more
when it is over; what was told is in the picture and outlasts a reboot.
"""

from dataclasses import dataclass

from contract.facts import VehicleNoticed, VehicleReading, VehicleSign
from contract.places import Position
from station_agent.core.bays import Bays
from station_agent.core.device_events import VehicleTold
from station_agent.core.devices import CABINET, Devices
from station_agent.core.model import Now, Report, VehicleRead
from station_agent.core.notebook import Notebook
from station_agent.core.picture import Picture, VehiclePicture
from station_agent.core.tracker_clock import believed_ms
from station_agent.core.vehicle_signs import ENDED_BY_TAKE, Scene, lasts_ms, shows
from station_agent.core.wanted import Wanted

FRESH_MS = 600_000  # two reports of a tracker on the road; what is older was buffered, and may be over by now
LONG_AGO_MS = 1 << 62  # since when a key hangs that was never brought back


@dataclass(frozen=True, slots=True)
class _Heard:
    """The newest reading of a vehicle."""

    reading: VehicleReading
    at_ms: int
    """By its tracker's time; where it has none, when it came."""
    is_timed: bool


class Vehicles:
    """The vehicles that speak to this box."""

    def __init__(self, picture: Picture, wanted: Wanted, devices: Devices, notebook: Notebook) -> None:
        self._picture = picture
        self._wanted = wanted
        self._devices = devices
        self._notebook = notebook
        self._bays = Bays()
        self._heard: dict[str, _Heard] = {}
        self._due_ms: dict[tuple[str, VehicleSign], int] = {}
        """When what a reading says otherwise than it was told has lasted long enough, by the line."""

    @property
    def wake_at_line_ms(self) -> int | None:
        bays_ms = self._bays.wake_at_line_ms
        return min((*self._due_ms.values(), *(() if bays_ms is None else (bays_ms,))), default=None)

    def read(self, now: Now, event: VehicleRead | VehicleTold) -> None:
        """A tracker spoke. One reading replaces another unless it is older."""
        tracker_ms = believed_ms(now.wall_ms, event.tracker_ms)
        at_ms = tracker_ms if tracker_ms is not None else now.wall_ms
        known = self._heard.get(event.vehicle)
        if known is not None and at_ms < known.at_ms:
            return
        self._heard[event.vehicle] = _Heard(event.reading, at_ms, is_timed=tracker_ms is not None)
        if self._is_out(event.vehicle):
            position = event.position if tracker_ms is not None else None
            self._bays.told(now, event.vehicle, position, event.reading, now.wall_ms - at_ms)
        if event.vehicle in self._wanted.home_keys and self._is_news(now, event.vehicle):
            self._judge(now, event.vehicle)

    def elapsed(self, now: Now) -> None:
        """Tell what has lasted long enough."""
        self._bays.elapsed(now)
        for (vehicle, sign), due_ms in sorted(self._due_ms.items()):
            if now.line_ms >= due_ms:
                del self._due_ms[vehicle, sign]
                scene = self._scene(vehicle, sign)
                if shows(sign, scene) is (not scene.is_active):
                    self._tell(now, vehicle, sign, active=not scene.is_active)

    def key_left(self, now: Now, key: str | None) -> None:
        """Somebody has a key of a vehicle: what a return left behind is over, and what it left to doubt."""
        vehicle = self._wanted.vehicle_of(key)
        if vehicle is None:
            return
        self._bays.left(vehicle)
        for sign in sorted(ENDED_BY_TAKE):
            self._due_ms.pop((vehicle, sign), None)
            if sign in self._active(vehicle):
                self._tell(now, vehicle, sign, active=False, shown=False)

    def key_came(self, now: Now, key: str | None) -> bool | None:
        """A key hangs here again: if it lives here, what its vehicle does from now on nobody does who rents it.

        Whether the vehicle stands in its bay; None: that is not known.
        """
        entry = self._wanted.keys.get(key or "")
        if entry is None or entry.home_slot is None:
            return None
        self._picture.vehicles.setdefault(entry.vehicle, VehiclePicture()).returned_ms = now.wall_ms
        return self._bays.came(now, entry.vehicle, entry.bay)

    def wanted_changed(self, now: Now) -> None:
        """Of vehicles that live here no more nothing is told: what was begun is over."""
        for vehicle in [vehicle for vehicle in self._picture.vehicles if vehicle not in self._wanted.home_keys]:
            for sign in tuple(self._active(vehicle)):
                self._tell(now, vehicle, sign, active=False, shown=False)
            del self._picture.vehicles[vehicle]
        self._due_ms = {about: due for about, due in self._due_ms.items() if about[0] in self._wanted.home_keys}

    def tell_again(self, now: Now) -> None:
        """In a new epoch: what is so now, whatever the ledger knows of it."""
        for vehicle, picture in self._picture.vehicles.items():
            for sign in picture.active:
                about = {"vehicle": vehicle, "sign": sign, "reading": self._reading(now, vehicle)}
                self._notebook.note(now, VehicleNoticed, active=True, again=True, **about)

    # --- what others ask

    def reading_of_key(self, now: Now, key: str | None) -> VehicleReading | None:
        """The last signals of a key's vehicle with their age; None: it never spoke since the start."""
        vehicle = self._wanted.vehicle_of(key)
        return self._reading(now, vehicle) if vehicle is not None else None

    def odometer_m(self, key: str | None, since_ms: int = 0) -> int | None:
        """What the vehicle of a key has run; None: that is not known, or was not told since then."""
        heard = self._heard.get(self._wanted.vehicle_of(key) or "")
        return heard.reading.odometer_m if heard is not None and heard.at_ms >= since_ms else None

    def readings(self, now: Now) -> list[tuple[str, VehicleReading]]:
        """Each vehicle's last signals with their age."""
        found = ((vehicle, self._reading(now, vehicle)) for vehicle in sorted(self._heard))
        return [(vehicle, reading) for vehicle, reading in found if reading is not None]

    def _reading(self, now: Now, vehicle: str) -> VehicleReading | None:
        heard = self._heard.get(vehicle)
        if heard is None:
            return None
        return heard.reading.model_copy(update={"age_s": max(0, now.wall_ms - heard.at_ms) // 1000})

    def outside_bay(self, vehicle: str) -> Position | None:
        """Where it was left at its last return, if that is not its bay."""
        return self._bays.outside(vehicle)

    # --- signs

    def _is_out(self, vehicle: str) -> bool:
        """Whether somebody has a key of it: else it is nobody's business where it stands."""
        return any(self._picture.slot_of(key) is None for key in self._wanted.home_keys.get(vehicle, ()))

    def _is_news(self, now: Now, vehicle: str) -> bool:
        """Whether the newest reading says something about now: both clocks count for it."""
        heard = self._heard[vehicle]
        return heard.is_timed and self._notebook.clock_trusted and now.wall_ms - heard.at_ms <= FRESH_MS

    def _judge(self, now: Now, vehicle: str) -> None:
        for sign in VehicleSign:
            scene = self._scene(vehicle, sign)
            if shows(sign, scene) is (not scene.is_active):
                due_ms = now.line_ms + lasts_ms(sign, scene)
                self._due_ms[vehicle, sign] = min(due_ms, self._due_ms.get((vehicle, sign), due_ms))
            else:
                self._due_ms.pop((vehicle, sign), None)

    def _scene(self, vehicle: str, sign: VehicleSign) -> Scene:
        heard = self._heard[vehicle]
        return Scene(
            reading=heard.reading,
            home_ms=self._home_ms(vehicle, heard.at_ms),
            settings=self._wanted.settings,
            is_active=sign in self._active(vehicle),
        )

    def _home_ms(self, vehicle: str, at_ms: int) -> int | None:
        """How long all its keys had hung at home at an instant; None: they do not, or the cabinet is not seen."""
        keys = self._wanted.home_keys.get(vehicle, ())
        if not keys or not self._devices.is_online(CABINET):
            return None
        if any(self._picture.slot_of(key) is None for key in keys):
            return None
        picture = self._picture.vehicles.get(vehicle)
        returned_ms = picture.returned_ms if picture is not None else None
        return LONG_AGO_MS if returned_ms is None else at_ms - returned_ms

    def _active(self, vehicle: str) -> list[VehicleSign]:
        picture = self._picture.vehicles.get(vehicle)
        return picture.active if picture is not None else []

    def _tell(self, now: Now, vehicle: str, sign: VehicleSign, *, active: bool, shown: bool = True) -> None:
        """`shown`: by the newest reading."""
        told = self._picture.vehicles.setdefault(vehicle, VehiclePicture()).active
        if active:
            told.append(sign)
        else:
            told.remove(sign)
        reading = self._reading(now, vehicle) if shown else None
        self._notebook.note(now, VehicleNoticed, vehicle=vehicle, sign=sign, active=active, reading=reading)
        self._notebook.then(Report())
