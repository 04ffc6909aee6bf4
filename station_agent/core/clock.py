"""Who vouches for this box's wall clock: the kernel's own synchronisation, or the dispatcher's signed time.

clock.kernel_says(synchronised=True); clock.judge(now)      # "kernel"
clock.asks(line_ms, nonce); clock.answered(now, reply)      # the dispatcher's word, for a day

Neither is believed about a clock that was stepped. The line clock tells how far the wall clock can have come
since somebody vouched for it in this boot; the high-water mark, which survives reboots, where it has been.
A spoofed source of time steps the clock while the kernel calls it synchronised: only the dispatcher's answer
to a question of this box can say that such a step was right.
"""

from typing import Literal

from contract.messages import TimeReply
from station_agent.core.model import Now

ROUND_TRIP_MAX_MS = 5_000  # a slower answer says too little about now
OFFSET_MAX_MS = 30_000  # booking windows have allowances of minutes; a wrong hour or day is what must show
WORD_LASTS_MS = 24 * 3_600_000  # a crystal of 100 ppm drifts 9 s in a day
ASK_AGAIN_MS = 3_600_000  # well within what the last answer covers
ASK_UNLIKE_MS = 30_000  # a clock that runs on as it was gets the same answer, unless the dispatcher erred
SET_MIN_MS = 1_000  # no crystal comes to that in half a minute: somebody set the clock
STEP_MAX_MS = 300_000  # a kernel slews small errors; grants open five minutes early anyway
BACK_MAX_MS = 2 * OFFSET_MAX_MS  # so far apart may two clocks be that the dispatcher agreed with

Source = Literal["kernel", "dispatcher", "none"]


class ClockTrust:
    """Judges a wall clock that gains `speed` ms per ms of the line clock: 1, but for the simulator's."""

    def __init__(self, *, speed: float = 1.0) -> None:
        self.source: Source = "none"
        """Who vouched for the clock when it was last judged."""
        self.mark_ms = 0
        """Latest wall time that somebody vouched for, of any boot; only an answer of the dispatcher lowers it."""
        self.offset_ms: int | None = None
        """Dispatcher's time minus ours at the last answer that counted."""
        self._speed = speed
        self._synchronised = False
        self._asked: dict[str, int] = {}
        self._agreed_at_ms: int | None = None
        self._first_line_ms: int | None = None
        self._known: Now | None = None
        """A wall time of this boot that was vouched for: the dispatcher's last answer, else the first judged."""
        self._answered: Now | None = None
        """What our clock read when the last answer came."""

    def kernel_says(self, *, synchronised: bool) -> None:
        """What the kernel says of its clock, until it is asked again."""
        self._synchronised = synchronised

    def asks(self, line_ms: int, nonce: str) -> None:
        """A question with this nonce is being sent."""
        self._asked = {each: at_ms for each, at_ms in self._asked.items() if line_ms - at_ms <= ROUND_TRIP_MAX_MS}
        self._asked[nonce] = line_ms

    def wants_to_ask(self, now: Now) -> bool:
        """Whether the dispatcher should be asked, once it can be."""
        if self.source != "none" and self._agreed_at_ms is not None:
            return now.line_ms - self._agreed_at_ms >= ASK_AGAIN_MS
        return self._answered is None or self._may_be_answered_otherwise(now, self._answered)

    def answered(self, now: Now, reply: TimeReply) -> None:
        """A signed answer came. One to another question, or a late one, changes nothing."""
        asked_ms = self._asked.pop(reply.nonce, None)
        if asked_ms is None or now.line_ms - asked_ms > ROUND_TRIP_MAX_MS:
            return
        self._answered = now
        self.offset_ms = reply.at_ms - now.wall_ms
        self._known = Now(reply.at_ms, now.line_ms)
        self.mark_ms = min(self.mark_ms, reply.at_ms)
        self._agreed_at_ms = now.line_ms if abs(self.offset_ms) <= OFFSET_MAX_MS else None

    def judge(self, now: Now) -> Source:
        """Who vouches for the clock now; what it reads under somebody's word becomes the mark."""
        if self._first_line_ms is None:
            self._first_line_ms = now.line_ms
        self.source = "none" if self._is_stepped(now) else self._voucher(now)
        if self.source != "none":
            self.mark_ms = max(self.mark_ms, now.wall_ms)
            self._known = self._known or now
        return self.source

    def lower_bound_ms(self, now: Now) -> int:
        """The earliest that it can be, by what somebody vouched for and the line clock since; 0: nobody ever did.

        How long the box was off before this boot is not known, and not in it.
        """
        assert self._first_line_ms is not None, "the clock is judged before anything is decided by it"
        since = self._known or Now(self.mark_ms, self._first_line_ms)
        return since.wall_ms + round((now.line_ms - since.line_ms) * self._speed) if since.wall_ms else 0

    def in_wall_ms(self, line_ms: int) -> int:
        """So much of line time as the wall clock counts it."""
        return round(line_ms * self._speed)

    def _is_stepped(self, now: Now) -> bool:
        """Whether the clock reads what it cannot have come to by itself.

        All small steps since the last answer of the dispatcher count together. After a boot only the mark is
        left, and nothing tells how long the box was off: then there is no bound ahead.
        """
        if now.wall_ms < self.mark_ms - BACK_MAX_MS * self._speed:  # of a fast clock everything is coarser
            return True
        if self._known is None:
            return False
        return self._set_by_ms(self._known, now) > STEP_MAX_MS * self._speed

    def _may_be_answered_otherwise(self, now: Now, answered: Now) -> bool:
        was_set = self._set_by_ms(answered, now) > SET_MIN_MS * self._speed
        return was_set or now.line_ms - answered.line_ms >= ASK_UNLIKE_MS

    def _set_by_ms(self, known: Now, now: Now) -> float:
        """How far the wall clock is, either way, from where the line clock has carried a known time."""
        return abs(now.wall_ms - known.wall_ms - (now.line_ms - known.line_ms) * self._speed)

    def _voucher(self, now: Now) -> Source:
        if self._synchronised:
            return "kernel"
        agreed_ms = self._agreed_at_ms
        return "dispatcher" if agreed_ms is not None and now.line_ms - agreed_ms < WORD_LASTS_MS else "none"
