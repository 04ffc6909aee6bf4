"""What this program heard since it listens; nothing of record."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher.core.patience import Patience


@dataclass(frozen=True, slots=True)
class Hearing:
    """What was heard, on the line clock."""

    listening: bool
    listening_since_ms: int
    """By the wall clock: who was deaf before cannot say how long a cabinet has been offline."""
    listening_s: float
    quiet_s: Mapping[str, float]
    """By cabinet, since its last word; a cabinet that said nothing is absent."""
    line_s: float = 0.0
    """What the line clock reads."""
    patience: Patience = field(default_factory=Patience)
    """Kept from one call to the next."""
