"""Rentals: from a key's take to its return, with odometer and energy at both ends. What is unknown is null."""

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Query

from dispatcher.api.context import Context
from dispatcher.api.handovers import UseQuery
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Listing, instant_of, next_cursor, page_request
from dispatcher.core.windows import to_utc
from dispatcher.store.uses import Rental, rentals_page

router = resource("rentals", read=Scope.FACTS_READ)


class RentalOut(Answer):
    number: int
    """Names it among the rentals."""
    booking_id: str | None
    """null: the key went without a booking, under a command or without any right."""
    vehicle_id: str | None
    key_id: str | None
    cabinet_id: str
    """Where the key was taken."""
    taken_at: datetime
    returned_at: datetime | None
    """null: the key is still out."""
    duration_s: int | None
    odometer_start_m: int | None
    odometer_end_m: int | None
    distance_m: int | None
    """null: one end is not known, or the odometer went back."""
    energy_start_percent: int | None
    energy_end_percent: int | None


class RentalList(Listing):
    items: list[RentalOut]


class RentalQuery(UseQuery):
    """`from` and `until`: those of which some part lies between them."""

    open: bool = False
    """True: only those whose key is still out."""


@router.get("", responses=answers(422))
async def list_rentals(context: Context, query: Annotated[RentalQuery, Query()]) -> RentalList:
    """Rentals that fit every field given, in the order in which their keys were taken."""
    request = page_request(query, int, int)
    reading = partial(rentals_page, wanted=query.wanted(), request=request, only_open=query.open)
    page = await context.database.read(reading)
    return RentalList(items=[_out(item) for item in page.items], next=next_cursor(page))


def _out(item: Rental) -> RentalOut:
    lasted_ms = None if item.returned_ms is None else max(item.returned_ms - item.taken_ms, 0)
    return RentalOut(
        number=item.id,
        booking_id=item.booking_id,
        vehicle_id=item.vehicle_id,
        key_id=item.key_id,
        cabinet_id=item.cabinet_id,
        taken_at=to_utc(item.taken_ms),
        returned_at=instant_of(item.returned_ms),
        duration_s=None if lasted_ms is None else lasted_ms // 1000,
        odometer_start_m=item.odometer_start_m,
        odometer_end_m=item.odometer_end_m,
        distance_m=item.distance_m,
        energy_start_percent=item.energy_start_percent,
        energy_end_percent=item.energy_end_percent,
    )
