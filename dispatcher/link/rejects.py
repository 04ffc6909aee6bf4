"""Messages that were not accepted: counted by fault, a few kept without their content, few of them logged."""

from collections import Counter, deque
from dataclasses import dataclass

import structlog

from contract.envelope import BadMessage, EnvelopeFault
from runtime.clocks import Clock, LineClock

log = structlog.get_logger()

KEPT_MAX = 100  # enough to see a pattern; 100 topics and details of at most 300 characters are 50 KB
KEPT_MS = 7 * 86_400_000  # as long as refused unknown badges (domain.md, P4)
LOG_EVERY_US = 60_000_000  # once a minute per fault: whoever sends garbage does not fill our disk
TOPIC_CHARACTERS_MAX = 200  # ours are under 100; a foreign one may have 65,535


@dataclass(frozen=True, slots=True)
class Rejected:
    """What is kept of a message: where it came and why it was not accepted, nothing of what it said."""

    at_ms: int
    topic: str
    size_bytes: int
    fault: EnvelopeFault
    detail: str


class Rejects:
    def __init__(self, clock: Clock, line_clock: LineClock) -> None:
        self.counts: Counter[EnvelopeFault] = Counter()
        self._clock = clock
        self._line_clock = line_clock
        self._kept: deque[Rejected] = deque(maxlen=KEPT_MAX)
        self._logged_us: dict[EnvelopeFault, int] = {}

    def add(self, topic: str, size_bytes: int, bad: BadMessage) -> None:
        """Count a message that was not accepted."""
        self.counts[bad.fault] += 1
        rejected = Rejected(self._clock.now_ms(), topic[:TOPIC_CHARACTERS_MAX], size_bytes, bad.fault, bad.detail)
        self._kept.append(rejected)
        now_us = self._line_clock.now_us()
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

    def recent(self) -> tuple[Rejected, ...]:
        """What is kept, oldest first, none older than `KEPT_MS`."""
        oldest_ms = self._clock.now_ms() - KEPT_MS
        while self._kept and self._kept[0].at_ms < oldest_ms:
            self._kept.popleft()
        return tuple(self._kept)
