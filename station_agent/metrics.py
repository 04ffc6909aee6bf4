"""The agent's metrics and health: read from its parts at scrape time, so that no core knows of Prometheus."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from runtime.health import Check, Monitored, Page
from runtime.link import LinkEnd
from station_agent import series
from station_agent.agent import Agent, Opened
from station_agent.core.station import Station
from station_agent.drivers.trackers import VehicleFault
from station_agent.journal import ALERT_AT, Journal
from station_agent.reporting import VERSION

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
        yield series.INFO.by({(VERSION, agent.config.cabinet): 1})
        yield from self._link()
        yield from self._lines()
        yield from self._vehicles()
        yield series.CARDS_TOO_OLD.of(agent.cards_too_old)
        yield series.RELEASE.spread(agent.latency)
        if agent.opened is not None:
            yield from self._journal(agent.opened)
            yield from self._station(agent.opened.station)

    def _link(self) -> Iterable[Metric]:
        agent = self._agent
        statistics = agent.link.statistics
        yield series.LINK_UP.of(agent.link.connected)
        yield series.LINK_ENDS.by({end: statistics.ends[end] for end in LinkEnd})
        yield series.LINK_PUBLISHED.of(statistics.published)
        yield series.LINK_REFUSED.of(statistics.refused)
        yield series.MESSAGES_REFUSED.by(agent.inbox.rejects.counts)
        yield series.MESSAGES_LEFT_OUT.of(agent.messages_left_out)

    def _lines(self) -> Iterable[Metric]:
        hardware = self._agent.hardware
        frames: dict[tuple[str, ...], int] = {}
        errors: dict[tuple[str, ...], int] = {}
        for line, statistics in hardware.statistics.items():
            frames[line, "sent"] = statistics.frames_sent
            frames[line, "received"] = statistics.frames_received
            errors[line, "timeout"] = statistics.timeouts
            errors[line, "garbled"] = statistics.garbled
        yield series.LINE_OPEN.by({name: line.is_open for name, line in hardware.lines.items()})
        yield series.LINE_FRAMES.by(frames)
        yield series.LINE_ERRORS.by(errors)

    def _vehicles(self) -> Iterable[Metric]:
        trackers = [*self._agent.inbox.trackers.values(), *self._agent.hardware.receivers.values()]
        yield series.VEHICLE_REPORTS.of(sum(tracker.reports for tracker in trackers))
        yield series.VEHICLE_FAULTS.by(
            {fault: sum(tracker.faults[fault] for tracker in trackers) for fault in VehicleFault}
        )

    def _journal(self, opened: Opened) -> Iterable[Metric]:
        journal = opened.journal
        since_ms = journal.untold_since_ms
        age_ms = 0 if since_ms is None else max(self._agent.now.wall_ms - since_ms, 0)
        yield series.JOURNAL_DEPTH.of(journal.depth)
        yield series.JOURNAL_UNTOLD.of(age_ms / 1000)
        yield series.JOURNAL_USED.of(journal.used_bytes)
        yield series.JOURNAL_LIMIT.of(journal.bytes_max or 0)
        yield series.JOURNAL_EMERGENCY.of(journal.waiting)
        yield series.JOURNAL_DURABLE.of(opened.station.durable)
        yield series.FACTS_NOTED.of(journal.epoch.last_seq)
        yield series.FACTS_RESENT.of(opened.sender.uplink.resends)

    def _station(self, station: Station) -> Iterable[Metric]:
        yield series.REFUSALS.by(station.people.refusals.counts)
        yield series.COMMANDS.by(station.commands.outcomes)
        yield series.COMMANDS_UNANSWERABLE.of(station.commands.unanswerable)
        yield series.DESIRED_ARRIVALS.by(station.desired_outcomes)
        yield series.DESIRED_VERSION.of(station.wanted.version)
        yield series.GRANTS_HELD.of(len(station.wanted.grants))
        yield series.KEYS_OUT.of(station.keys_out())
        yield series.CLOCK_SOURCE.by({source: source == station.clock_source for source in CLOCK_SOURCES})
        yield series.DEVICE_ONLINE.by({state.device: state.online for state in station.devices.states()})
