"""Lays blocks over vehicles, changes and ends them, with who did it and why; cabinets are told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection

from dispatcher.core.blocks import BlockKind
from dispatcher.core.rules import BookingReason, Refused
from dispatcher.core.windows import MINUTE_MS, utc_text
from dispatcher.store.blocks import Block, insert_block, mark_cabinets_of, update_block
from dispatcher.store.booking_requests import unknown_vehicle
from dispatcher.store.changes import Author, keep_change
from dispatcher.store.ids import RandomBytes, new_id
from dispatcher.store.vehicles import vehicle_by_id

STARTED_BEFORE_MS = 5 * MINUTE_MS  # a block for now may name an instant that has just passed


@dataclass(frozen=True, slots=True)
class WantedBlock:
    vehicle_id: str
    kind: BlockKind
    start_ms: int
    expected_end_ms: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class BlockDesk:
    """One caller's desk, at one instant, inside one transaction."""

    connection: Connection
    by: Author
    random_bytes: RandomBytes

    @property
    def now_ms(self) -> int:
        return self.by.at_ms

    def create(self, wanted: WantedBlock) -> Block | Refused:
        """Lay a block, whatever is booked under it."""
        refused = self._check(wanted.start_ms, wanted.expected_end_ms, start_is_new=True)
        if refused is not None:
            return refused
        vehicle = vehicle_by_id(self.connection, wanted.vehicle_id)
        if vehicle is None:
            return unknown_vehicle(wanted.vehicle_id)
        if vehicle.life_cycle == "retired":
            expected = "a vehicle that is not retired"
            return Refused(BookingReason.VEHICLE_NOT_IN_SERVICE, "vehicle_id", vehicle.id, expected)
        block = Block(
            id=new_id(self.random_bytes),
            vehicle_id=vehicle.id,
            kind=wanted.kind,
            note=wanted.note,
            start_ms=wanted.start_ms,
            expected_end_ms=wanted.expected_end_ms,
            ended_ms=None,
            begun=wanted.start_ms <= self.now_ms,
            created_ms=self.now_ms,
            changed_ms=self.now_ms,
            author=self.by.name,
            version=1,
        )
        insert_block(self.connection, block)
        self._written(None, block)
        return block

    def change(self, block: Block, different: Mapping[str, Any]) -> Block | Refused:
        """`block` was read with its lock in this transaction; `different`: columns, as they are to be."""
        if block.ended_ms is not None:
            return _ended(block)
        if block.begun and different.get("start_ms", block.start_ms) != block.start_ms:
            expected = "a change of anything but the start: the block has begun"
            return Refused(BookingReason.BLOCK_BEGUN, "start", utc_text(different["start_ms"]), expected)
        changed = replace(block, **different)
        start_is_new = changed.start_ms != block.start_ms
        if start_is_new or changed.expected_end_ms != block.expected_end_ms:
            refused = self._check(changed.start_ms, changed.expected_end_ms, start_is_new=start_is_new)
            if refused is not None:
                return refused
        begun = changed.start_ms <= self.now_ms
        return self._update(block, replace(changed, begun=begun))

    def end(self, block: Block) -> Block | Refused:
        """The vehicle is fit again. `block` was read with its lock in this transaction."""
        if block.ended_ms is not None:
            return _ended(block)
        return self._update(block, replace(block, ended_ms=self.now_ms))

    def _update(self, block: Block, changed: Block) -> Block:
        if changed == block:
            return block
        written = update_block(self.connection, replace(changed, changed_ms=self.now_ms))
        self._written(block, written)
        return written

    def _check(self, start_ms: int, expected_end_ms: int | None, *, start_is_new: bool) -> Refused | None:
        earliest_ms = self.now_ms - STARTED_BEFORE_MS
        if start_is_new and start_ms < earliest_ms:
            expected = f"{utc_text(earliest_ms)} or later"
            return Refused(BookingReason.IN_THE_PAST, "start", utc_text(start_ms), expected)
        if expected_end_ms is None:
            return None
        if expected_end_ms <= start_ms:
            expected = f"an instant after start, {utc_text(start_ms)}"
            return Refused(BookingReason.END_NOT_AFTER_START, "expected_end", utc_text(expected_end_ms), expected)
        if expected_end_ms <= self.now_ms:
            expected = f"later than now, {utc_text(self.now_ms)}"
            return Refused(BookingReason.IN_THE_PAST, "expected_end", utc_text(expected_end_ms), expected)
        return None

    def _written(self, before: Block | None, after: Block) -> None:
        keep_change(
            self.connection, self.by, "blocks", after.id, None if before is None else asdict(before), asdict(after)
        )
        mark_cabinets_of(self.connection, after.vehicle_id)


def _ended(block: Block) -> Refused:
    assert block.ended_ms is not None, "the caller looked"
    return Refused(BookingReason.BLOCK_ENDED, "ended_at", utc_text(block.ended_ms), "a block that goes on")
