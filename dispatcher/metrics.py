"""The dispatcher's metrics and health: read from its parts at scrape time, so that no core knows of Prometheus."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from contract.envelope import EnvelopeFault
from contract.messages import CommandReply, FactBatch, Presence, Reported, TimeRequest
from dispatcher.api.counters import ApiCounters
from dispatcher.core.deliveries import Outcome
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.ingest import FactOutcome
from dispatcher.dispatcher import VERSION, Dispatcher
from dispatcher.duty import OnDuty
from dispatcher.store.schema import BOOKING_STATES, WEBHOOK_STATES
from runtime.health import Check, Monitored
from runtime.link import LinkEnd, LinkState

_Word = TypeVar("_Word", bound=str)

STANDING_BY = Check("active", False, "standing by: another dispatcher is active")
KINDS_HEARD = tuple(
    str(kind.model_fields["kind"].default) for kind in (Presence, Reported, FactBatch, TimeRequest, CommandReply)
)


def monitored(dispatcher: Dispatcher, api: ApiCounters, duty: OnDuty | None = None) -> Monitored:
    """The dispatcher as its monitoring sees it, with a registry of its own. Without `duty` it is active."""

    def is_active() -> bool:
        return duty is None or duty.is_active

    registry = CollectorRegistry(auto_describe=False)
    registry.register(DispatcherCollector(dispatcher, api, is_active))
    return Monitored(
        registry,
        health=lambda: health(dispatcher),
        ready=lambda: readiness(dispatcher) if is_active() else [STANDING_BY],
    )


def health(dispatcher: Dispatcher) -> list[Check]:
    """Whether the dispatcher does its work; a broker that is away is no illness of the dispatcher."""
    return [
        Check("intake", dispatcher.intake.healthy, "" if dispatcher.intake.healthy else "database unavailable"),
        Check("timed_work", dispatcher.timed_work_ok, "" if dispatcher.timed_work_ok else "database unavailable"),
    ]


def readiness(dispatcher: Dispatcher) -> list[Check]:
    """Whether cabinets and callers are served now."""
    status = dispatcher.link.status
    connected = status.state is LinkState.CONNECTED
    return [*health(dispatcher), Check("broker", connected, "" if connected else status.text)]


class DispatcherCollector(Collector):
    def __init__(self, dispatcher: Dispatcher, api: ApiCounters, is_active: Callable[[], bool]) -> None:
        self._dispatcher = dispatcher
        self._api = api
        self._is_active = is_active

    def collect(self) -> Iterable[Metric]:
        yield _gauge("info", "The running dispatcher", 1, version=VERSION)
        yield _gauge("active", "1 where it is the active one, 0 while it stands by", self._is_active())
        yield from self._intake()
        yield from self._link()
        yield from self._figures()
        yield from self._events()
        yield from self._requests()

    def _intake(self) -> Iterable[Metric]:
        intake = self._dispatcher.intake
        outcomes = {outcome: intake.outcomes[outcome] for outcome in FactOutcome}
        yield _counters("ingest_facts", "Facts received, by what became of them", "outcome", outcomes)
        yield _gauge("ingest_waiting_messages", "Messages that wait for a commit", len(intake))
        yield _counter("ingest_failed_messages", "Messages that the store could not take", intake.failed)
        counts = self._dispatcher.rejects.counts
        faults = {fault: counts[fault] for fault in EnvelopeFault}
        yield _counters("messages_rejected", "Messages not accepted, by fault", "fault", faults)
        kinds = {kind: self._dispatcher.receiver.accepted[kind] for kind in KINDS_HEARD}
        yield _counters("messages_accepted", "Messages verified, by kind", "kind", kinds)
        yield _counter("timed_work_failures", "Rounds of timed work that failed", self._dispatcher.ticks_failed)
        differ = "Incidents that a pass of the reconciler over everything found wrong"
        yield _counter("reconciler_differences", differ, self._dispatcher.reconciler_differences)
        rounds = "Rounds of the publisher that a mistake of ours ended"
        yield _counter("publisher_failures", rounds, self._dispatcher.publisher.failed)
        orders = "Rounds of sending operators' commands that a mistake of ours ended"
        yield _counter("orders_failures", orders, self._dispatcher.orders.failed)

    def _link(self) -> Iterable[Metric]:
        link = self._dispatcher.link
        ends = {end: link.statistics.ends[end] for end in LinkEnd}
        yield _gauge("link_up", "1 while connected to the broker", link.connected)
        yield _counter("link_connects", "Connections made", link.statistics.connects)
        yield _counters("link_ends", "Connections and attempts that ended", "why", ends)
        yield _counter("link_published", "Messages confirmed by the broker", link.statistics.published)
        failed = self._dispatcher.courier.failed
        yield _counter("publish_failures", "Messages that the broker refused or did not confirm", failed)

    def _figures(self) -> Iterable[Metric]:
        figures = self._dispatcher.figures
        incidents = {kind: figures.open_incidents.get(kind, 0) for kind in IncidentKind}
        yield _gauges("open_incidents", "Incidents that are open, by kind", "kind", incidents)
        states = {state: figures.bookings.get(state, 0) for state in BOOKING_STATES}
        yield _gauges("bookings", "Bookings, by state", "state", states)
        yield _gauge("cabinets", "Cabinets in service", figures.cabinets)
        yield _gauge("cabinets_online", "Cabinets in service whose presence says online", figures.cabinets_online)
        outdated = "Cabinets that hold an older desired state than ours"
        yield _gauge("desired_outdated_cabinets", outdated, figures.desired_outdated)
        lag = "Age of the oldest desired state that its cabinet does not hold yet"
        yield _gauge("desired_lag_seconds", lag, figures.desired_lag_s)
        refused = "Cabinets whose desired state could not be made"
        yield _gauge("desired_refused_cabinets", refused, figures.desired_refused)
        left_out = "Grants that did not fit the size of a desired state"
        yield _gauge("desired_grants_left_out", left_out, figures.grants_left_out)
        yield from self._retention()

    def _retention(self) -> Iterable[Metric]:
        housekeeping = self._dispatcher.housekeeping
        past = "Rows that are past their limit for longer than the job may need: must be 0"
        yield _gauges("rows_past_limit", past, "limit", self._dispatcher.rows_past)
        yield _counter("retention_rows", "Rows that were forgotten past their limit", housekeeping.rows_done)
        yield _counter("retention_failures", "Rounds of forgetting that failed", housekeeping.failed)

    def _events(self) -> Iterable[Metric]:
        sender, found = self._dispatcher.sender, self._dispatcher.event_figures
        lag = "Since when the oldest event waits that an active webhook has not got"
        yield _gauge("events_lag_seconds", lag, found.lag_s)
        yield _gauge("events_waiting", "Deliveries that wait, paused webhooks' too", found.waiting)
        yield _gauge("events_dead_letters", "Deliveries that nobody tries any more", found.dead)
        states = {state: found.webhooks.get(state, 0) for state in WEBHOOK_STATES}
        yield _gauges("webhooks", "Webhooks, by state", "state", states)
        if sender is not None:
            outcomes = {outcome: sender.outcomes[outcome] for outcome in Outcome}
            yield _counters("events_attempts", "Attempts to deliver, by outcome", "outcome", outcomes)
            rounds = "Rounds of sending events that a mistake of ours ended"
            yield _counter("events_failures", rounds, sender.failed)

    def _requests(self) -> Iterable[Metric]:
        requests = CounterMetricFamily(
            "dispatcher_api_requests", "Requests to the API", labels=["method", "route", "status"]
        )
        for (method, route, status), count in self._api.requests.items():
            requests.add_metric([method, route, str(status)], count)
        yield requests
        replays = "Answers told again under an Idempotency-Key, with nothing done"
        yield _counter("api_replays", replays, self._api.replays)
        faulty = "Versions of the tokens file that could not be used"
        yield _counter("api_faulty_token_files", faulty, self._api.faulty_token_files)
        yield _counters("api_refusals", "Problems answered, by reason", "reason", self._api.refusals)


def _gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(f"dispatcher_{name}", text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _gauges(name: str, text: str, label: str, values: Mapping[_Word, int]) -> Metric:
    family = GaugeMetricFamily(f"dispatcher_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"dispatcher_{name}", text, value=value)


def _counters(name: str, text: str, label: str, values: Mapping[_Word, int]) -> Metric:
    family = CounterMetricFamily(f"dispatcher_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
