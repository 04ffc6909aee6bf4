"""What can be decided about a badge, a tag or a code. A refusal is a value with its reason."""

from dataclasses import dataclass

from contract.facts import Identity, Purpose
from contract.reasons import Reason


@dataclass(frozen=True, slots=True)
class Open:
    """Open this slot."""

    slot: int
    purpose: Purpose
    key: str | None
    identity: Identity
    grant: str | None = None
    badge: str | None = None
    with_pin: bool = False
    code: int | None = None
    """Number of the offline release code."""
    lower_bound_ms: int | None = None
    """What the window was judged by where nobody vouches for the clock."""


@dataclass(frozen=True, slots=True)
class Complete:
    """Nothing to open: the member says that the rental is over."""

    grant: str
    badge: str


@dataclass(frozen=True, slots=True)
class Refuse:
    reason: Reason
    grant: str | None = None
    badge: str | None = None
    key: str | None = None
    with_pin: bool = False


Decision = Open | Complete | Refuse
