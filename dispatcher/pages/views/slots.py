"""What one slot of a cabinet shows: decided from what is known, without I/O. Unknown is shown as unknown."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Shown(StrEnum):
    """The one thing that a slot says at a glance."""

    KEY = "key"  # the key that lives here, by its tag
    PRESUMED = "presumed"  # it should be that one: no tag was read
    WRONG_SLOT = "wrong_slot"  # a key that lives elsewhere
    UNKNOWN_KEY = "unknown_key"  # a key hangs here, nothing says which
    OUT = "out"  # the key that lives here is under way, under a right
    OVERDUE = "overdue"  # the same, past the end of its booking
    MISSING = "missing"
    ELSEWHERE = "elsewhere"  # somebody has it, by an operator's word
    AWAY = "away"  # it hangs in another slot
    EMPTY = "empty"  # no key lives here
    SPARE = "spare"  # kept free for returns
    OUT_OF_USE = "out_of_use"
    UNKNOWN = "unknown"  # nothing was ever told of it


WRONG = frozenset({Shown.WRONG_SLOT, Shown.UNKNOWN_KEY, Shown.OVERDUE, Shown.MISSING, Shown.UNKNOWN})
"""What somebody has to look at, or has to ask for."""


class SlotFacts(NamedTuple):
    """What the cabinet told of the slot; None: nothing was told."""

    key_present: bool | None
    key_id: str | None
    identity: str | None
    door_open: bool | None


class KeyFacts(NamedTuple):
    """A key in service, where it lives and where it is."""

    key_id: str
    vehicle_id: str
    vehicle: str
    """Its name."""
    home: tuple[str, int]
    state: str | None
    """None: nothing was heard of it."""
    place: tuple[str | None, int | None]
    back_ms: int | None
    """When it is expected back, where it is out under a booking."""


@dataclass(frozen=True, slots=True)
class SlotView:
    slot: int
    shown: Shown
    vehicle_id: str | None = None
    vehicle: str | None = None
    """Of the key that hangs here, or else of the one that lives here."""
    back_ms: int | None = None
    away: tuple[str | None, int | None] | None = None
    """Where the key that lives here hangs instead."""
    is_open: bool = False
    """Its door stands open."""
    is_blocked: bool = False
    """The vehicle is out of service for a while."""

    @property
    def is_wrong(self) -> bool:
        return self.shown in WRONG


def slot_view(
    place: tuple[str, int],
    told: SlotFacts | None,
    use: str | None,
    lives_here: KeyFacts | None,
    hangs_here: KeyFacts | None,
    now_ms: int,
) -> SlotView:
    """One slot. `use` is `spare` or `out_of_use`; `hangs_here` the key that the cabinet names, if it is ours."""
    slot = place[1]
    is_open = told is not None and told.door_open is True
    if told is None or told.key_present is None:
        shown = Shown.OUT_OF_USE if use == "out_of_use" else Shown.UNKNOWN
        return _of(lives_here, slot, shown, is_open=is_open)
    if told.key_present:
        return _of(hangs_here, slot, _hanging(place, told, hangs_here), is_open=is_open)
    if use == "out_of_use":
        return SlotView(slot, Shown.OUT_OF_USE, is_open=is_open)
    if lives_here is None:
        return SlotView(slot, Shown.SPARE if use == "spare" else Shown.EMPTY, is_open=is_open)
    return _of(lives_here, slot, _gone(lives_here, now_ms), is_open=is_open)


def _hanging(place: tuple[str, int], told: SlotFacts, key: KeyFacts | None) -> Shown:
    if key is None:
        return Shown.UNKNOWN_KEY
    if key.home != place:
        return Shown.WRONG_SLOT
    return Shown.KEY if told.identity == "read" else Shown.PRESUMED


def _gone(key: KeyFacts, now_ms: int) -> Shown:
    match key.state:
        case "taken":
            return Shown.OVERDUE if key.back_ms is not None and now_ms >= key.back_ms else Shown.OUT
        case "missing":
            return Shown.MISSING
        case "elsewhere":
            return Shown.ELSEWHERE
        case "in_slot" if key.place != key.home:
            return Shown.AWAY
        case _:  # its slot is empty, and nothing told where it went
            return Shown.UNKNOWN


def _of(key: KeyFacts | None, slot: int, shown: Shown, *, is_open: bool) -> SlotView:
    if key is None:
        return SlotView(slot, shown, is_open=is_open)
    return SlotView(
        slot,
        shown,
        vehicle_id=key.vehicle_id,
        vehicle=key.vehicle,
        back_ms=key.back_ms if shown in {Shown.OUT, Shown.OVERDUE} else None,
        away=key.place if shown is Shown.AWAY else None,
        is_open=is_open,
    )
