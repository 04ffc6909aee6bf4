"""Says in the log when the journal cannot be written, when it fills up, and when either is over."""

import logging

import structlog

from station_agent.journal import ALERT_AT, Journal


class JournalLog:
    """Each change once."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        self._log = log
        self._trouble = ""
        self._fills = False

    def wrote(self, journal: Journal, *, durable: bool) -> None:
        """After every attempt to write."""
        if journal.trouble != self._trouble:
            self._trouble = journal.trouble
            level = logging.ERROR if journal.trouble else logging.INFO
            self._log.log(level, "journal_trouble", why=journal.trouble or "over", durable=durable)

    def tidied(self, journal: Journal, forgotten: int) -> None:
        """At the start and once a minute: early enough for somebody to find out why nobody takes these facts."""
        fields = {"used_percent": round(journal.fill * 100), "limit_mib": (journal.bytes_max or 0) >> 20}
        if forgotten:
            self._log.warning("facts_forgotten_early", count=forgotten, **fields)
        fills = journal.fill >= ALERT_AT
        if fills is not self._fills:
            self._fills = fills
            level = logging.WARNING if fills else logging.INFO
            self._log.log(level, "journal_fills", over=not fills, not_confirmed=journal.depth, **fields)
