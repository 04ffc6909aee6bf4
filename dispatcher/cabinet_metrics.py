"""Of each cabinet in service what an operator needs of its box: behind its uplink no scraper reaches it.

Ages are made at scrape time by this program's own clock, which is what wrote the instants they count from.
"""

from collections.abc import Iterable

from prometheus_client.core import Metric

from dispatcher import series
from dispatcher.dispatcher import Dispatcher
from dispatcher.store.cabinet_figures import CabinetFigures


def cabinet_families(dispatcher: Dispatcher) -> Iterable[Metric]:
    """As of the last look at the database, 15 s ago or so; what was heard since then counts for silence."""
    now_ms = dispatcher.now_ms
    known = {(one.cabinet_id, one.station_id): one for one in dispatcher.figures.cabinets}
    slots = {(*place, state): count for place, one in known.items() for state, count in one.slots.items()}
    quiet_s = dispatcher.ears.now().quiet_s
    silent_s = {place: _silent_s(one, now_ms, quiet_s.get(one.cabinet_id)) for place, one in known.items()}
    yield series.CABINET_ONLINE.by({place: one.online for place, one in known.items()})
    yield series.CABINET_SILENT.by({place: s for place, s in silent_s.items() if s is not None})
    yield series.CABINET_JOURNAL_DEPTH.by({place: one.facts_missing for place, one in known.items()})
    yield series.CABINET_CLOCK_TRUSTED.by({place: one.clock_trusted for place, one in known.items()})
    yield series.CABINET_DESIRED_LAG.by(
        {place: age_s(now_ms, one.desired_since_ms) for place, one in known.items()}
    )
    yield series.CABINET_SLOTS.by(slots)
    yield series.CABINET_KEYS_OUT.by({place: one.keys_out for place, one in known.items()})
    yield series.CABINET_KEYS_OVERDUE.by({place: one.keys_overdue for place, one in known.items()})
    yield series.CABINET_FORCED.by({place: one.forced for place, one in known.items()})


def age_s(now_ms: int, since_ms: int | None) -> float:
    """Seconds since an instant; 0 where there is none."""
    return 0.0 if since_ms is None else max(now_ms - since_ms, 0) / 1000


def _silent_s(one: CabinetFigures, now_ms: int, quiet_s: float | None) -> float | None:
    """Since its last word of any kind, as far as either the database or this program heard it."""
    told = [] if one.heard_ms is None else [age_s(now_ms, one.heard_ms)]
    return min([*told, *([] if quiet_s is None else [quiet_s])], default=None)
