"""What the metrics know of the API: counts without a person, a path or a query in them."""

from collections import Counter
from dataclasses import dataclass, field

OTHER = "other"
"""The route of a request that fits none: its path is not ours to keep."""

OTHER_METHOD = "OTHER"
"""The method of a request that no standard names: whoever invents thousands makes one series of them."""


@dataclass(slots=True)
class ApiCounters:
    """Counts since start, read by the metrics collector at scrape time."""

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """By method, route template and status."""
    refusals: Counter[str] = field(default_factory=Counter)
    """By `reason` of the problem answered."""
    replays: int = 0
    """Answers told again, under an `Idempotency-Key`."""
    faulty_token_files: int = 0
    """Versions of the tokens file that could not be used: the one before stayed in force."""
