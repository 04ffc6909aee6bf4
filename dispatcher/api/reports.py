"""Reports for operators: how much vehicles are used, and what could not be had. JSON and CSV."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import Query, Request, Response

from dispatcher.api.context import Context
from dispatcher.api.csv_answers import ALSO_CSV, Format, csv_answer, wants_csv
from dispatcher.api.periods import PeriodQuery
from dispatcher.api.resources import resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer
from dispatcher.core.windows import HOUR_MS, Window, to_utc
from dispatcher.store.utilisation import Use, Utilisation, folded, utilisation

router = resource("reports", read=Scope.REPORTS_READ)

DRIVERS_MIN = 5  # domain.md, P8: below it a figure is somebody's
By = Literal["vehicle", "category", "station", "organisation"]
KINDS: Mapping[By, str] = {
    "vehicle": "vehicle_id",
    "category": "category",
    "station": "station_id",
    "organisation": "organisation_id",
}


class UtilisationQuery(PeriodQuery):
    by: By = "vehicle"
    format: Format = "json"
    """CSV also where the header `Accept` asks for `text/csv`."""


class UtilisationLine(Answer):
    """Figures of one vehicle, category, station or organisation. All are null where they are suppressed."""

    id: str
    suppressed: bool = False
    """True: fewer than 5 drivers, so that a figure would be somebody's."""
    vehicles: int | None = None
    """Not retired, at home there today; of an organisation: null."""
    bookings: int | None = None
    """That start in the period, without those that were cancelled."""
    cancelled: int | None = None
    no_shows: int | None = None
    booked_h: float | None = None
    driven_h: float | None = None
    """Hours with the key out."""
    rentals: int | None = None
    """That ended in the period."""
    km: float | None = None
    km_unknown: int | None = None
    """Rentals that ended in the period and of which nobody knows how far they went."""
    share_in_use: float | None = None
    """Of the vehicles' time in the period, that with the key out; 0 to 1."""
    refusals: dict[str, int] | None = None
    """At the cabinets, by reason."""
    unmet: dict[str, int] | None = None
    """Searches and bookings for this period that found nothing, by reason."""


class UtilisationReport(Answer):
    from_at: datetime
    until_at: datetime
    by: By
    lines: list[UtilisationLine]


@router.get("/utilisation", response_model=UtilisationReport, responses=ALSO_CSV)
async def read_utilisation(
    context: Context, request: Request, query: Annotated[UtilisationQuery, Query()]
) -> UtilisationReport | Response:
    """How much was used in a period. Service orders are left out; the manual says how each figure is made."""
    period = query.period()
    now_ms = context.clock.now_ms()
    found = await context.database.read(partial(utilisation, period=period, now_ms=now_ms))
    lines = [_line(name, use, query.by, period, found) for name, use in folded(found, KINDS[query.by]).items()]
    if wants_csv(request, query.format):
        return csv_answer(UtilisationLine, lines)
    return UtilisationReport(
        from_at=to_utc(period.start_ms), until_at=to_utc(period.end_ms), by=query.by, lines=lines
    )


def _line(name: str, use: Use, by: By, period: Window, found: Utilisation) -> UtilisationLine:
    of_organisation = by == "organisation"
    if of_organisation and found.drivers.get(name, 0) < DRIVERS_MIN:
        return UtilisationLine(id=name, suppressed=True)
    time_ms = use.vehicles * period.length_ms
    return UtilisationLine(
        id=name,
        vehicles=None if of_organisation else use.vehicles,
        bookings=use.bookings,
        cancelled=use.cancelled,
        no_shows=use.no_shows,
        booked_h=round(use.booked_ms / HOUR_MS, 2),
        driven_h=round(use.driven_ms / HOUR_MS, 2),
        rentals=use.rentals,
        km=round(use.distance_m / 1000, 1),
        km_unknown=use.distance_unknown,
        share_in_use=None if of_organisation or not time_ms else round(use.driven_ms / time_ms, 4),
        refusals=dict(sorted(use.refusals.items())),
        unmet=dict(sorted(use.unmet.items())),
    )
