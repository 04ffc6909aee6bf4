"""What a pass of the reconciler looks at: everything, or what was touched since the last one.

What time alone changes (deadlines, silences, doors, blocks) is read by its own indexes in every pass. What only
facts and reports change (where keys hang, how full a cabinet is) is read again of the cabinets that told something,
of keys that hang nowhere, and of whatever has an incident.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    cabinets: frozenset[str] | None = None
    """Those that told something since the last pass; None: all."""
    is_checked: bool = False
    """Whether a pass over everything follows, which must change nothing."""


EVERYTHING = Scope()
