"""For how long this box has not heard its dispatcher, across reboots and whatever its clock did meanwhile."""

from station_agent.core.clock import ClockTrust
from station_agent.core.model import Now
from station_agent.core.picture import Picture


class Contact:
    """Anything that the dispatcher signed counts: a wanted state, an acknowledgement, the time, a command."""

    def __init__(self, picture: Picture, clock: ClockTrust) -> None:
        self._picture = picture
        self._clock = clock
        self._heard_line_ms: int | None = None

    def heard(self, now: Now) -> None:
        """The dispatcher spoke. It is written down with whatever is written next, and with the clock's mark."""
        self._heard_line_ms = now.line_ms
        trusted = self._clock.source != "none"
        self._picture.heard_ms = now.wall_ms if trusted else self._clock.lower_bound_ms(now)

    def silent_ms(self, now: Now) -> int:
        """In this boot the line clock counts; from before it, what the wall clock has come to since, at least.

        A box that could write nothing down does not know: then no time has passed.
        """
        if self._heard_line_ms is not None:
            return self._clock.in_wall_ms(now.line_ms - self._heard_line_ms)
        if not self._picture.heard_ms:
            return 0
        trusted = self._clock.source != "none"
        at_least_ms = now.wall_ms if trusted else self._clock.lower_bound_ms(now)
        return max(0, at_least_ms - self._picture.heard_ms)
