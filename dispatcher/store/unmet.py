"""Counts what was wanted and could not be had: one row for each hour, station, category, reason and source."""

from functools import cache
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from dispatcher.core.availability import FREE_LATER
from dispatcher.core.rules import BookingReason
from dispatcher.core.windows import HOUR_MS, round_down
from dispatcher.store.schema import unmet_demand
from dispatcher.store.upsert import Insert

ANY = ""
"""Of station or category: none was named."""

UNMET = frozenset(
    {
        *FREE_LATER,
        BookingReason.NO_SUCH_VEHICLE_HERE,
        BookingReason.VEHICLE_NOT_IN_SERVICE,
        BookingReason.KEY_NOT_PRESENT,
        BookingReason.KEY_NOT_IN_SERVICE,
        BookingReason.CABINET_UNREACHABLE,
    }
)
"""Reasons for which the network had nothing to give; the others are of the question, or of who asks."""


def count_unmet(
    connection: Connection,
    wanted_ms: int,
    place: tuple[str | None, str | None],
    reason: BookingReason,
    source: Literal["search", "booking"],
) -> None:
    """Count one more. `place`: station and category as far as they were named; `wanted_ms`: the window's start."""
    if reason not in UNMET:
        return
    station_id, category = place
    row = {
        "hour_ms": round_down(wanted_ms, HOUR_MS),
        "station_id": station_id or ANY,
        "category": category or ANY,
        "reason": reason,
        "source": source,
        "count": 1,
    }
    connection.execute(_one_more(connection.dialect.name), row)


@cache
def _one_more(dialect: str) -> Insert:
    statement = postgresql.insert(unmet_demand) if dialect == "postgresql" else sqlite.insert(unmet_demand)
    key = [column.name for column in unmet_demand.primary_key]
    return statement.on_conflict_do_update(
        index_elements=key, set_={"count": unmet_demand.c.count + statement.excluded["count"]}
    )
