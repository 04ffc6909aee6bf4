"""What the cabinet did under a right: whether a slot stands open, whether it let its member down."""

from sqlalchemy import ColumnElement, exists, or_, select

from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.store.columns import literally_in
from dispatcher.store.schema import blocks, bookings, refusals, slot_states

RELEASE_FAILED = "release_failed"  # beside the contract's reasons, in the same column

MEMBERS_OWN = frozenset(
    {
        Reason.UNKNOWN_BADGE,
        Reason.UNREADABLE_BADGE,
        Reason.NO_BOOKING,
        Reason.TOO_EARLY,
        Reason.TOO_LATE,
        Reason.NO_SHOW,
        Reason.COMPLETED,
        Reason.REVOKED,
        Reason.SUSPENDED,
        Reason.WRONG_PIN,
        Reason.PIN_REQUIRED,
        Reason.WRONG_STATION,
        Reason.FOREIGN_TAG,
        Reason.KEY_NOT_OUT,
    }
)
"""Refusals that a member can mend, or that say nothing about the station. All others let him down."""


def let_down() -> ColumnElement[bool]:
    """Of a row of `bookings`: its key was still out with another member, the vehicle blocked, or the station
    could not give it.
    """
    other = bookings.alias("other")
    away = exists(
        select(other.c.id).where(
            other.c.vehicle_id == bookings.c.vehicle_id,
            other.c.id != bookings.c.id,
            or_(other.c.state == BookingState.ACTIVE, other.c.returned_ms > bookings.c.take_by_ms),
            other.c.taken_ms < bookings.c.take_by_ms,
        )
    )
    refused = exists(
        select(refusals.c.position).where(
            refusals.c.grant_id == bookings.c.grant_id, ~literally_in(refusals.c.reason, sorted(MEMBERS_OWN))
        )
    )
    blocked = exists(
        select(blocks.c.id).where(
            blocks.c.vehicle_id == bookings.c.vehicle_id,
            blocks.c.start_ms < bookings.c.take_by_ms,
            or_(blocks.c.ended_ms.is_(None), blocks.c.ended_ms > bookings.c.start_ms),
        )
    )
    return or_(away, refused, blocked)


def being_used(grant_id: ColumnElement[str] | str) -> ColumnElement[bool]:
    """Whether a slot was released under a grant, and nothing says yet what came of it."""
    return exists(select(slot_states.c.slot).where(slot_states.c.opened_for == grant_id))
