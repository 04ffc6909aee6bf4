"""Who vouches for this box's clock: the kernel's own synchronisation, or the dispatcher's signed time.

The dispatcher's word is an answer to a nonce of this box, so it cannot be recorded and replayed; it counts
only when it came back soon and agrees with the clock.
"""

from collections.abc import Callable
from typing import Literal

from contract.messages import TimeReply, TimeRequest
from runtime.clocks import Clock, LineClock
from runtime.steps import Steps
from station_agent.outgoing import Outgoing

CHECK_US = 10_000_000  # the kernel's word costs one system call
CHECK_UNTRUSTED_US = 1_000_000  # nobody gets a key meanwhile: one small question a second is cheap
ROUND_TRIP_MAX_MS = 5_000  # a slower answer says too little about now
OFFSET_MAX_MS = 30_000  # booking windows have allowances of minutes; a wrong hour or day is what must show
WORD_LASTS_MS = 24 * 3_600_000  # a crystal of 100 ppm drifts 9 s in a day
ASK_AGAIN_MS = 3_600_000  # well within what the last answer covers

Source = Literal["kernel", "dispatcher", "none"]


class ClockTrust:
    """Judges, from the kernel's word and the replies to our questions. Line times in ms."""

    def __init__(self) -> None:
        self.offset_ms: int | None = None
        """Dispatcher's time minus ours at the last answer that counted."""
        self._asked: dict[str, int] = {}
        self._agreed_at_ms: int | None = None

    def asks(self, line_ms: int, nonce: str) -> None:
        """A question with this nonce is being sent."""
        self._asked = {each: at_ms for each, at_ms in self._asked.items() if line_ms - at_ms <= ROUND_TRIP_MAX_MS}
        self._asked[nonce] = line_ms

    def wants_to_ask(self, line_ms: int) -> bool:
        return self._agreed_at_ms is None or line_ms - self._agreed_at_ms >= ASK_AGAIN_MS

    def answered(self, line_ms: int, wall_ms: int, reply: TimeReply) -> None:
        """A signed answer came. One to another question, or a late one, changes nothing."""
        asked_ms = self._asked.pop(reply.nonce, None)
        if asked_ms is None or line_ms - asked_ms > ROUND_TRIP_MAX_MS:
            return
        self.offset_ms = reply.at_ms - wall_ms
        self._agreed_at_ms = line_ms if abs(self.offset_ms) <= OFFSET_MAX_MS else None

    def source(self, line_ms: int, *, kernel_synchronised: bool) -> Source:
        """Who vouches for the clock now."""
        if kernel_synchronised:
            return "kernel"
        if self._agreed_at_ms is not None and line_ms - self._agreed_at_ms < WORD_LASTS_MS:
            return "dispatcher"
        return "none"


class ClockKeeper:
    """Asks the kernel again and again, and the dispatcher now and then; tells who vouches."""

    def __init__(
        self,
        clocks: tuple[Clock, LineClock],
        outgoing: Outgoing,
        random_bytes: Callable[[int], bytes],
        steps: Steps,
        on_judged: Callable[[Source], None],
    ) -> None:
        self._clock, self._line_clock = clocks
        self._outgoing = outgoing
        self._random_bytes = random_bytes
        self._on_judged = on_judged
        self.trust = ClockTrust()
        self._source: Source = "none"
        self._checking = steps.step("clock", self._check)

    def begin(self) -> None:
        """Tell who vouches for the clock at the start, and go on looking."""
        self.judge()
        self._look_again()

    def judge(self) -> None:
        """Tell who vouches for the clock now."""
        self._source = self.trust.source(self._line_ms(), kernel_synchronised=self._clock.synchronised())
        self._on_judged(self._source)

    def answered(self, reply: TimeReply) -> None:
        self.trust.answered(self._line_ms(), self._clock.now_ms(), reply)
        self.judge()

    async def ask(self) -> None:
        """Ask the dispatcher for the time, where it is time to ask."""
        if self.trust.wants_to_ask(self._line_ms()):
            nonce = self._random_bytes(16).hex()
            self.trust.asks(self._line_ms(), nonce)
            await self._outgoing.post_or_leave(TimeRequest(cabinet=self._outgoing.cabinet, nonce=nonce))

    async def _check(self) -> None:
        self.judge()
        if self._outgoing.link.connected:
            await self.ask()
        self._look_again()

    def _look_again(self) -> None:
        pause_us = CHECK_UNTRUSTED_US if self._source == "none" else CHECK_US
        self._checking.at_us(self._line_clock.now_us() + pause_us)

    def _line_ms(self) -> int:
        return self._line_clock.now_us() // 1000
