"""Whether a tracker's own time is worth believing: its clock is nobody's to set, and starts in 2004."""

AHEAD_MAX_MS = 300_000  # a tracker further ahead has no time worth believing
BEHIND_MAX_MS = 30 * 86_400_000  # trackers buffer for weeks; 2004 means "no fix yet"


def believed_ms(wall_ms: int, tracker_ms: int | None) -> int | None:
    """The tracker's time, never later than now; None where it has none worth believing."""
    if tracker_ms is None or not max(wall_ms - BEHIND_MAX_MS, 1) <= tracker_ms <= wall_ms + AHEAD_MAX_MS:
        return None
    return min(tracker_ms, wall_ms)
