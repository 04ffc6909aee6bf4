"""What a handler of facts is given beside the fact, and the slots that most of them touch."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, update

from dispatcher.core.booking_states import BookingEvent
from dispatcher.core.rules import FleetRules
from dispatcher.store.booking_events import Happening, apply_event
from dispatcher.store.bookings import Booking
from dispatcher.store.kept import Correction, change_row, correct_rows, kept_row
from dispatcher.store.schema import key_states, slot_states

_ELSEWHERE = (
    update(slot_states)
    .where(
        slot_states.c.key_id == bindparam("key"),
        (slot_states.c.cabinet_id != bindparam("cabinet")) | (slot_states.c.slot != bindparam("this")),
    )
    .values(key_id=None, identity=None)
)


_DOUBTED_SLOTS, _DOUBTED_KEYS = (
    update(table)
    .where(table.c.cabinet_id == bindparam("cabinet"), table.c.identity == "read", *still_there)
    .values(identity="presumed")
    for table, still_there in ((slot_states, ()), (key_states, (key_states.c.state == "in_slot",)))
)


class SlotRow(NamedTuple):
    """A row of `slot_states`."""

    cabinet_id: str
    slot: int
    key_present: bool | None
    door_open: bool | None
    key_id: str | None
    identity: str | None
    opened_for: str | None
    changed_ms: int
    opened_purpose: str | None
    opened_key: str | None


RELEASE_OVER: Mapping[str, None] = MappingProxyType(
    {"opened_for": None, "opened_purpose": None, "opened_key": None}
)
"""Columns of a slot whose release is done with."""


@dataclass(frozen=True, slots=True)
class Applying:
    """One fact's place in the ledger, and the transaction that applies it."""

    connection: Connection
    position: int
    cabinet_id: str
    received_ms: int
    rules: FleetRules

    def subject(self, part: "int | str") -> str:
        """A slot or a device of this cabinet as the subject of an incident."""
        return f"{self.cabinet_id}/{part}"

    def set_slot(self, slot: int, at_ms: int, **columns: Any) -> None:
        """Change what is known of a slot; columns not named stay as they are."""
        row = {"cabinet_id": self.cabinet_id, "slot": slot, "changed_ms": at_ms, **columns}
        change_row(self.connection, slot_states, row)

    def slot_state(self, slot: int) -> SlotRow | None:
        """What is known of a slot so far; None: nothing."""
        row = kept_row(self.connection, slot_states, self.cabinet_id, slot)
        return None if row is None else SlotRow(**row)

    def forget_key_elsewhere(self, key_id: str, slot: int) -> None:
        """A key is in one place: another slot that was said to hold it holds something unknown."""

        def is_elsewhere(row: Mapping[str, Any]) -> bool:
            return row.get("key_id") == key_id and (row["cabinet_id"], row["slot"]) != (self.cabinet_id, slot)

        here = {"key": key_id, "cabinet": self.cabinet_id, "this": slot}
        correction = Correction(_ELSEWHERE, here, is_elsewhere, {"key_id": None, "identity": None})
        correct_rows(self.connection, slot_states, correction)

    def doubt_identities(self) -> None:
        """Other keys may hang where tags had been read: here as on the box."""
        here = {"cabinet": self.cabinet_id}
        self.connection.execute(_DOUBTED_SLOTS, here)
        self.connection.execute(_DOUBTED_KEYS, here)

    def forget_releases(self) -> None:
        """Nobody can say any more what came of them: the journal that would is lost."""
        statement = update(slot_states).where(slot_states.c.cabinet_id == self.cabinet_id)
        self.connection.execute(statement.values(RELEASE_OVER))

    def tell_booking(self, booking: Booking, event: BookingEvent, at_ms: int) -> bool:
        """Move a booking for this fact; False where its state does not allow it."""
        happening = Happening(
            event=event,
            at_ms=at_ms,
            now_ms=self.received_ms,
            author=f"cabinet {self.cabinet_id}",
            detail={"position": self.position},
        )
        return apply_event(self.connection, booking, happening, self.rules)
