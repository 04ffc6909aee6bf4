"""The dispatcher's metrics and health: read from its parts at scrape time, so that no core knows of Prometheus."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from contract.envelope import EnvelopeFault
from contract.messages import CommandReply, FactBatch, Presence, Reported, TimeRequest
from dispatcher import series
from dispatcher.api.counters import ApiCounters
from dispatcher.api.problems import PROBLEMS
from dispatcher.cabinet_metrics import age_s, cabinet_families
from dispatcher.core.deliveries import Outcome
from dispatcher.core.incidents import IncidentKind, Severity
from dispatcher.core.ingest import FactOutcome
from dispatcher.dispatcher import VERSION, Dispatcher
from dispatcher.duty import OnDuty
from dispatcher.store.limits import LIMITS
from dispatcher.store.schema import BOOKING_STATES, WEBHOOK_STATES
from runtime.health import Check, Monitored
from runtime.link import LinkEnd, LinkState

SEVERITIES: tuple[str, ...] = get_args(Severity)
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
        yield series.INFO.by({VERSION: 1})
        yield series.ACTIVE.of(self._is_active())
        yield series.CHECK_OK.by({check.name: check.ok for check in readiness(self._dispatcher)})
        yield from self._intake()
        yield from self._link()
        yield from self._work()
        yield from self._network()
        yield from cabinet_families(self._dispatcher)
        yield from self._events()
        yield from self._requests()

    def _intake(self) -> Iterable[Metric]:
        intake, counts = self._dispatcher.intake, self._dispatcher.rejects.counts
        accepted = self._dispatcher.receiver.accepted
        yield series.INGEST_FACTS.by({outcome: intake.outcomes[outcome] for outcome in FactOutcome})
        yield series.INGEST_DELAY.spread(intake.delay)
        yield series.INGEST_WAITING.of(len(intake))
        yield series.INGEST_FAILED.of(intake.failed)
        yield series.MESSAGES_REJECTED.by({fault: counts[fault] for fault in EnvelopeFault})
        yield series.MESSAGES_ACCEPTED.by({kind: accepted[kind] for kind in KINDS_HEARD})

    def _link(self) -> Iterable[Metric]:
        link = self._dispatcher.link
        yield series.LINK_UP.of(link.connected)
        yield series.LINK_CONNECTS.of(link.statistics.connects)
        yield series.LINK_ENDS.by({end: link.statistics.ends[end] for end in LinkEnd})
        yield series.LINK_PUBLISHED.of(link.statistics.published)

    def _work(self) -> Iterable[Metric]:
        here = self._dispatcher
        yield series.PUBLISH_FAILURES.of(here.courier.failed)
        yield series.PUBLISHER_FAILURES.of(here.publisher.failed)
        yield series.ORDERS_FAILURES.of(here.orders.failed)
        yield series.TIMED_WORK_FAILURES.of(here.ticks_failed)
        yield series.RECONCILER_DIFFERENCES.of(here.reconciler_differences)
        yield series.ROWS_PAST_LIMIT.by({one.name: here.rows_past.get(one.name, 0) for one in LIMITS})
        yield series.RETENTION_ROWS.of(here.housekeeping.rows_done)
        yield series.RETENTION_FAILURES.of(here.housekeeping.failed)

    def _network(self) -> Iterable[Metric]:
        figures, now_ms = self._dispatcher.figures, self._dispatcher.now_ms
        open_now = {severity: figures.unacknowledged.get(severity) for severity in SEVERITIES}
        yield series.OPEN_INCIDENTS.by({kind: figures.open_incidents.get(kind, 0) for kind in IncidentKind})
        yield series.UNACKNOWLEDGED.by({key: found.count if found else 0 for key, found in open_now.items()})
        yield series.UNACKNOWLEDGED_OLDEST.by(
            {key: age_s(now_ms, found.oldest_ms if found else None) for key, found in open_now.items()}
        )
        yield series.BOOKINGS.by({state: figures.bookings.get(state, 0) for state in BOOKING_STATES})
        yield series.CABINETS.of(len(figures.cabinets))
        yield series.CABINETS_ONLINE.of(sum(one.online for one in figures.cabinets))
        yield series.DESIRED_OUTDATED.of(len(figures.outdated))
        yield series.DESIRED_LAG.of(age_s(now_ms, min(figures.outdated, default=None)))
        yield series.DESIRED_REFUSED.of(sum(one.desired_refused for one in figures.cabinets))
        yield series.GRANTS_LEFT_OUT.of(sum(one.grants_left_out for one in figures.cabinets))
        yield series.REVOCATIONS_PENDING.of(figures.revocations_pending)
        yield series.REVOCATION_OLDEST.of(age_s(now_ms, figures.revoked_since_ms))
        yield series.REVOCATION.spread(self._dispatcher.revocation)

    def _events(self) -> Iterable[Metric]:
        sender, found = self._dispatcher.sender, self._dispatcher.event_figures
        yield series.EVENTS_LAG.of(found.lag_s)
        yield series.EVENTS_WAITING.of(found.waiting)
        yield series.EVENTS_DEAD.of(found.dead)
        yield series.WEBHOOKS.by({state: found.webhooks.get(state, 0) for state in WEBHOOK_STATES})
        outcomes = Counter[Outcome]() if sender is None else sender.outcomes
        yield series.EVENTS_ATTEMPTS.by({outcome: outcomes[outcome] for outcome in Outcome})
        yield series.EVENTS_FAILURES.of(0 if sender is None else sender.failed)

    def _requests(self) -> Iterable[Metric]:
        api = self._api
        requests = {(method, route, str(status)): count for (method, route, status), count in api.requests.items()}
        yield series.API_REQUESTS.by(requests)
        yield series.API_REPLAYS.of(api.replays)
        yield series.API_FAULTY_TOKEN_FILES.of(api.faulty_token_files)
        yield series.API_REFUSALS.by({reason: api.refusals[reason] for reason in PROBLEMS})
