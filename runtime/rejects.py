"""Messages that were not accepted: counted by fault, few of them logged, a few kept for a while, none with content.

Of a message stays what helps to find its sender: when and where it came, how long it was, and what was wrong with
it, in words that quote nothing of it (`contract.envelope.BadMessage`). It stays in memory alone.
"""

from collections import deque
from dataclasses import dataclass

import structlog

from contract.envelope import BadMessage, EnvelopeFault
from runtime.clocks import LineClock

log = structlog.get_logger()

LOG_EVERY_US = 60_000_000  # once a minute per fault: whoever sends garbage does not fill our disk
TOPIC_CHARACTERS_MAX = 200  # ours are under 100; a foreign one may have 65,535
KEPT_MAX = 50  # of a flood the last ones tell as much as all
KEPT_US = 7 * 86_400_000_000  # a week, as refused badges: over a weekend, until somebody looks


@dataclass(frozen=True, slots=True)
class Rejected:
    """What is kept of a message."""

    at_us: int
    """On the line clock."""
    topic: str
    size_bytes: int
    fault: EnvelopeFault
    detail: str


class Rejects:
    """Of one program, since its start."""

    def __init__(self, line_clock: LineClock) -> None:
        self.counts: dict[EnvelopeFault, int] = dict.fromkeys(EnvelopeFault, 0)
        self._line_clock = line_clock
        self._logged_us: dict[EnvelopeFault, int] = {}
        self._kept: deque[Rejected] = deque(maxlen=KEPT_MAX)

    def add(self, topic: str, size_bytes: int, bad: BadMessage) -> None:
        """Count a message that was not accepted."""
        self.counts[bad.fault] += 1
        now_us = self._line_clock.now_us()
        rejected = Rejected(now_us, topic[:TOPIC_CHARACTERS_MAX], size_bytes, bad.fault, bad.detail)
        self._kept.append(rejected)
        logged_us = self._logged_us.get(bad.fault)
        if logged_us is None or now_us - logged_us >= LOG_EVERY_US:
            self._logged_us[bad.fault] = now_us
            log.warning(
                "message_rejected",
                topic=rejected.topic,
                size_bytes=size_bytes,
                fault=bad.fault,
                detail=bad.detail,
                so_far=self.counts[bad.fault],
            )

    def kept(self) -> tuple[Rejected, ...]:
        """The last ones, oldest first; those that are older than a week are forgotten."""
        oldest_us = self._line_clock.now_us() - KEPT_US
        while self._kept and self._kept[0].at_us < oldest_us:
            self._kept.popleft()
        return tuple(self._kept)
