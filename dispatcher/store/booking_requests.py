"""What is asked of the booking desk, and how it says no."""

from dataclasses import dataclass

from dispatcher.core.availability import NotFree
from dispatcher.core.rules import BookingReason, Refused
from dispatcher.core.windows import Window


@dataclass(frozen=True, slots=True)
class WantedBooking:
    """What a member asks for: a vehicle, or a category at a station."""

    member_id: str
    window: Window
    vehicle_id: str | None = None
    category: str | None = None
    station_id: str | None = None
    organisation_id: str | None = None
    driver_ids: tuple[str, ...] = ()
    cost_centre_id: str | None = None
    pool_id: str | None = None
    """Instead of single drivers."""
    accept_unreachable: bool = False
    """The member knows that the cabinet is silent, and wants it all the same."""


@dataclass(frozen=True, slots=True)
class WantedChange:
    """What is to be different; absent: as it was."""

    start_ms: int | None = None
    end_ms: int | None = None
    vehicle_id: str | None = None
    driver_ids: tuple[str, ...] | None = None
    """All of them, instead of those that there are, or of a pool."""
    pool_id: str | None = None
    """Instead of the drivers that there are."""
    cost_centre_id: str | None = None
    accept_unreachable: bool = False
    """As in `WantedBooking`, for another vehicle or start."""


@dataclass(frozen=True, slots=True)
class WantedReplacement:
    """What an operator gives instead: one vehicle, or any of a category at a station."""

    reason: str
    """For the history, where it stays: it names nobody."""
    vehicle_id: str | None = None
    category: str | None = None
    station_id: str | None = None
    """None: the station of the booking."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A vehicle that could be booked instead."""

    vehicle_id: str
    station_id: str
    cabinet_id: str
    category: str
    distance_m: int
    """From the station that was asked for."""


@dataclass(frozen=True, slots=True)
class Declined:
    """Why there is no such booking, and what there could be instead."""

    why: Refused
    not_free: tuple[NotFree, ...] = ()
    latest_end_ms: int | None = None
    """The latest end that this booking can have as things stand."""
    alternatives: tuple[Alternative, ...] = ()


def unknown_vehicle(vehicle_id: str) -> Refused:
    return Refused(BookingReason.UNKNOWN_VEHICLE, "vehicle_id", vehicle_id, "the id of a vehicle")


def refusal(verdict: NotFree, field: str) -> Refused:
    if verdict.reason is BookingReason.CABINET_UNREACHABLE:
        return unreachable(verdict.vehicle_id)
    return Refused(verdict.reason, field, verdict.vehicle_id, "a vehicle that can be booked for this window")


def unreachable(vehicle_id: str) -> Refused:
    expected = f"true, for vehicle {vehicle_id}: its cabinet is silent, nobody knows whether the right gets there"
    return Refused(BookingReason.CABINET_UNREACHABLE, "accept_unreachable", "false", expected)


def none_free(wanted: WantedBooking, not_free: tuple[NotFree, ...]) -> Declined:
    if wanted.vehicle_id is not None:
        return Declined(refusal(not_free[0], "vehicle_id"), not_free)
    for verdict in not_free:
        if verdict.reason is BookingReason.CABINET_UNREACHABLE:  # a yes would help
            return Declined(unreachable(verdict.vehicle_id), not_free)
    reasons = {verdict.reason for verdict in not_free}
    reason = reasons.pop() if len(reasons) == 1 else BookingReason.VEHICLE_NOT_FREE
    expected = f"a window in which one of {len(not_free)} vehicles is free"
    return Declined(Refused(reason, "category", str(wanted.category), expected), not_free)
