"""Blocks: a vehicle that is out of service for a while, whatever is booked on it.

A block refuses new bookings in its window and may be laid over existing ones, which are then to be planned anew.
It goes on until somebody ends it: a repair that was to be over by noon is not over because it is noon.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.windows import Window, utc_text

OPEN_END_MS = 253_370_764_800_000
"""9999-01-01: the end of a block that nobody expects to end, later than any booking."""


class BlockKind(StrEnum):
    DAMAGE = "damage"
    CLEANING = "cleaning"
    MAINTENANCE = "maintenance"
    BATTERY = "battery"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class BlockTimes:
    """A block that nobody has ended."""

    start_ms: int
    expected_end_ms: int | None

    def window(self, now_ms: int) -> Window:
        """What it covers as things stand: past its expected end, the present instant as well."""
        if self.expected_end_ms is None:
            return Window(self.start_ms, OPEN_END_MS)
        return Window(self.start_ms, max(self.expected_end_ms, now_ms + 1))

    def in_force(self, now_ms: int) -> bool:
        return self.start_ms <= now_ms


@dataclass(frozen=True, slots=True)
class BookingHit:
    """A booking whose key has not been taken, under a block."""

    booking_id: str
    cabinet_id: str
    vehicle_id: str
    start_ms: int
    block_kind: str
    block_start_ms: int
    expected_end_ms: int | None


def of_hit(hit: BookingHit) -> Discrepancy:
    """The incident of a booking that a block holds up: it is to be given another vehicle, or called off."""
    until = "without an expected end" if hit.expected_end_ms is None else f"until {utc_text(hit.expected_end_ms)}"
    return Discrepancy(
        IncidentKind.BOOKING_BLOCKED,
        hit.booking_id,
        expected=f"a vehicle in service at {utc_text(hit.start_ms)}",
        seen=f"blocked for {hit.block_kind} from {utc_text(hit.block_start_ms)}, {until}",
        cabinet_id=hit.cabinet_id,
        vehicle_id=hit.vehicle_id,
        booking_id=hit.booking_id,
    )
