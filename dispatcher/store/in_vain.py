"""A slot that was opened under a right, and shut again as it was: a key left hanging, or one that did not come.

A cabinet's contacts tell no more than that. Whether the key that did not come lies in the car, in a bag or in the
street, no sensor says; the car is where people who open a slot for it mostly find it.
"""

from contract.facts import DoorClosed, Purpose
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.applying import Applying
from dispatcher.store.booking_events import booking_of_grant
from dispatcher.store.incidents import open_incident
from dispatcher.store.keys import fob_of, key_state

TAKING = frozenset({Purpose.TAKE, Purpose.RETAKE})


def in_vain(at: Applying, fact: DoorClosed) -> None:
    """Name it, before the slot is said to be shut."""
    slot = at.slot_state(fact.slot)
    if slot is None:
        return
    if slot.opened_purpose in TAKING and slot.opened_for is not None and slot.key_present:
        _nothing_taken(at, fact.slot, slot.opened_for)
    elif slot.opened_purpose == Purpose.RETURN and slot.opened_key is not None and slot.key_present is False:
        _nothing_brought(at, fact.slot, slot.opened_key)


def _nothing_taken(at: Applying, slot: int, grant_id: str) -> None:
    booking = booking_of_grant(at.connection, grant_id)
    discrepancy = Discrepancy(
        IncidentKind.SLOT_OPENED_NOTHING_TAKEN,
        at.subject(slot),
        expected=f"the key out of slot {slot}, which was opened for it",
        seen="the slot was shut again, and the key hangs in it",
        cabinet_id=at.cabinet_id,
        vehicle_id=booking.vehicle_id if booking is not None else None,
        booking_id=booking.id if booking is not None else None,
    )
    open_incident(at.connection, discrepancy, at.received_ms)


def _nothing_brought(at: Applying, slot: int, key_id: str) -> None:
    known = key_state(at.connection, key_id)
    if known is None or known.state != "taken":  # it came into another slot
        return
    booking = booking_of_grant(at.connection, known.grant_id)
    fob = fob_of(at.connection, key_id)
    discrepancy = Discrepancy(
        IncidentKind.KEY_PROBABLY_IN_CAR,
        key_id,
        expected=f"the key in slot {slot}, which was opened for its return",
        seen="the slot was shut again, and is empty",
        cabinet_id=at.cabinet_id,
        vehicle_id=fob.vehicle_id if fob is not None else None,
        booking_id=booking.id if booking is not None else None,
    )
    open_incident(at.connection, discrepancy, at.received_ms)
