"""What became of a booking, for whoever bills it: facts, and never a price."""

from datetime import datetime

from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Id, instant_of
from dispatcher.core.booking_states import BookingState
from dispatcher.core.windows import to_utc
from dispatcher.store.bookings import Booking, booking_by_id
from dispatcher.store.usage import Drive, Usage, usage_of

router = resource("bookings", read=Scope.BOOKINGS_READ, write=Scope.BOOKINGS_WRITE)


class DriveOut(Answer):
    """From a key's take to its return. null: nobody can tell."""

    taken_at: datetime
    returned_at: datetime | None
    vehicle_id: str | None
    badge_ref: str | None
    """The badge that took the key: the person of record."""
    member_id: str | None
    distance_m: int | None
    energy_used_percent: int | None
    """Less than 0 where it was charged or filled."""


class UsageOut(Answer):
    booking_id: str
    state: BookingState
    closed: bool
    """Nothing of it changes any more."""
    organisation_id: str | None
    cost_centre_id: str | None
    original_start: datetime
    start: datetime
    end: datetime
    minutes_late: int
    """Whole minutes after the end at which the key came back, or an operator ended the booking."""
    bookings_hit: list[str]
    """Bookings that followed and whose start was missed."""
    notice_s: int | None
    """Of a cancellation, in seconds before the original start; less than 0: after it; null: nobody cancelled."""
    distance_m: int | None
    """Of all drives; null: of one it is not known, or there was none."""
    energy_used_percent: int | None
    drives: list[DriveOut]


@router.get("/{booking_id}/usage", responses=answers(404, 422))
async def read_booking_usage(context: Context, booking_id: Id) -> UsageOut:
    """Facts for whoever bills: late, hit, cancelled, driven, and by whose badge. Never a price."""

    def read(connection: Connection) -> UsageOut | None:
        booking = booking_by_id(connection, booking_id)
        if booking is None or booking.purpose is not None:
            return None
        return _out(booking, usage_of(connection, booking))

    found = await context.database.read(read)
    if found is None:
        raise not_found("booking", booking_id)
    return found


def _out(booking: Booking, usage: Usage) -> UsageOut:
    return UsageOut(
        booking_id=booking.id,
        state=booking.state,
        closed=usage.closed,
        organisation_id=booking.organisation_id,
        cost_centre_id=booking.cost_centre_id,
        original_start=to_utc(booking.original_start_ms),
        start=to_utc(booking.start_ms),
        end=to_utc(booking.end_ms),
        minutes_late=usage.late_s // 60,
        bookings_hit=list(usage.bookings_hit),
        notice_s=usage.notice_s,
        distance_m=usage.distance_m,
        energy_used_percent=usage.energy_used_percent,
        drives=[_drive(drive) for drive in usage.drives],
    )


def _drive(drive: Drive) -> DriveOut:
    return DriveOut(
        taken_at=to_utc(drive.taken_ms),
        returned_at=instant_of(drive.returned_ms),
        vehicle_id=drive.vehicle_id,
        badge_ref=drive.badge_ref,
        member_id=drive.member_id,
        distance_m=drive.distance_m,
        energy_used_percent=drive.energy_used_percent,
    )
