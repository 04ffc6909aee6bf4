"""What a cabinet told, as sentences: which phrase, of which slot and car, and what the member saw at the reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Connection, bindparam, select

from contract.facts import (
    AccessGranted,
    AccessRefused,
    AgentStarted,
    BadFact,
    CabinetInputChanged,
    ClockTrustChanged,
    CommandDecided,
    DeviceBack,
    DeviceLost,
    DoorClosed,
    DoorOpened,
    EpochStarted,
    Fact,
    FactsNotDurable,
    GrantCompleted,
    InventoryDue,
    KeyReturned,
    KeyTaken,
    PinAsked,
    PinGuessing,
    Purpose,
    ReleaseDropped,
    ReleaseFailed,
    UnknownFact,
    VehicleNoticed,
    parse_fact,
)
from contract.reasons import SHOWN_AS_AGAIN, SHOWN_AS_WAIT, Reason
from dispatcher.store.schema import cursors, facts, keys, vehicles

TOLD_MAX = 20  # a screen: what happened since the member came to the cabinet


class Phrase(StrEnum):
    """One sentence of each language."""

    OPENED_TO_TAKE = "opened_to_take"
    OPENED_AGAIN = "opened_again"
    OPENED_TO_RETURN = "opened_to_return"
    OPENED_BY_CODE = "opened_by_code"
    OPENED_BY_ORDER = "opened_by_order"
    REFUSED = "refused"
    PIN_ASKED = "pin_asked"
    PIN_GUESSING = "pin_guessing"
    COMPLETED = "completed"
    ORDER_REFUSED = "order_refused"
    ORDER_EXPIRED = "order_expired"
    LOCK_STUCK = "lock_stuck"
    RELEASE_DROPPED = "release_dropped"
    DOOR_OPENED = "door_opened"
    DOOR_FORCED = "door_forced"
    DOOR_CLOSED = "door_closed"
    KEY_TAKEN = "key_taken"
    KEY_GONE = "key_gone"
    KEY_RETURNED = "key_returned"
    KEY_IN_WRONG_SLOT = "key_in_wrong_slot"
    HANDED_BACK = "handed_back"
    INPUT_BEGAN = "input_began"
    INPUT_ENDED = "input_ended"
    INVENTORY_DUE = "inventory_due"
    CAR_TOLD = "car_told"
    DEVICE_LOST = "device_lost"
    DEVICE_BACK = "device_back"
    STARTED = "started"
    CLOCK_TRUSTED = "clock_trusted"
    CLOCK_DOUBTED = "clock_doubted"
    NOT_DURABLE = "not_durable"
    NOT_KNOWN = "not_known"


class Signal(StrEnum):
    """What the reader showed (domain.md, rule 6); `pin` is its one question."""

    TAKEN = "taken"
    ANOTHER_SLOT = "another_slot"
    WAIT = "wait"
    AGAIN = "again"
    CALL = "call"
    PIN = "pin"


@dataclass(frozen=True, slots=True)
class Caller:
    """By what facts name the one who is on the phone."""

    grants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The key that was booked, by grant."""
    badges: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    position: int
    at_ms: int
    phrase: Phrase
    slot: int | None = None
    vehicle: str | None = None
    """The name of the car whose key it is about."""
    what: str | None = None
    """A device, an input, or the name of a kind that is not known."""
    reason: Reason | None = None
    repeats: int = 0
    signal: Signal | None = None
    is_callers: bool = False
    """It names a right or a badge of the one who is on the phone."""


_LAST_EPOCH = (
    select(cursors.c.epoch)
    .where(cursors.c.cabinet_id == bindparam("cabinet"))
    .order_by(cursors.c.number.desc())
    .limit(1)
)
_NEWEST = (
    select(facts.c.position, facts.c.at_ms, facts.c.kind, facts.c.text)
    .where(facts.c.cabinet_id == bindparam("cabinet"), facts.c.epoch == _LAST_EPOCH.scalar_subquery())
    .order_by(facts.c.seq.desc())
    .limit(TOLD_MAX)
)
_CARS = (
    select(keys.c.id, vehicles.c.name)
    .join(vehicles, vehicles.c.id == keys.c.vehicle_id)
    .where(keys.c.id.in_(bindparam("keys", expanding=True)))
)


def told_by(connection: Connection, cabinet_id: str, caller: Caller) -> tuple[Told, ...]:
    """The last facts of a cabinet's newest epoch, the newest first, at most `TOLD_MAX`."""
    rows = connection.execute(_NEWEST, {"cabinet": cabinet_id}).all()
    read = [(row.position, row.at_ms, _parsed(row.text)) for row in rows]
    named = sorted({key for _, _, fact in read if (key := getattr(fact, "key", None)) is not None})
    cars = {row.id: row.name for row in connection.execute(_CARS, {"keys": named})} if named else {}
    return tuple(told(position, at_ms, fact, cars, caller) for position, at_ms, fact in read)


def _parsed(text: str) -> Fact | UnknownFact | None:
    """None: nobody can read it, or its limit is over."""
    try:
        return parse_fact(text) if text else None
    except BadFact:
        return None


def told(
    position: int, at_ms: int, fact: Fact | UnknownFact | None, cars: Mapping[str, str], caller: Caller
) -> Told:
    """One fact as a sentence."""
    grant, badge = getattr(fact, "grant", None), getattr(fact, "badge", None)
    return Told(
        position=position,
        at_ms=at_ms,
        phrase=_phrase(fact),
        slot=getattr(fact, "slot", None),
        vehicle=cars.get(getattr(fact, "key", None) or ""),
        what=_what(fact),
        reason=getattr(fact, "reason", None),
        repeats=getattr(fact, "repeats", 0),
        signal=_signal(fact, caller),
        is_callers=grant in caller.grants or badge in caller.badges,
    )


_OPENED: Mapping[Purpose, Phrase] = {
    Purpose.TAKE: Phrase.OPENED_TO_TAKE,
    Purpose.RETAKE: Phrase.OPENED_AGAIN,
    Purpose.RETURN: Phrase.OPENED_TO_RETURN,
    Purpose.COMMAND: Phrase.OPENED_BY_ORDER,
    Purpose.RELEASE_CODE: Phrase.OPENED_BY_CODE,
}
_DECIDED = {
    "completed": Phrase.OPENED_BY_ORDER,
    "refused": Phrase.ORDER_REFUSED,
    "expired": Phrase.ORDER_EXPIRED,
}
_ALWAYS: Mapping[type[object], Phrase] = {
    AccessRefused: Phrase.REFUSED,
    PinAsked: Phrase.PIN_ASKED,
    PinGuessing: Phrase.PIN_GUESSING,
    GrantCompleted: Phrase.COMPLETED,
    ReleaseFailed: Phrase.LOCK_STUCK,
    ReleaseDropped: Phrase.RELEASE_DROPPED,
    DoorClosed: Phrase.DOOR_CLOSED,
    InventoryDue: Phrase.INVENTORY_DUE,
    VehicleNoticed: Phrase.CAR_TOLD,
    DeviceLost: Phrase.DEVICE_LOST,
    DeviceBack: Phrase.DEVICE_BACK,
    AgentStarted: Phrase.STARTED,
    EpochStarted: Phrase.STARTED,
    FactsNotDurable: Phrase.NOT_DURABLE,
}


def _phrase(fact: Fact | UnknownFact | None) -> Phrase:
    match fact:
        case AccessGranted():
            return _OPENED[fact.purpose]
        case CommandDecided():
            return _DECIDED[fact.outcome]
        case DoorOpened():
            return Phrase.DOOR_OPENED if fact.released else Phrase.DOOR_FORCED
        case KeyTaken():
            by_right = fact.grant is not None or fact.command is not None or fact.code is not None
            return Phrase.KEY_TAKEN if by_right else Phrase.KEY_GONE
        case KeyReturned():
            if fact.lit_slot is not None and fact.lit_slot != fact.slot:
                return Phrase.KEY_IN_WRONG_SLOT
            return Phrase.HANDED_BACK if fact.handed_back else Phrase.KEY_RETURNED
        case CabinetInputChanged():
            return Phrase.INPUT_BEGAN if fact.active else Phrase.INPUT_ENDED
        case ClockTrustChanged():
            return Phrase.CLOCK_DOUBTED if fact.source == "none" else Phrase.CLOCK_TRUSTED
        case _:
            return _ALWAYS.get(type(fact), Phrase.NOT_KNOWN)


def _what(fact: Fact | UnknownFact | None) -> str | None:
    match fact:
        case CabinetInputChanged():
            return fact.input.value
        case DeviceLost() | DeviceBack():
            return fact.device
        case UnknownFact():
            return fact.kind
        case _:
            return None


def _signal(fact: Fact | UnknownFact | None, caller: Caller) -> Signal | None:
    """What the reader showed with it; None: no reader showed anything."""
    match fact:
        case AccessGranted() if fact.purpose in {Purpose.TAKE, Purpose.RETAKE}:
            booked = caller.grants.get(fact.grant or "", fact.key)
            return Signal.TAKEN if fact.key == booked else Signal.ANOTHER_SLOT
        case AccessGranted() | GrantCompleted():
            return Signal.TAKEN
        case PinAsked():
            return Signal.PIN
        case AccessRefused() if fact.reason in SHOWN_AS_WAIT:
            return Signal.WAIT
        case AccessRefused() if fact.reason in SHOWN_AS_AGAIN:
            return Signal.AGAIN
        case AccessRefused():
            return Signal.CALL
        case ReleaseFailed() if fact.command is None:
            return Signal.CALL
        case _:
            return None
