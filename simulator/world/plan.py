"""One booking as its member will live it: drawn whole, before anything happens, and never changed."""

from dataclasses import dataclass
from enum import StrEnum

from simulator.network.model import Card


class BringBack(StrEnum):
    """How a key is announced at its return."""

    TAG = "tag"  # the fob, at the return reader: the way the sign at the cabinet says
    BADGE = "badge"  # one's own badge, at the badge reader


@dataclass(frozen=True, slots=True)
class Plan:
    """Times are wall time, unix milliseconds; None: it does not happen."""

    name: str
    """Such as `Lilas 007/3`: the vehicle and which plan of its day."""
    member: str
    """Who books."""
    comes: str
    """Who comes: the member, or one of `drivers`."""
    badge: Card
    """Of who comes."""
    organisation: str | None
    drivers: tuple[str, ...]
    station: str
    vehicle: str
    by_category: str | None
    """Asks for a category at the station instead of for `vehicle`."""

    book_at_ms: int
    start_ms: int
    end_ms: int
    cancel_at_ms: int | None
    arrive_at_ms: int | None
    return_at_ms: int

    wrong_card: Card | None
    """Shown first, by mistake: an old badge, someone else's, or no badge at all."""
    leaves_ajar: bool
    """Does not shut the door after taking the key."""
    uses_ajar: bool
    """Hangs the key into a slot that stands open rather than into the lit one."""
    tidies: bool
    """Shuts doors that others left ajar."""
    bring_back: BringBack
    taps_again: bool
    """Shows the badge once more right after the return: done."""
    forgets_bag_ms: int | None
    """How long after the return the forgotten bag comes to mind."""
    pin: str
    """Of who comes."""
    slips_at_pin: bool
    """Keys in another one at first."""
    pace: float
    """1 is a quick hand; lines are waited for as long as hands take."""
    distance_m: int
