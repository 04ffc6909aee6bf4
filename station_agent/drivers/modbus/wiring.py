"""How a cabinet hangs on its bus: which relay and which inputs belong to which slot, and how fast to look."""

from dataclasses import dataclass

from contract.facts import CabinetInput
from station_agent.drivers.bus_timing import SLOTS_MAX, BusTiming
from station_agent.drivers.modbus.frames import CHANNELS, PULSE_UNIT_MS, UNITS

PULSE_MAX_MS = 5000  # a solenoid made for pulses gets hot: none needs more

Place = tuple[int, int]
"""(unit, number): a relay or an input, counted from 0 as on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotWiring:
    """One slot. A contact that is on means: a key hangs here, the door is open; `inverted` turns it round."""

    slot: int
    lock: Place
    key: Place
    key_inverted: bool = False
    door: Place
    door_inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InputWiring:
    """One input of the cabinet itself: on means that it is so; `inverted` turns it round."""

    input: CabinetInput
    place: Place
    inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CabinetWiring(BusTiming):
    """One bus with all its boards. Raises ValueError, naming the slot, if it cannot be wired like this."""

    slots: tuple[SlotWiring, ...]
    inputs: tuple[InputWiring, ...] = ()
    baud_rate: int = 9600
    """8 data bits, no parity, 1 stop bit: how the boards come from the factory."""
    pulse_ms: int = 700
    """How long a lock gets current: the maker's own example; the board ends it."""
    local_echo: bool = False
    """True for an adapter that hands back what it sends."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.slots) <= SLOTS_MAX:
            raise ValueError(f"slots: expected 1 to {SLOTS_MAX}, found {len(self.slots)}")
        if self.pulse_ms % PULSE_UNIT_MS or not PULSE_UNIT_MS <= self.pulse_ms <= PULSE_MAX_MS:
            raise ValueError(
                f"pulse_ms: expected {PULSE_UNIT_MS} to {PULSE_MAX_MS} in steps of {PULSE_UNIT_MS}, "
                f"found {self.pulse_ms}"
            )
        BusTiming.__post_init__(self)
        self._check_places()

    def _check_places(self) -> None:
        relays: dict[Place, int] = {}
        inputs: dict[Place, int] = {}
        numbers: set[int] = set()
        for wiring in self.slots:
            if wiring.slot in numbers:
                raise ValueError(f"slot {wiring.slot} is wired twice")
            numbers.add(wiring.slot)
            for used, place in ((relays, wiring.lock), (inputs, wiring.key), (inputs, wiring.door)):
                unit, number = place
                if unit not in UNITS or number not in CHANNELS:
                    raise ValueError(f"slot {wiring.slot}: no such place: unit {unit}, number {number}")
                if place in used:
                    raise ValueError(f"slots {used[place]} and {wiring.slot} share unit {unit}, number {number}")
                used[place] = wiring.slot
        for wired in self.inputs:
            unit, number = wired.place
            if unit not in UNITS or number not in CHANNELS:
                raise ValueError(f"input {wired.input}: no such place: unit {unit}, number {number}")
            if wired.place in inputs:
                raise ValueError(
                    f"input {wired.input} and slot {inputs[wired.place]} share unit {unit}, number {number}"
                )
