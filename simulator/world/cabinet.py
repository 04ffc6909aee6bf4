"""A key cabinet as a thing: compartments with a lock, a sprung door and a hook. No I/O, no clock.

    changes = cabinet.pulse(moment, 3)        # (ContactChanged(3, DOOR, True),): the door sprang open
    fob, changes = cabinet.take_key(...)      # a hand takes the key

Every call writes what happened into the world's record and answers which contacts changed, for the boards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from simulator.network.model import Key
from simulator.world.moment import Moment
from simulator.world.record import Deed, What, WorldRecord

LOCK_BOARD = "lock board"
SPRING = "spring"


class Contact(StrEnum):
    KEY = "key"
    DOOR = "door"


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """`closed` for a key: one hangs there; for a door: it is open."""

    slot: int
    contact: Contact
    is_on: bool


Changes = tuple[ContactChanged, ...]


class NotPossibleError(Exception):
    """No hand could do that: the door is shut, the hook is empty or taken."""


@dataclass(slots=True)
class _Compartment:
    key: Key | None
    door_open: bool = False
    stuck: bool = False


class PhysicalCabinet:
    """One cabinet. `keys` hang in their slots, all doors are shut, nobody has touched it yet."""

    def __init__(self, name: str, slots: int, keys: Mapping[int, Key], record: WorldRecord) -> None:
        self.name = name
        self._record = record
        self._compartments = {slot: _Compartment(keys.get(slot)) for slot in range(1, slots + 1)}
        assert set(keys) <= set(self._compartments), "keys hang in slots that exist"

    @property
    def slots(self) -> tuple[int, ...]:
        return tuple(self._compartments)

    def key_in(self, slot: int) -> Key | None:
        return self._compartments[slot].key

    def is_open(self, slot: int) -> bool:
        return self._compartments[slot].door_open

    def contacts(self) -> Changes:
        """Every contact as it is now: what the boards start with."""
        return tuple(
            change
            for slot, compartment in self._compartments.items()
            for change in (
                ContactChanged(slot, Contact.KEY, compartment.key is not None),
                ContactChanged(slot, Contact.DOOR, compartment.door_open),
            )
        )

    def open_slots(self) -> tuple[int, ...]:
        return tuple(slot for slot, compartment in self._compartments.items() if compartment.door_open)

    def set_stuck(self, slot: int, *, stuck: bool) -> None:
        """A bent latch: current or not, the door stays shut."""
        self._compartments[slot].stuck = stuck

    def pulse(self, moment: Moment, slot: int) -> Changes:
        """The lock gets current: a shut door springs open, an open one stays as it is."""
        compartment = self._compartments[slot]
        self._write(moment, Deed(What.LOCK_PULSED, LOCK_BOARD, slot, _id(compartment.key)))
        if compartment.door_open or compartment.stuck:
            return ()
        return self._open(moment, slot, SPRING)

    def force_open(self, moment: Moment, slot: int, who: str) -> Changes:
        """The mechanical key, or a crowbar."""
        if self.is_open(slot):
            raise NotPossibleError(f"{self.name} slot {slot} is open already")
        return self._open(moment, slot, who)

    def close_door(self, moment: Moment, slot: int, who: str) -> Changes:
        compartment = self._compartments[slot]
        if not compartment.door_open:
            raise NotPossibleError(f"{self.name} slot {slot} is shut already")
        compartment.door_open = False
        self._write(moment, Deed(What.DOOR_CLOSED, who, slot))
        return (ContactChanged(slot, Contact.DOOR, is_on=False),)

    def take_key(self, moment: Moment, slot: int, who: str) -> tuple[Key, Changes]:
        compartment = self._compartments[slot]
        key = compartment.key
        if key is None or not compartment.door_open:
            raise NotPossibleError(f"{self.name} slot {slot}: no key within reach")
        compartment.key = None
        self._write(moment, Deed(What.KEY_REMOVED, who, slot, key.id))
        return key, (ContactChanged(slot, Contact.KEY, is_on=False),)

    def hang_key(self, moment: Moment, slot: int, key: Key, who: str) -> Changes:
        compartment = self._compartments[slot]
        if compartment.key is not None or not compartment.door_open:
            raise NotPossibleError(f"{self.name} slot {slot}: no free hook within reach")
        compartment.key = key
        self._write(moment, Deed(What.KEY_INSERTED, who, slot, key.id))
        return (ContactChanged(slot, Contact.KEY, is_on=True),)

    def _open(self, moment: Moment, slot: int, who: str) -> Changes:
        self._compartments[slot].door_open = True
        self._write(moment, Deed(What.DOOR_OPENED, who, slot))
        return (ContactChanged(slot, Contact.DOOR, is_on=True),)

    def _write(self, moment: Moment, deed: Deed) -> None:
        self._record.write(self.name, moment, deed)


def _id(key: Key | None) -> str | None:
    return key.id if key is not None else None
