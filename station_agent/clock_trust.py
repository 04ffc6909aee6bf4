"""Asks who vouches for this box's clock: the kernel again and again, the dispatcher now and then.

The dispatcher's word is an answer to a nonce of this box, so it cannot be recorded and replayed. What either
word is worth is decided in `core.clock`.
"""

from collections.abc import Callable

from contract.messages import TimeReply, TimeRequest
from runtime.clocks import Clock, LineClock
from runtime.steps import Steps
from station_agent.core.clock import ClockTrust
from station_agent.core.model import Now
from station_agent.outgoing import Outgoing

CHECK_US = 30_000_000  # a crystal left alone is off by a few ms then; a step is judged at the very next event
CHECK_UNTRUSTED_US = 1_000_000  # nobody gets a key meanwhile; a question is small where nobody answers


class ClockKeeper:
    """Asks, and hands on what was said. `trust` is shared with the core, which judges again at every event."""

    def __init__(
        self,
        clocks: tuple[Clock, LineClock],
        outgoing: Outgoing,
        random_bytes: Callable[[int], bytes],
        steps: Steps,
        on_read: Callable[[bool], None],
    ) -> None:
        self._clock, self._line_clock = clocks
        self._outgoing = outgoing
        self._random_bytes = random_bytes
        self._on_read = on_read
        self.trust = ClockTrust(speed=self._clock.speed)
        self._checking = steps.step("clock", self._check)

    def begin(self) -> None:
        """Ask the kernel at the start, and go on asking."""
        self.judge()
        self._look_again()

    def judge(self) -> None:
        """Ask the kernel, and tell what it said."""
        synchronised = self._clock.synchronised()
        self.trust.kernel_says(synchronised=synchronised)
        self.trust.judge(self._now())
        self._on_read(synchronised)

    def answered(self, reply: TimeReply) -> None:
        self.trust.answered(self._now(), reply)
        self.judge()

    async def ask(self) -> None:
        """Ask the dispatcher for the time, where it is time to ask."""
        now = self._now()
        if self.trust.wants_to_ask(now):
            nonce = self._random_bytes(16).hex()
            self.trust.asks(now.line_ms, nonce)
            await self._outgoing.post_or_leave(TimeRequest(cabinet=self._outgoing.cabinet, nonce=nonce))

    async def _check(self) -> None:
        self.judge()
        if self._outgoing.link.connected:
            await self.ask()
        self._look_again()

    def _look_again(self) -> None:
        pause_us = CHECK_UNTRUSTED_US if self.trust.source == "none" else CHECK_US
        self._checking.at_us(self._line_clock.now_us() + pause_us)

    def _now(self) -> Now:
        return Now(self._clock.now_ms(), self._line_clock.now_us() // 1000)
