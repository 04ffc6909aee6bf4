"""Messages that were not accepted: counted by fault, few of them logged, none with its content."""

from collections import Counter

import structlog

from contract.envelope import BadMessage, EnvelopeFault
from runtime.clocks import LineClock

log = structlog.get_logger()

LOG_EVERY_US = 60_000_000  # once a minute per fault: whoever sends garbage does not fill our disk
TOPIC_CHARACTERS_MAX = 200  # ours are under 100; a foreign one may have 65,535


class Rejects:
    def __init__(self, line_clock: LineClock) -> None:
        self.counts: Counter[EnvelopeFault] = Counter()
        self._line_clock = line_clock
        self._logged_us: dict[EnvelopeFault, int] = {}

    def add(self, topic: str, size_bytes: int, bad: BadMessage) -> None:
        """Count a message that was not accepted."""
        self.counts[bad.fault] += 1
        now_us = self._line_clock.now_us()
        logged_us = self._logged_us.get(bad.fault)
        if logged_us is None or now_us - logged_us >= LOG_EVERY_US:
            self._logged_us[bad.fault] = now_us
            log.warning(
                "message_rejected",
                topic=topic[:TOPIC_CHARACTERS_MAX],
                size_bytes=size_bytes,
                fault=bad.fault,
                detail=bad.detail,
                so_far=self.counts[bad.fault],
            )
