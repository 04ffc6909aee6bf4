"""Bookings as they are sent in and answered."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from dispatcher.api.values import Answer, Body, Category, Id, Listing, PageQuery, instant_of
from dispatcher.core.booking_states import BookingState, is_overdue
from dispatcher.core.windows import to_utc
from dispatcher.instants import Instant
from dispatcher.store.bookings import Booking, HistoryEntry
from dispatcher.store.grant_status import GrantStatus

DRIVERS_MAX = 20  # a grant carries at most 200 badges, and a person may have several


class NewBooking(Body):
    """Give `vehicle_id`, or `category` and `station_id`."""

    member_id: Id
    """Who books, and may take the key."""
    start: Instant
    end: Instant
    """The window is half-open: the next booking may start at this very instant."""
    vehicle_id: Id | None = None
    category: Category | None = None
    station_id: Id | None = None
    organisation_id: Id | None = None
    """On whose account; owner and drivers must be of that organisation."""
    driver_ids: Annotated[tuple[Id, ...], Field(max_length=DRIVERS_MAX)] = ()
    """Members who may take the key beside the owner."""
    pool_id: Id | None = None
    """A pool of the organisation, instead of single drivers: any of its members may take the key."""
    cost_centre_id: Id | None = None
    """Of the organisation."""
    accept_unreachable: bool = False
    """True: the member knows that the cabinet is silent, and that the right may not get there in time."""


class BookingChange(Body):
    """What is to be different; absent: as it is."""

    start: Instant | None = None
    end: Instant | None = None
    vehicle_id: Id | None = None
    driver_ids: Annotated[tuple[Id, ...], Field(max_length=DRIVERS_MAX)] | None = None
    """All of them, instead of those that there are, or of the pool; `[]`: the owner alone."""
    pool_id: Id | None = None
    """Instead of the drivers that there are."""
    cost_centre_id: Id | None = None
    accept_unreachable: bool = False
    """As for a new booking, where the vehicle or the start is another one."""


class Extension(Body):
    end: Instant
    """Later than the present one."""


class BookingQuery(PageQuery):
    station: Id | None = None
    vehicle: Id | None = None
    member: Id | None = None
    state: tuple[BookingState, ...] = ()
    """May be given more than once."""
    from_: Annotated[Instant | None, Field(alias="from")] = None
    """Only bookings that end after this instant."""
    until: Instant | None = None
    """Only bookings that start before this instant."""


class BookingOut(Answer):
    id: str
    member_id: str
    driver_ids: list[str]
    pool_id: str | None
    organisation_id: str | None
    cost_centre_id: str | None
    vehicle_id: str
    """The planned vehicle, also where a category was booked."""
    category: str | None
    """The category that was booked; null: the vehicle itself was."""
    station_id: str
    cabinet_id: str
    """Where the key is to be taken."""
    start: datetime
    end: datetime
    original_start: datetime
    """Never changes, whatever was changed since."""
    take_by: datetime
    """After it the key is no longer handed out: a no-show."""
    state: BookingState
    overdue: bool
    """The key is out past the end."""
    grant: GrantStatus | None
    """Whether the cabinet already has this right; null: the booking is over."""
    taken_at: datetime | None
    returned_at: datetime | None
    hold_until: datetime | None
    """Until then the key may be taken again after its return."""
    ended_at: datetime | None
    created_at: datetime
    changed_at: datetime
    version: int
    """Counts the changes."""


class ChangedBookingOut(BookingOut):
    latest_end: datetime
    """The latest end that it can have as things stand: the next booking of the vehicle, or the horizon."""


class BookingList(Listing):
    items: list[BookingOut]


class HistoryEntryOut(Answer):
    at: datetime
    what: str
    author: str
    """The name of a token, or the part of the system that did it."""
    detail: dict[str, Any]


class HistoryList(Listing):
    items: list[HistoryEntryOut]


def booking_out(booking: Booking, grant: GrantStatus | None, now_ms: int) -> BookingOut:
    return BookingOut(
        id=booking.id,
        member_id=booking.member_id,
        driver_ids=list(booking.driver_ids),
        pool_id=booking.pool_id,
        organisation_id=booking.organisation_id,
        cost_centre_id=booking.cost_centre_id,
        vehicle_id=booking.vehicle_id,
        category=booking.category,
        station_id=booking.station_id,
        cabinet_id=booking.cabinet_id,
        start=to_utc(booking.start_ms),
        end=to_utc(booking.end_ms),
        original_start=to_utc(booking.original_start_ms),
        take_by=to_utc(booking.take_by_ms),
        state=booking.state,
        overdue=is_overdue(booking.state, booking.end_ms, now_ms),
        grant=grant,
        taken_at=instant_of(booking.taken_ms),
        returned_at=instant_of(booking.returned_ms),
        hold_until=instant_of(booking.hold_until_ms),
        ended_at=instant_of(booking.ended_ms),
        created_at=to_utc(booking.created_ms),
        changed_at=to_utc(booking.changed_ms),
        version=booking.version,
    )


def changed_out(booking: BookingOut, latest_end_ms: int) -> ChangedBookingOut:
    return ChangedBookingOut(**dict(booking), latest_end=to_utc(latest_end_ms))


def history_out(entry: HistoryEntry) -> HistoryEntryOut:
    return HistoryEntryOut(at=to_utc(entry.at_ms), what=entry.what, author=entry.author, detail=entry.detail)
