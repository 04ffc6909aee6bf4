"""`station-agent monitor`: the cabinet as the running agent sees it, live, in a terminal."""

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from station_agent.config import HttpConfig
from station_agent.onsite.local import NotRunning, ask
from station_agent.onsite.screen import watch

EVERY_S = 1.0
USUAL_COLUMNS = 100
GREEN, RED, YELLOW, DIM, BOLD, PLAIN = ("\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m")
CLOCK_WORDS = {
    "kernel": "synchronised (kernel)",
    "dispatcher": "vouched for by the dispatcher",
    "none": "NOBODY VOUCHES FOR IT: no booking opens without a PIN",
}


def monitor(http_config: HttpConfig, *, once: bool) -> int:
    """Draw until quit, or once. The exit status is 1 where no agent answers at the first look."""
    try:
        first = ask(http_config, "status")
    except NotRunning as error:
        sys.stderr.write(f"station-agent: {error}; start it, or let `station-agent doctor` look at the lines\n")
        return 1
    if once or not (sys.stdout.isatty() and sys.stdin.isatty()):
        sys.stdout.write("\n".join(view(first, USUAL_COLUMNS, colours=sys.stdout.isatty())) + "\n")
        return 0
    watch(lambda columns: _look(http_config, columns), EVERY_S)
    return 0


def _look(http_config: HttpConfig, columns: int) -> list[str]:
    try:
        lines = view(ask(http_config, "status"), columns, colours=True)
    except NotRunning as error:
        lines = [f"{RED}{error}{PLAIN}", "", "waiting for it to come back"]
    return [*lines, "", f"{DIM}q quits{PLAIN}"]


def view(status: Mapping[str, Any], columns: int, *, colours: bool) -> list[str]:
    """The lines of one picture."""
    lines = [
        _head(status),
        "",
        *_state(status),
        "",
        *_devices(status),
        "",
        *_slots(status, columns),
    ]
    return lines if colours else [_without_colours(line) for line in lines]


def _head(status: Mapping[str, Any]) -> str:
    at = datetime.fromtimestamp(status["at_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{BOLD}{status['cabinet']}{PLAIN}   station-agent {status['version']}   {at}"


def _state(status: Mapping[str, Any]) -> Iterable[str]:
    link = status["link"]
    yield _row(
        "link", link["connected"], f"{'connected to' if link['connected'] else 'NOT CONNECTED to'} {link['broker']}"
    )
    if "journal" not in status:
        yield _row("journal", ok=False, text="not open yet")
        return
    journal, source = status["journal"], status["clock_source"]
    waiting = f"{journal['depth']} of them not confirmed yet" if journal["depth"] else "all confirmed"
    depth = f"{journal['last_seq']} facts, {waiting}"
    yield _row(
        "journal", not journal["trouble"], f"{depth}{': ' + journal['trouble'] if journal['trouble'] else ''}"
    )
    yield _row("clock", source != "none", CLOCK_WORDS[source])
    version = status["desired_version"]
    held = f"{status['grants_held']} grants, wanted state {version}" if version else "NONE: nobody gets a key"
    yield _row("rights", bool(version), held)


def _devices(status: Mapping[str, Any]) -> Iterable[str]:
    for line in status["lines"]:
        counts = (
            f"{line['sent']} sent, {line['received']} received, "
            f"{line['timeouts']} unanswered, {line['garbled']} garbled"
        )
        words = (
            f"{line['device']}  {counts}"
            if line["open"]
            else f"{line['device']}  CLOSED: {line['error'] or 'not opened yet'}"
        )
        yield _row(line["line"], line["open"], words)
    for device in status.get("devices", ()):
        words = "answers" if device["online"] else f"LOST: {device['why'] or 'no reason given'}"
        words += ", OPENED (tamper)" if device["tampered"] else ""
        yield _row(device["device"], device["online"] and not device["tampered"], words)


def _slots(status: Mapping[str, Any], columns: int) -> list[str]:
    cells = [_slot(slot) for slot in status.get("slots", ())]
    width = max((len(_without_colours(cell)) for cell in cells), default=0) + 3
    across = max(columns // width, 1) if width else 1
    rows = [cells[i : i + across] for i in range(0, len(cells), across)]
    keys_out = status.get("keys_out")
    head = f"{BOLD}slots{PLAIN}" + (f"   {keys_out} keys out" if keys_out is not None else "")
    return [head, *("".join(cell + " " * (width - len(_without_colours(cell))) for cell in row) for row in rows)]


def _slot(slot: Mapping[str, Any]) -> str:
    number = f"{slot['slot']:>3} "
    if slot["key_present"] is None:
        return f"{number}{YELLOW}?{PLAIN} not seen"
    door = f" {RED}door open{PLAIN}" if slot["door_open"] else ""
    if not slot["key_present"]:
        home = f" (home of {slot['home_of']})" if slot["home_of"] else ""
        return f"{number}{DIM}- empty{home}{PLAIN}{door}"
    key = slot["key"] or "unknown key"
    colour = GREEN if slot["identity"] == "read" else YELLOW
    return f"{number}{colour}* {key}{PLAIN} {slot['identity'] or 'unknown'}{door}"


def _row(name: str, ok: bool, text: str) -> str:
    return f"{GREEN if ok else RED}{'ok ' if ok else '!! '}{PLAIN} {name:<12} {text}"


def _without_colours(line: str) -> str:
    for code in (GREEN, RED, YELLOW, DIM, BOLD, PLAIN):
        line = line.replace(code, "")
    return line
