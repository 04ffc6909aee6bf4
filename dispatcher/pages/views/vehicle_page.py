"""One vehicle: where its keys are, what it said last and how long ago, who has it when, what holds it back."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from dispatcher.pages.views.calendar import Calendar, calendar
from dispatcher.pages.views.places import Named, Place, places_of
from dispatcher.pages.views.strips import Strip, strips_of
from dispatcher.store.blocks import Block, BlockFilter, blocks_page
from dispatcher.store.bookings import Booking, BookingFilter, bookings_page
from dispatcher.store.key_list import Key, KeyFilter, keys_page
from dispatcher.store.paging import LIMIT_MAX, PageRequest
from dispatcher.store.schema import LIVE_BOOKING_STATES
from dispatcher.store.vehicles import Vehicle, vehicle_by_id

COMING_MAX = 10  # whom a vehicle that breaks down leaves without one


class KeyPlaced(NamedTuple):
    key: Key
    place: Place | None
    """Of the cabinet where it hangs, or was taken from."""


@dataclass(frozen=True, slots=True)
class VehiclePage:
    vehicle: Vehicle
    keys: tuple[KeyPlaced, ...]
    blocks: tuple[Block, ...]
    """Those that nobody has ended."""
    strips: tuple[Strip, ...]
    calendar: Calendar
    coming: tuple[Booking, ...]
    """Bookings that are not over, the soonest first, at most `COMING_MAX`."""


def vehicle_page(connection: Connection, vehicle_id: str, now_ms: int) -> VehiclePage | None:
    """None: there is none of that name."""
    vehicle = vehicle_by_id(connection, vehicle_id, signals=True)
    if vehicle is None:
        return None
    keys = keys_page(connection, KeyFilter(vehicle_id=vehicle_id), PageRequest(LIMIT_MAX)).items
    places = places_of(connection, {key.cabinet_id for key in keys if key.cabinet_id is not None})
    wanted = BlockFilter(vehicle_id=vehicle_id, going_on=True)
    coming = BookingFilter(vehicle_id=vehicle_id, states=LIVE_BOOKING_STATES)
    return VehiclePage(
        vehicle=vehicle,
        keys=tuple(KeyPlaced(key, places.get(key.cabinet_id or "")) for key in keys),
        blocks=blocks_page(connection, wanted, PageRequest(LIMIT_MAX)).items,
        strips=strips_of(connection, now_ms, vehicle_id=vehicle_id),
        calendar=calendar(connection, [Named(vehicle.id, vehicle.name)], now_ms),
        coming=bookings_page(connection, coming, PageRequest(COMING_MAX)).items,
    )
