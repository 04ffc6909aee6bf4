"""The life of a booking as one table: what may happen in which state, and why the rest may not.

The key is the truth: a booking starts when its key is taken and is `returned` when the key is back. The
retake hold then keeps the right alive for a while; a second tap or the end of the hold completes it.
`overdue` is no state of its own, it is an active booking past its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class BookingState(StrEnum):
    BOOKED = "booked"
    ACTIVE = "active"  # the key is out
    RETURNED = "returned"  # the key is back, the same right still opens: the retake hold runs
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


class BookingEvent(StrEnum):
    KEY_TAKEN = "key_taken"  # also again, within the retake hold
    KEY_RETURNED = "key_returned"
    HANDED_BACK = "handed_back"  # brought back unused: the right stays until its end
    SECOND_TAP = "second_tap"  # the box's fact `grant_completed`
    HOLD_ELAPSED = "hold_elapsed"
    CANCELLED = "cancelled"
    NO_SHOW_DECLARED = "no_show_declared"
    REPLACED = "replaced"  # an operator gave it another vehicle
    COMPLETED_BY_OPERATOR = "completed_by_operator"  # wherever its key may be


class TransitionReason(StrEnum):
    """Why an event does not move a booking."""

    KEY_NOT_TAKEN = "key_not_taken"
    KEY_STILL_OUT = "key_still_out"
    KEY_ALREADY_OUT = "key_already_out"
    KEY_ALREADY_BACK = "key_already_back"
    KEY_WAS_TAKEN = "key_was_taken"
    BOOKING_COMPLETED = "booking_completed"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_NO_SHOW = "booking_no_show"


@dataclass(frozen=True, slots=True)
class TransitionRefused:
    state: BookingState
    event: BookingEvent
    reason: TransitionReason


_S = BookingState
_E = BookingEvent
_R = TransitionReason

TRANSITIONS: Mapping[tuple[BookingState, BookingEvent], BookingState] = MappingProxyType(
    {
        (_S.BOOKED, _E.KEY_TAKEN): _S.ACTIVE,
        (_S.BOOKED, _E.CANCELLED): _S.CANCELLED,
        (_S.BOOKED, _E.NO_SHOW_DECLARED): _S.NO_SHOW,
        (_S.ACTIVE, _E.KEY_RETURNED): _S.RETURNED,
        (_S.ACTIVE, _E.HANDED_BACK): _S.RETURNED,
        (_S.RETURNED, _E.KEY_TAKEN): _S.ACTIVE,
        (_S.RETURNED, _E.SECOND_TAP): _S.COMPLETED,
        (_S.RETURNED, _E.HOLD_ELAPSED): _S.COMPLETED,
        (_S.BOOKED, _E.REPLACED): _S.BOOKED,
        (_S.RETURNED, _E.REPLACED): _S.RETURNED,  # the right goes on until its end, to another key
        (_S.ACTIVE, _E.COMPLETED_BY_OPERATOR): _S.COMPLETED,
        (_S.RETURNED, _E.COMPLETED_BY_OPERATOR): _S.COMPLETED,
    }
)

REFUSALS: Mapping[tuple[BookingState, BookingEvent], TransitionReason] = MappingProxyType(
    {
        (_S.BOOKED, _E.KEY_RETURNED): _R.KEY_NOT_TAKEN,
        (_S.BOOKED, _E.HANDED_BACK): _R.KEY_NOT_TAKEN,
        (_S.BOOKED, _E.SECOND_TAP): _R.KEY_NOT_TAKEN,
        (_S.BOOKED, _E.HOLD_ELAPSED): _R.KEY_NOT_TAKEN,
        (_S.BOOKED, _E.COMPLETED_BY_OPERATOR): _R.KEY_NOT_TAKEN,
        (_S.ACTIVE, _E.KEY_TAKEN): _R.KEY_ALREADY_OUT,
        (_S.ACTIVE, _E.SECOND_TAP): _R.KEY_STILL_OUT,
        (_S.ACTIVE, _E.HOLD_ELAPSED): _R.KEY_STILL_OUT,
        (_S.ACTIVE, _E.CANCELLED): _R.KEY_STILL_OUT,
        (_S.ACTIVE, _E.NO_SHOW_DECLARED): _R.KEY_WAS_TAKEN,
        (_S.ACTIVE, _E.REPLACED): _R.KEY_STILL_OUT,
        (_S.RETURNED, _E.KEY_RETURNED): _R.KEY_ALREADY_BACK,
        (_S.RETURNED, _E.HANDED_BACK): _R.KEY_ALREADY_BACK,
        (_S.RETURNED, _E.CANCELLED): _R.KEY_WAS_TAKEN,
        (_S.RETURNED, _E.NO_SHOW_DECLARED): _R.KEY_WAS_TAKEN,
        # A box may act under a right that it had not yet been told to drop: the fact stays in the ledger,
        # the booking stays what it was, and whoever applies the fact opens an incident.
        **{(_S.COMPLETED, event): _R.BOOKING_COMPLETED for event in _E},
        **{(_S.CANCELLED, event): _R.BOOKING_CANCELLED for event in _E},
        **{(_S.NO_SHOW, event): _R.BOOKING_NO_SHOW for event in _E},
    }
)

HOLDING_STATES = frozenset({_S.BOOKED, _S.ACTIVE, _S.RETURNED})
"""The states in which the vehicle is kept for this booking: what the database's constraint covers."""

FINAL_STATES = frozenset(_S) - HOLDING_STATES


def advance(state: BookingState, event: BookingEvent) -> BookingState | TransitionRefused:
    """The state after an event, or why the event does not apply."""
    following = TRANSITIONS.get((state, event))
    if following is not None:
        return following
    return TransitionRefused(state, event, REFUSALS[state, event])


def is_overdue(state: BookingState, end_ms: int, now_ms: int) -> bool:
    """Whether the key is still out past the end of the booking (the window is half-open)."""
    return state is BookingState.ACTIVE and now_ms >= end_ms


def state_diagram() -> str:
    """The table as a Mermaid diagram, for the manual."""
    arrows = [f"    {before} --> {after}: {event}" for (before, event), after in TRANSITIONS.items()]
    ends = [f"    {state} --> [*]" for state in BookingState if state in FINAL_STATES]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {BookingState.BOOKED}", *arrows, *ends]) + "\n"
