"""What is refused at the readers is counted, told to the member and written down, and thinned where it repeats.

A card that is left on a reader is refused every second or two, for days. Hands never come to the limit here.
"""

from dataclasses import dataclass
from typing import Any

from contract.facts import AccessRefused
from contract.reasons import SHOWN_AS_AGAIN, SHOWN_AS_WAIT, Reason
from station_agent.core.decisions import Refuse
from station_agent.core.device_events import ReaderSignal
from station_agent.core.model import Indicate, Now
from station_agent.core.notebook import Notebook

TOLD_EACH = 5  # a member who does not understand taps three or four times
THINNED_MS = 60_000  # then one fact a minute: an hour of it is 60, a week under 3 MB
RUN_ENDS_MS = 60_000  # so long without it, and the next one is told anew

SIGNALS: dict[Reason, ReaderSignal] = {  # any other refusal needs somebody to talk to: call
    **dict.fromkeys(SHOWN_AS_WAIT, ReaderSignal.WAIT),
    **dict.fromkeys(SHOWN_AS_AGAIN, ReaderSignal.AGAIN),
}


@dataclass(slots=True)
class _Run:
    """The same refusal at one reader, again and again."""

    last_line_ms: int
    told_line_ms: int
    count: int = 0
    untold_count: int = 0


class Refusals:
    """What is refused at each reader. Cards that nobody knows are one and the same refusal."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._runs: dict[tuple[str, Refuse], _Run] = {}
        self.counts: dict[Reason, int] = dict.fromkeys(Reason, 0)

    @property
    def wake_at_line_ms(self) -> int | None:
        return min((run.told_line_ms + THINNED_MS for run in self._runs.values() if run.untold_count), default=None)

    def refuse(self, now: Now, reader: str, what: Refuse) -> None:
        """Tell whoever stands there."""
        self.counts[what.reason] += 1
        self._notebook.then(Indicate(reader, SIGNALS.get(what.reason, ReaderSignal.CALL)))
        self._forget_old(now)
        run = self._runs.setdefault((reader, what), _Run(now.line_ms, now.line_ms))
        run.count += 1
        run.last_line_ms = now.line_ms
        if run.count <= TOLD_EACH:
            run.told_line_ms = now.line_ms
            self._note(now, reader, what, 0)
            return
        run.untold_count += 1
        self._tell_if_due(now)

    def end(self, now: Now, reader: str) -> None:
        """Somebody is let in at the reader: what was not told of before comes first."""
        for place in [place for place in self._runs if place[0] == reader]:
            run = self._runs.pop(place)
            if run.untold_count:
                self._note(now, reader, place[1], run.untold_count - 1)

    def elapsed(self, now: Now) -> None:
        self._tell_if_due(now)

    def _tell_if_due(self, now: Now) -> None:
        for (reader, what), run in self._runs.items():
            if run.untold_count and now.line_ms >= run.told_line_ms + THINNED_MS:
                self._note(now, reader, what, run.untold_count - 1)
                run.told_line_ms, run.untold_count = now.line_ms, 0

    def _forget_old(self, now: Now) -> None:
        """Runs of which all is told and nothing came for a while: they are as many as badges have rights here."""
        over = [
            place
            for place, run in self._runs.items()
            if not run.untold_count and now.line_ms - run.last_line_ms > RUN_ENDS_MS
        ]
        for place in over:
            del self._runs[place]

    def _note(self, now: Now, reader: str, what: Refuse, repeats: int) -> None:
        named: dict[str, Any] = {"grant": what.grant, "badge": what.badge, "key": what.key}
        named["with_pin"] = True if what.with_pin else None
        self._notebook.note(now, AccessRefused, reader=reader, reason=what.reason, repeats=repeats, **named)
