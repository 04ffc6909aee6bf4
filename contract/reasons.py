"""Why something was refused. The same word is in the fact, the metric, the API and the log."""

from enum import StrEnum


class Reason(StrEnum):
    """One code for each refusal at a station (domain.md, rule 6)."""

    UNKNOWN_BADGE = "unknown_badge"
    UNREADABLE_BADGE = "unreadable_badge"  # no configured badge type has that many bits
    NO_BOOKING = "no_booking"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    NO_SHOW = "no_show"  # `take_by` has passed
    COMPLETED = "completed"  # the booking ended with the return: the retake hold is over
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    VEHICLE_BLOCKED = "vehicle_blocked"
    WRONG_PIN = "wrong_pin"
    NO_PIN = "no_pin"  # the badge has none, and a key is handed out for it with one only
    PIN_REQUIRED = "pin_required"  # it was asked for and not keyed in in time
    PIN_BLOCKED = "pin_blocked"  # too many wrong PINs in a row on this badge
    WRONG_CODE = "wrong_code"  # an offline release code that is not valid here and now, or was used
    TOO_MANY_TRIES = "too_many_tries"  # of offline release codes, within the hour
    OFFLINE_TOO_LONG = "offline_too_long"  # the box has not heard its dispatcher for longer than is allowed
    WRONG_STATION = "wrong_station"
    KEY_NOT_PRESENT = "key_not_present"
    CLOCK_NOT_TRUSTED = "clock_not_trusted"
    FOREIGN_TAG = "foreign_tag"  # no key of the fleet carries this tag
    KEY_NOT_OUT = "key_not_out"  # the tag belongs to a key that hangs in a slot here
    CABINET_FULL = "cabinet_full"
    CABINET_SILENT = "cabinet_silent"  # the lock board does not answer: nothing can be released
    BUSY = "busy"  # another release is under way
    NOT_DURABLE = "not_durable"  # nothing can be written down: a full or failing disk
    UNSUPPORTED = "unsupported"  # a command this agent cannot carry out: it has no such slot
    OUT_OF_ORDER = "out_of_order"  # a command with a higher counter was decided before this one came
    EXPIRED = "expired"


SHOWN_AS_WAIT = frozenset({Reason.TOO_EARLY, Reason.BUSY})
SHOWN_AS_AGAIN = frozenset({Reason.UNREADABLE_BADGE, Reason.PIN_REQUIRED, Reason.WRONG_PIN, Reason.WRONG_CODE})
"""What a reader shows for a refusal; for any other one it shows `call`: somebody has to be talked to."""
