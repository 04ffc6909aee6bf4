"""What members' phones ask of the dispatcher's REST API, as far as members care. The demo passes a real client in.

A refusal is a value; `ApiUnreachableError` means that nobody answered, and a member tries again.
"""

from dataclasses import dataclass
from typing import Protocol

ON_BOX = "on_box"  # the dispatcher's word for a right that has reached its box


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """Either a vehicle, or a category at a station."""

    member: str
    start_ms: int
    end_ms: int
    vehicle: str | None = None
    category: str | None = None
    station: str | None = None
    organisation: str | None = None
    drivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BookingView:
    """What the phone shows of a booking."""

    id: str
    vehicle: str
    cabinet: str
    state: str
    grant: str | None
    """`on_box`, `pending`, `cabinet_unreachable`; None once it is over."""


@dataclass(frozen=True, slots=True)
class ApiRefusal:
    """The API said no, and why."""

    reason: str


ApiAnswer = BookingView | ApiRefusal


class ApiUnreachableError(Exception):
    """No answer: the dispatcher is down, or the phone has no network."""


class BookingApi(Protocol):
    """Each call answers or raises `ApiUnreachableError`."""

    async def book(self, request: BookingRequest) -> ApiAnswer: ...

    async def booking(self, booking: str) -> ApiAnswer: ...

    async def cancel(self, booking: str) -> ApiAnswer: ...
