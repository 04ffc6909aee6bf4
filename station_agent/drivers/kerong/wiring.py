"""How a cabinet hangs on its bus: which lock of which board belongs to which slot."""

from dataclasses import dataclass

from station_agent.drivers.bus_timing import SLOTS_MAX, BusTiming
from station_agent.drivers.kerong.frames import BOARDS, LOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotWiring:
    """One slot: a lock with its hook and its infrared sensor.

    Hook closed means that the door is shut, infrared seen that a key hangs here; `inverted` turns it round.
    """

    slot: int
    board: int
    """0 to 15, as set at the board."""
    lock: int
    """0 to 15, as on the wire; the maker prints 1 to 16."""
    hook_inverted: bool = False
    infrared_inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CabinetWiring(BusTiming):
    """One bus with all its boards. Raises ValueError, naming the slot, if it cannot be wired like this.

    How long a lock gets current is set at the board.
    """

    slots: tuple[SlotWiring, ...]
    baud_rate: int = 19200
    """How the boards come from the factory."""

    def __post_init__(self) -> None:
        BusTiming.__post_init__(self)
        if not 1 <= len(self.slots) <= SLOTS_MAX:
            raise ValueError(f"slots: expected 1 to {SLOTS_MAX}, found {len(self.slots)}")
        places: dict[tuple[int, int], int] = {}
        for wiring in self.slots:
            place = (wiring.board, wiring.lock)
            if wiring.board not in BOARDS or wiring.lock not in LOCKS:
                raise ValueError(f"slot {wiring.slot}: no such place: board {wiring.board}, lock {wiring.lock}")
            if wiring.slot in places.values():
                raise ValueError(f"slot {wiring.slot} is wired twice")
            if place in places:
                raise ValueError(f"slots {places[place]} and {wiring.slot} share board {place[0]}, lock {place[1]}")
            places[place] = wiring.slot
