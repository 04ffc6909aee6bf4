"""What a running agent shows to this box's own tools, over HTTP on loopback: two pages beside its metrics.

    /status                        the cabinet, its lines, journal, link and clock, as of now
    /trace?line=locks&first=0      what passed on one line, from piece `first` on

Neither names a person: keys, slots and counts only.
"""

from collections.abc import Mapping
from typing import Any

from runtime.clocks import LineClock
from runtime.health import NoSuchPage, Page
from runtime.rejects import Rejected
from station_agent.agent import Agent
from station_agent.reporting import VERSION
from station_agent.serial_line import SerialLine
from station_agent.tracing import LineTrace


def pages(agent: Agent, line_clock: LineClock) -> dict[str, Page]:
    """By name. Begins to listen on the agent's serial lines, at the cost of a comparison for each piece."""
    traces = {name: LineTrace(name, agent.hardware.about[name].annotator) for name in agent.hardware.lines}
    for name, line in agent.hardware.lines.items():
        if isinstance(line, SerialLine):
            line.tap = traces[name].note

    def trace(query: Mapping[str, str]) -> Mapping[str, Any]:
        found = traces.get(query.get("line", ""))
        if found is None:
            raise NoSuchPage(f"line: {query.get('line', '')!r}: expected one of {', '.join(traces)}")
        first = query.get("first", "0")
        if not first.isdecimal() or len(first) > 18:
            raise NoSuchPage(f"first: {first!r}: expected the number of a piece")
        return found.page(line_clock.now_us(), int(first))

    return {"status": lambda _query: status(agent), "trace": trace}


def status(agent: Agent) -> dict[str, Any]:
    """The agent as it is now. Before it has opened its journal: its lines and its link alone."""
    shown: dict[str, Any] = {
        "cabinet": agent.config.cabinet,
        "version": VERSION,
        "at_ms": agent.now.wall_ms,
        "link": {
            "connected": agent.link.connected,
            "broker": f"{agent.config.mqtt.host}:{agent.config.mqtt.port}",
        },
        "lines": [_line(agent, name) for name in agent.hardware.lines],
        "rejected": [_rejected(agent, message) for message in agent.inbox.rejects.kept()],
    }
    if agent.opened is None:
        return shown
    station, journal = agent.opened.station, agent.opened.journal
    home = {entry.home_slot: key for key, entry in station.wanted.keys.items() if entry.home_slot is not None}
    return shown | {
        "slots": [
            slot.model_dump(mode="json") | {"home_of": home.get(slot.slot)} for slot in station.slot_reports()
        ],
        "devices": [state.model_dump(mode="json") for state in station.device_reports()],
        "vehicles": [
            state.model_dump(mode="json", exclude={"position"}) for state in station.vehicle_reports(agent.now)
        ],
        "keys_out": station.keys_out(),
        "grants_held": len(station.wanted.grants),
        "desired_version": station.wanted.version,
        "clock_source": station.clock_source,
        "journal": {
            "depth": journal.depth,
            "last_seq": journal.epoch.last_seq,
            "durable": station.durable,
            "trouble": journal.trouble,
        },
    }


def _rejected(agent: Agent, message: Rejected) -> dict[str, Any]:
    """A message that was not accepted, without its content."""
    return {
        "ago_s": (agent.line_now_us - message.at_us) // 1_000_000,
        "topic": message.topic,
        "bytes": message.size_bytes,
        "fault": message.fault,
        "detail": message.detail,
    }


def _line(agent: Agent, name: str) -> dict[str, Any]:
    line, statistics = agent.hardware.lines[name], agent.hardware.statistics[name]
    return {
        "line": name,
        "device": line.url if isinstance(line, SerialLine) else "",
        "open": line.is_open,
        "error": line.last_error if isinstance(line, SerialLine) and not line.is_open else "",
        "sent": statistics.frames_sent,
        "received": statistics.frames_received,
        "timeouts": statistics.timeouts,
        "garbled": statistics.garbled,
    }
