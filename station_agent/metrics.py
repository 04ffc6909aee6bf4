"""The agent's metrics and health: read from its parts at scrape time, so that no core knows of Prometheus."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runtime.health import Check, Monitored, Page
from runtime.link import LinkEnd
from station_agent.agent import Agent
from station_agent.core.station import Station
from station_agent.journal import ALERT_AT, Journal
from station_agent.reporting import VERSION

_Word = TypeVar("_Word", bound=str)

CLOCK_SOURCES = ("kernel", "dispatcher", "none")


def monitored(agent: Agent, pages: Mapping[str, Page] | None = None) -> Monitored:
    """One agent as its monitoring sees it, with a registry of its own and pages for this box's own tools."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(AgentCollector(agent))
    return Monitored(registry, health=lambda: health(agent), ready=lambda: readiness(agent), pages=pages or {})


def health(agent: Agent) -> list[Check]:
    """Whether the agent does its work; a broker that is away is no illness of the agent."""
    running = agent.opened is not None
    return [Check("core", running, "" if running else "not started")]


def readiness(agent: Agent) -> list[Check]:
    """Whether a member could be served now."""
    if agent.opened is None:
        return [Check("core", ok=False, detail="not started")]
    station = agent.opened.station
    devices = [Check(state.device, state.online, state.why or "") for state in station.devices.states()]
    trusted = station.clock_source != "none"
    clock = Check("clock", trusted, "" if trusted else "neither kernel nor dispatcher vouches for it")
    journal = Check("journal", not agent.opened.journal.trouble, _about(agent.opened.journal))
    held = station.wanted.version > 0
    return [*devices, clock, journal, Check("desired", held, "" if held else "no wanted state held yet")]


def _about(journal: Journal) -> str:
    """Why it cannot be written, or that it soon will not be; empty otherwise."""
    if not journal.trouble and journal.fill >= ALERT_AT and journal.bytes_max is not None:
        return f"{journal.fill:.0%} of {journal.bytes_max >> 20} MiB are used: find out why nobody takes its facts"
    return journal.trouble


class AgentCollector(Collector):
    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def collect(self) -> Iterable[Metric]:
        agent = self._agent
        yield _gauge("info", "The running agent", 1, version=VERSION, cabinet=agent.config.cabinet)
        yield _gauge("link_up", "1 while connected to the broker", agent.link.connected)
        yield _counters("link_ends", "Connections and attempts that ended", "why",
                        {end: agent.link.statistics.ends[end] for end in LinkEnd})  # fmt: skip
        yield _counter("link_published", "Messages confirmed by the broker", agent.link.statistics.published)
        yield _counter("link_refused", "Messages the broker refused", agent.link.statistics.refused)
        yield _counters("messages_refused", "Messages not accepted", "reason", agent.inbox.rejects.counts)
        yield _counter("messages_left_out", "Messages left out under load", agent.messages_left_out)
        yield _counter("cards_too_old", "Cards that waited too long to be answered", agent.cards_too_old)
        yield from self._lines()
        yield from self._vehicles()
        if agent.opened is not None:
            yield from self._journal(agent.opened.journal, agent.opened.sender.uplink.resends)
            yield _gauge("journal_durable", "1 while facts can be made durable", agent.opened.station.durable)
            yield from self._station(agent.opened.station)
        yield agent.latency.family()

    def _lines(self) -> Iterable[Metric]:
        hardware = self._agent.hardware
        names = list(hardware.lines)
        up = GaugeMetricFamily("station_agent_line_open", "1 while the serial line is open", labels=["line"])
        for name in names:
            up.add_metric([name], hardware.lines[name].is_open)
        yield up
        for field, text in (
            ("frames_sent", "Frames sent on a serial line"),
            ("frames_received", "Frames received on a serial line"),
            ("timeouts", "Requests that got no answer in time"),
            ("garbled", "Received pieces that were no frame"),
        ):
            values = {name: getattr(hardware.statistics[name], field) for name in names}
            yield _counters(f"line_{field}", text, "line", values)

    def _vehicles(self) -> Iterable[Metric]:
        trackers = [*self._agent.inbox.trackers.values(), *self._agent.hardware.receivers.values()]
        yield _counter("vehicle_reports", "Tracker messages read", sum(tracker.reports for tracker in trackers))
        total: dict[str, int] = {}
        for tracker in trackers:
            for fault, count in tracker.faults.items():
                total[fault.value] = total.get(fault.value, 0) + count
        yield _counters("vehicle_faults", "Tracker messages with a fault", "fault", total)

    def _journal(self, journal: Journal, resends: int) -> Iterable[Metric]:
        yield _gauge("journal_depth", "Facts not yet acknowledged by the ledger", journal.depth)
        yield _gauge("journal_used_bytes", "Of the journal's file, what is in use", journal.used_bytes)
        yield _gauge("journal_limit_bytes", "How large the journal's file may grow", journal.bytes_max or 0)
        yield _gauge("journal_emergency", "Facts that only the emergency journal holds", journal.waiting)
        yield _counter("facts_noted", "Facts of this epoch", journal.epoch.last_seq)
        yield _counter("facts_resent", "Times that unacknowledged facts were sent again", resends)

    def _station(self, station: Station) -> Iterable[Metric]:
        yield _counters("refusals", "Refusals at the readers", "reason", station.people.refusals.counts)
        yield _counters("commands", "Commands that release a slot", "outcome", station.commands.outcomes)
        yield _counter("commands_unanswerable", "Old commands that were replayed", station.commands.unanswerable)
        yield _counters("desired_arrivals", "Wanted states by outcome", "outcome", station.desired_outcomes)
        yield _gauge("desired_version", "Version of the wanted state held", station.wanted.version)
        yield _gauge("grants_held", "Grants on this box", len(station.wanted.grants))
        yield _gauge("keys_out", "Keys of this cabinet that somebody has", station.keys_out())
        clock = GaugeMetricFamily(
            "station_agent_clock_source", "1 for who vouches for the clock", labels=["source"]
        )
        for source in CLOCK_SOURCES:
            clock.add_metric([source], source == station.clock_source)
        yield clock
        online = GaugeMetricFamily("station_agent_device_online", "1 while a device answers", labels=["device"])
        for state in station.devices.states():
            online.add_metric([state.device], state.online)
        yield online


def _gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(f"station_agent_{name}", text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"station_agent_{name}", text, value=value)


def _counters(name: str, text: str, label: str, values: Mapping[_Word, int]) -> Metric:
    family = CounterMetricFamily(f"station_agent_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
