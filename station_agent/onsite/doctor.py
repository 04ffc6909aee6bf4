"""`station-agent doctor`: opens every configured line, says what answers, what does not, and what to look at next.

Each line is run by its own driver for a few seconds, as the agent would. Where nothing answers, other speeds and
addresses are tried. No lock moves. An agent that runs has the lines: then the doctor asks it instead.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from runtime.clocks import LineClock
from station_agent.config import StationConfig
from station_agent.core.device_events import CabinetLost, CabinetSeen, DeviceEvent, ReaderLost, ReaderSeen
from station_agent.core.devices import CABINET
from station_agent.drivers.base import Line
from station_agent.drivers.osdp.states import Why
from station_agent.drivers.probing import Question
from station_agent.hardware import Hardware
from station_agent.onsite.local import NotRunning, ask
from station_agent.onsite.port_trouble import PortTrouble, port_trouble
from station_agent.secrets_on_disk import StationKeys
from station_agent.serial_line import SerialLine
from station_agent.serial_port import LINK_ERRORS, open_port

RUNS_S = 5.0  # a reader's session takes a second or two; a cabinet is seen twice within half of one
ANSWER_S = 0.25  # OSDP's own 200 ms, and a USB adapter
WIRING = "check power, and A and B of RS-485: swapped, nothing answers; loose, some of it does"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one device or line."""

    line: str
    device: str
    """A reader's name, or `cabinet`; empty: the line itself."""
    ok: bool
    what: str
    next: tuple[str, ...] = ()
    """What to look at or do, the likeliest first."""


@dataclass(slots=True)
class _Heard:
    """What one line said while its driver ran."""

    events: list[DeviceEvent] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, event: DeviceEvent) -> None:
        self.events.append(event)
        self.news.set()

    async def until_seen(self, devices: tuple[str, ...]) -> None:
        while not all(isinstance(self.of(device), CabinetSeen | ReaderSeen) for device in devices):
            self.news.clear()
            await self.news.wait()

    def of(self, device: str) -> DeviceEvent | None:
        """The last word of or about a device."""
        for event in reversed(self.events):
            is_cabinet = isinstance(event, CabinetSeen | CabinetLost) and device == CABINET
            if is_cabinet or (isinstance(event, ReaderSeen | ReaderLost) and event.reader == device):
                return event
        return None


def doctor(
    config: StationConfig,
    keys: StationKeys,
    *,
    line_clock: LineClock,
    random_bytes: Callable[[int], bytes],
    as_json: bool,
) -> int:
    """Look, tell, and end with 0 where all is well, else 1."""
    findings = []
    if not as_json:
        sys.stdout.write(f"{config.cabinet}: looking at its lines takes a moment; no lock moves\n")
        sys.stdout.flush()
    for finding in _look(config, keys, line_clock, random_bytes):
        findings.append(finding)
        if not as_json:
            sys.stdout.write(_words(finding))
            sys.stdout.flush()
    if as_json:
        document = {"cabinet": config.cabinet, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        wrong = sum(not finding.ok for finding in findings)
        sys.stdout.write(f"{wrong} of {len(findings)} need somebody\n" if wrong else "all is well\n")
    return 0 if all(finding.ok for finding in findings) else 1


def _words(finding: Finding) -> str:
    name = f"{finding.line} / {finding.device}" if finding.device else finding.line
    lines = [f"{'ok ' if finding.ok else '!! '} {name}: {finding.what}"]
    lines += [f"      -> {step}" for step in finding.next]
    return "\n".join(lines) + "\n"


def _look(
    config: StationConfig, keys: StationKeys, line_clock: LineClock, random_bytes: Callable[[int], bytes]
) -> Iterator[Finding]:
    try:
        status = ask(config.http, "status")
    except NotRunning:
        status = None
    if status is not None and status.get("cabinet") == config.cabinet:
        yield from _of_running_agent(status)
        return
    examined = asyncio.run(_Examination(config, keys, line_clock, random_bytes).all())
    yield from examined


def _of_running_agent(status: dict[str, Any]) -> Iterator[Finding]:
    stop = "to try other speeds and addresses, stop the agent (systemctl stop station-agent) and run this again"
    for line in status["lines"]:
        what = "open, by the agent that runs" if line["open"] else f"closed: {line['error'] or 'not opened yet'}"
        steps = () if line["open"] else (*port_trouble(line["error"]).next_steps(), stop)
        yield Finding(line["line"], "", line["open"], what, steps)
    for device in status.get("devices", ()):
        what = "answers" if device["online"] else f"does not answer: {device['why']}"
        yield Finding("agent", device["device"], device["online"], what, () if device["online"] else (WIRING, stop))


class _Examination:
    """One look at all lines, one after the other: a bus that is silent gets all the time it needs."""

    def __init__(
        self,
        config: StationConfig,
        keys: StationKeys,
        line_clock: LineClock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._line_clock = line_clock
        self._heard: dict[str, _Heard] = {}
        self._hardware = Hardware(
            config, keys, random_bytes=random_bytes, make_line=self._make_line, on_event=self._take
        )
        self._now_on = ""

    def _make_line(self, url: str, baud_rate: int, codec: Any, on_event: Callable[[DeviceEvent], None]) -> Line:
        return SerialLine(url, baud_rate, codec, self._line_clock, on_event)

    def _take(self, event: DeviceEvent) -> None:
        self._heard[self._now_on].take(event)

    async def all(self) -> list[Finding]:
        return [finding for name in self._hardware.lines for finding in await self._examine(name)]

    async def _examine(self, name: str) -> list[Finding]:
        line, devices = self._hardware.lines[name], self._hardware.about[name].devices
        assert isinstance(line, SerialLine)
        trouble = await _open_once(line)
        if trouble is not None:
            return [Finding(name, "", ok=False, what=f"{line.url} {trouble.told}", next=trouble.next_steps())]
        heard = self._heard[name] = _Heard()
        self._now_on = name
        await self._run(line, heard, devices)
        silent = [device for device in devices if not isinstance(heard.of(device), CabinetSeen | ReaderSeen)]
        found = await self._probe(name, line) if silent and len(silent) == len(devices) else ()
        opened = Finding(name, "", ok=True, what=f"{line.url} opens at {line.baud_rate} baud")
        return [opened, *(self._finding(name, device, heard.of(device), found) for device in devices)]

    async def _run(self, line: SerialLine, heard: _Heard, devices: tuple[str, ...]) -> None:
        """Until every device was seen, or for a while."""
        running = asyncio.create_task(line.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(RUNS_S):
                await heard.until_seen(devices)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def _probe(self, name: str, line: SerialLine) -> tuple[Question, ...]:
        about = self._hardware.about[name]
        if about.prober is None:
            return ()
        return await _ask_all(line.url, [*about.prober.questions(line.baud_rate, about.addresses)])

    def _finding(self, name: str, device: str, last: DeviceEvent | None, found: tuple[Question, ...]) -> Finding:
        match last:
            case CabinetSeen(slots):
                keys_in, open_doors = (
                    sum(slot.key_present for slot in slots),
                    [s.slot for s in slots if s.door_open],
                )
                doors = f", open doors: {', '.join(map(str, open_doors))}" if open_doors else ", all doors shut"
                return Finding(name, device, ok=True, what=f"{len(slots)} slots seen, {keys_in} keys in{doors}")
            case ReaderSeen(_, tampered, _):
                opened = ", but says that it was opened (tamper)" if tampered else ""
                what = self._hardware.about[name].when_seen + opened
                steps = ("shut its housing",) if tampered else ()
                return Finding(name, device, ok=not tampered, what=what, next=steps)
            case _:
                why = last.why if isinstance(last, CabinetLost | ReaderLost) else "nothing came"
                return Finding(
                    name, device, ok=False, what=why, next=(*self._elsewhere(name, found), *_of_why(why))
                )

    def _elsewhere(self, name: str, found: tuple[Question, ...]) -> Iterator[str]:
        prober = self._hardware.about[name].prober
        noun = prober.noun if prober is not None else ""
        for question in found:
            yield (
                f"{noun} {question.address} answers at {question.baud_rate} baud: "
                "set baud_rate and address so, or set the device"
            )


async def _open_once(line: SerialLine) -> PortTrouble | None:
    """Why a line cannot be opened; None: it can."""
    try:
        port = await open_port(line.url, line.baud_rate)
    except LINK_ERRORS as error:
        return port_trouble(str(error), getattr(error, "errno", None))
    await port.close()
    return None


async def _ask_all(url: str, questions: list[Question]) -> tuple[Question, ...]:
    """The questions that were answered. Once one speed is answered, other speeds are not tried any more."""
    answered: list[Question] = []
    for baud_rate in dict.fromkeys(question.baud_rate for question in questions):
        if answered:
            break
        with suppress(*LINK_ERRORS):
            port = await open_port(url, baud_rate)
            came = bytearray()
            port.start(came.extend, lambda _error: None)
            try:
                for question in questions:
                    if question.baud_rate == baud_rate:
                        came.clear()
                        port.write(question.data)
                        await asyncio.sleep(ANSWER_S)
                        if question.is_answer(bytes(came)):
                            answered.append(question)
            finally:
                await port.close()
    return tuple(answered)


def _of_why(why: str) -> tuple[str, ...]:
    match why:
        case Why.REPLACED:
            return (
                "its key is another one than in scbk_file, or it is in install mode",
                "was the reader exchanged? then pair it anew; if nobody did that, do not trust it",
            )
        case Why.NO_SECURE_CHANNEL | Why.SESSION_REFUSED:
            return ("it answers, but not in the secure channel: is it an OSDP v2 reader with its own key?",)
        case Why.GARBLED:
            return ("something answers, nothing of it is valid", "two devices at one address?", WIRING)
        case _ if "garbled" in why:
            return ("something answers, nothing of it is valid: speed, noise, two devices at one address", WIRING)
        case _ if "local_echo" in why:
            return ()
        case _:
            return (WIRING, "is the device set to this address and speed?")
