"""`station-agent trace LINE`: what passes on one line of the running agent, both ways, in words as it happens."""

import json
import sys
import threading
from collections.abc import Mapping
from typing import Any

from runtime.clocks import SystemLineClock
from station_agent.config import HttpConfig
from station_agent.onsite.local import AgentSays, NotRunning, ask

LOOK_S = 0.2
REPEATS_SHOWN = 2
REPEATED_WITHIN_US = 2_000_000
"""What was said so lately is a poll that brings nothing: left out after a few, unless everything is asked for."""


def trace(http_config: HttpConfig, line: str, *, everything: bool, as_json: bool, for_s: float | None) -> int:
    """Follow a line until interrupted or for so long. The exit status is 1 where the agent cannot show it."""
    printer = Printer(everything=everything, as_json=as_json)
    first = 0
    clock, pause = SystemLineClock(), threading.Event()
    ends_us = None if for_s is None else clock.now_us() + round(for_s * 1e6)
    try:
        while ends_us is None or clock.now_us() < ends_us:
            page = ask(http_config, "trace", line=line, first=first)
            first = page["next"]
            for text in printer.lines(page):
                sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
            pause.wait(LOOK_S)
    except KeyboardInterrupt:
        pass
    except (NotRunning, AgentSays) as error:
        sys.stderr.write(f"station-agent: {error}\n")
        return 1
    except BrokenPipeError:  # whoever read it has enough
        sys.stderr.close()
    return 0


class Repeats:
    """Knows the polls and answers of one line that keep saying the same."""

    def __init__(self) -> None:
        self._seen: dict[tuple[bool, str], tuple[int, int]] = {}
        """How often in a row, and when last."""

    def times(self, piece: Mapping[str, Any]) -> int:
        """How often in a row this was said now; from `REPEATS_SHOWN` on it is no news."""
        what = (piece["sent"], _without_sequence(piece["words"]))
        times, last_us = self._seen.get(what, (0, 0))
        times = times + 1 if piece["at_us"] - last_us <= REPEATED_WITHIN_US else 1
        self._seen[what] = times, piece["at_us"]
        return times


class Printer:
    """Makes lines of pieces. What is no news is told twice, then left out."""

    def __init__(self, *, everything: bool, as_json: bool) -> None:
        self._everything = everything
        self._as_json = as_json
        self._repeats = Repeats()
        self._began_us: int | None = None

    def lines(self, page: Mapping[str, Any]) -> list[str]:
        out = []
        if page["lost"]:
            out.append(self._told({"lost": page["lost"]}, f"          {page['lost']} pieces were not kept"))
        for piece in page["pieces"]:
            out += self._piece(piece)
        return out

    def _piece(self, piece: Mapping[str, Any]) -> list[str]:
        if self._began_us is None:
            self._began_us = piece["at_us"]
        times = self._repeats.times(piece)
        if not self._everything and times > REPEATS_SHOWN:
            return []
        after_s = (piece["at_us"] - self._began_us) / 1e6
        arrow = "->" if piece["sent"] else "<-"
        repeated = "   (repeats are left out)" if times == REPEATS_SHOWN and not self._everything else ""
        text = f"{after_s:9.3f} {arrow} {piece['words']}{repeated}"
        if piece["octets"]:
            text += f"\n             {piece['octets']}"
        return [self._told(dict(piece), text)]

    def _told(self, document: dict[str, Any], text: str) -> str:
        return json.dumps(document, ensure_ascii=False) if self._as_json else text


def _without_sequence(words: str) -> str:
    """OSDP counts its frames from 1 to 3: that is no news."""
    head, colon, rest = words.partition(": ")
    return f"{head.partition(',')[0]}{colon}{rest}"
