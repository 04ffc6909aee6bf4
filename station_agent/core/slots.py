"""What a slot can be and how it moves: one table, from which the manual's diagram is drawn.

A slot shows two contacts, key and door. Two states in a row, as believed by the driver, tell what moved
between them, and in which order it can only have moved: a door opens before a key passes, and closes
after it.
"""

from enum import StrEnum


class SlotState(StrEnum):
    """What the two contacts of a slot say."""

    UNKNOWN = "unknown"  # not seen since the journal was made
    SHUT_WITH_KEY = "shut_with_key"
    OPEN_WITH_KEY = "open_with_key"
    OPEN_EMPTY = "open_empty"
    SHUT_EMPTY = "shut_empty"


class Movement(StrEnum):
    """One thing that happened at a slot; each becomes one fact."""

    DOOR_OPENED = "door_opened"
    KEY_TAKEN = "key_taken"
    KEY_RETURNED = "key_returned"
    DOOR_CLOSED = "door_closed"


_CONTACTS = {
    (True, False): SlotState.SHUT_WITH_KEY,
    (True, True): SlotState.OPEN_WITH_KEY,
    (False, True): SlotState.OPEN_EMPTY,
    (False, False): SlotState.SHUT_EMPTY,
}

MOVEMENTS: dict[tuple[SlotState, SlotState], tuple[Movement, ...]] = {
    (SlotState.SHUT_WITH_KEY, SlotState.OPEN_WITH_KEY): (Movement.DOOR_OPENED,),
    (SlotState.SHUT_WITH_KEY, SlotState.OPEN_EMPTY): (Movement.DOOR_OPENED, Movement.KEY_TAKEN),
    (SlotState.SHUT_WITH_KEY, SlotState.SHUT_EMPTY): (Movement.KEY_TAKEN,),
    (SlotState.OPEN_WITH_KEY, SlotState.SHUT_WITH_KEY): (Movement.DOOR_CLOSED,),
    (SlotState.OPEN_WITH_KEY, SlotState.OPEN_EMPTY): (Movement.KEY_TAKEN,),
    (SlotState.OPEN_WITH_KEY, SlotState.SHUT_EMPTY): (Movement.KEY_TAKEN, Movement.DOOR_CLOSED),
    (SlotState.OPEN_EMPTY, SlotState.OPEN_WITH_KEY): (Movement.KEY_RETURNED,),
    (SlotState.OPEN_EMPTY, SlotState.SHUT_WITH_KEY): (Movement.KEY_RETURNED, Movement.DOOR_CLOSED),
    (SlotState.OPEN_EMPTY, SlotState.SHUT_EMPTY): (Movement.DOOR_CLOSED,),
    (SlotState.SHUT_EMPTY, SlotState.OPEN_EMPTY): (Movement.DOOR_OPENED,),
    (SlotState.SHUT_EMPTY, SlotState.OPEN_WITH_KEY): (Movement.DOOR_OPENED, Movement.KEY_RETURNED),
    (SlotState.SHUT_EMPTY, SlotState.SHUT_WITH_KEY): (Movement.KEY_RETURNED,),
}


def slot_state(key_present: bool, door_open: bool) -> SlotState:
    return _CONTACTS[key_present, door_open]


def movements(before: SlotState, after: SlotState) -> tuple[Movement, ...]:
    """What moved between two sights of a slot, in order; nothing where one of them is unknown."""
    return MOVEMENTS.get((before, after), ())


def has_key(state: SlotState) -> bool:
    return state in {SlotState.SHUT_WITH_KEY, SlotState.OPEN_WITH_KEY}


def is_empty(state: SlotState) -> bool:
    return state in {SlotState.SHUT_EMPTY, SlotState.OPEN_EMPTY}


def is_open(state: SlotState) -> bool:
    return state in {SlotState.OPEN_WITH_KEY, SlotState.OPEN_EMPTY}


def mermaid() -> str:
    """The state diagram of a slot, for the manual."""
    lines = ["stateDiagram-v2"]
    for (before, after), moved in MOVEMENTS.items():
        lines.append(f"    {before} --> {after}: {', '.join(moved)}")
    return "\n".join(lines) + "\n"
