"""Compares a cabinet's report with the projections, once both speak of the same moment.

Facts tell what moved; only the report tells what hangs where since before the first fact, and what is
gone though no fact says so.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select, update

from contract.messages import Reported, SlotState
from dispatcher.core.booking_states import BookingEvent
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.rules import FleetRules
from dispatcher.store.applying import RELEASE_OVER
from dispatcher.store.booking_events import Happening, apply_event, booking_of_grant
from dispatcher.store.devices import close_answering
from dispatcher.store.handovers import RentalEnd, end_rental_of_key
from dispatcher.store.incidents import close_incident, open_subjects, some_are_open
from dispatcher.store.isolation import isolated
from dispatcher.store.keys import set_key, settle_key
from dispatcher.store.positions import keep_positions, without_positions
from dispatcher.store.schema import cabinet_links, cursors, key_states, slot_states
from dispatcher.store.upsert import upsert

_NEW = (  # made once: it is asked with every commit
    select(
        cabinet_links.c.cabinet_id,
        cabinet_links.c.reported,
        cabinet_links.c.reported_ms,
        cabinet_links.c.reported_seq,
        cursors.c.seq,
        some_are_open(IncidentKind.SLOT_OPENED_WITHOUT_DECISION, cabinet_links.c.cabinet_id).label("some_sprang"),
        some_are_open(IncidentKind.DEVICE_LOST, cabinet_links.c.cabinet_id).label("some_are_lost"),
    )
    .join(
        cursors,
        (cursors.c.cabinet_id == cabinet_links.c.cabinet_id) & (cursors.c.epoch == cabinet_links.c.reported_epoch),
    )
    .where(
        cabinet_links.c.reported_applied.is_(False),
        cursors.c.seq >= cabinet_links.c.reported_seq,
    )
)


_DONE = (
    update(cabinet_links).where(cabinet_links.c.cabinet_id == bindparam("cabinet")).values(reported_applied=True)
)
_STRIPPED = (
    update(cabinet_links)
    .where(cabinet_links.c.cabinet_id == bindparam("cabinet"))
    .values(reported=bindparam("text"))
)
_SLOTS = select(slot_states).where(slot_states.c.cabinet_id == bindparam("cabinet"))
_NAMED = key_states.c.key_id.in_(bindparam("keys", expanding=True))
_KEYS = (
    select(key_states)
    .where(or_(key_states.c.cabinet_id == bindparam("cabinet"), _NAMED))
    .order_by(key_states.c.slot, key_states.c.key_id)
)


def apply_reports(connection: Connection, rules: FleetRules, now_ms: int) -> None:
    """Compare each new report with the projections, as soon as the facts that it includes are applied."""
    for row in connection.execute(_NEW).all():
        if row.seq == row.reported_seq:  # facts that came after it know better
            with isolated(connection, "report_not_applied", cabinet=row.cabinet_id):
                reported = Reported.model_validate_json(row.reported)
                applying = _Applying(connection, rules, now_ms, reported.cabinet, row.reported_ms)
                _apply_report(applying, reported, some_sprang=row.some_sprang)
                keep_positions(connection, reported, row.reported_ms)
                if row.some_are_lost:
                    close_answering(connection, reported, now_ms)
        connection.execute(_DONE, {"cabinet": row.cabinet_id})
        stripped = without_positions(row.reported)
        if stripped is not None:  # kept where the next take erases it, or superseded by that take
            connection.execute(_STRIPPED, {"cabinet": row.cabinet_id, "text": stripped})


@dataclass(frozen=True, slots=True)
class _Applying:
    """What a report is applied with."""

    connection: Connection
    rules: FleetRules
    now_ms: int
    cabinet_id: str
    at_ms: int
    """When the report was true, as far as can be said."""


def _apply_report(at: _Applying, reported: Reported, *, some_sprang: bool) -> None:
    seen = [slot for slot in reported.slots if slot.key_present is not None]
    _keep_slots(at, seen)
    if some_sprang:
        _close_shut(at, seen)
    hanging = [(slot, slot.key) for slot in seen if slot.key_present and slot.key is not None]
    known = _known_keys(at, [key for _slot, key in hanging])
    moved = [_key_hangs(at, slot, key, known.get(key)) for slot, key in hanging]
    if any(moved):  # first where keys are: one that hangs elsewhere is not missing
        known = _known_keys(at, ())
    _slots_are_empty(at, {slot.slot for slot in seen if not slot.key_present}, known.values())


def _known_keys(at: _Applying, named: Sequence[str]) -> dict[str, Row[Any]]:
    """Those of a cabinet and those that are named, by key, in the order of their slots."""
    rows = at.connection.execute(_KEYS, {"cabinet": at.cabinet_id, "keys": list(named)})
    return {row.key_id: row for row in rows}


def _keep_slots(at: _Applying, seen: Sequence[SlotState]) -> None:
    """Write the slots that are not as they were known: most reports change one of them."""
    known = {row.slot: row._asdict() for row in at.connection.execute(_SLOTS, {"cabinet": at.cabinet_id})}
    for slot in seen:
        columns: dict[str, Any] = {
            "key_present": slot.key_present,
            "door_open": slot.door_open,
            "key_id": slot.key,
            "identity": slot.identity if slot.key is not None else None,
        }
        if slot.door_open is False:
            columns |= RELEASE_OVER  # whatever it was released for is over
        before = known.get(slot.slot)
        if before is None or any(before[name] != value for name, value in columns.items()):
            row = {"cabinet_id": at.cabinet_id, "slot": slot.slot, "changed_ms": at.at_ms, **columns}
            upsert(at.connection, slot_states, row)


def _close_shut(at: _Applying, seen: list[SlotState]) -> None:
    """A slot that opened without a decision and is shut now: the fact that said so may be lost with its journal."""
    shut = {f"{at.cabinet_id}/{slot.slot}" for slot in seen if slot.door_open is False}
    kind = IncidentKind.SLOT_OPENED_WITHOUT_DECISION
    for subject in sorted(open_subjects(at.connection, kind, at.cabinet_id) & shut):
        close_incident(at.connection, kind, subject, at.now_ms)


def _key_hangs(at: _Applying, slot: SlotState, key_id: str, known: Row[Any] | None) -> bool:
    """Where a key hangs that no fact spoke of; whether it does. Against a fact only a tag that was read counts."""
    if known is not None:
        here = known.state == "in_slot" and known.cabinet_id == at.cabinet_id
        if here and known.slot == slot.slot:
            return False
        if slot.identity != "read" and known.state != "missing" and not here:
            return False
        if known.state == "taken":
            _return_unheard(at, key_id, known.grant_id)
    columns = {"state": "in_slot", "slot": slot.slot, "identity": slot.identity or "unknown"}
    _move_key(at, key_id, **columns)
    return True


def _return_unheard(at: _Applying, key_id: str, grant_id: str | None) -> None:
    """The fact of a return was lost with its journal: that the key hangs here says it too."""
    booking = booking_of_grant(at.connection, grant_id)
    if booking is not None:
        author = f"cabinet {at.cabinet_id}"
        happening = Happening(BookingEvent.KEY_RETURNED, at.at_ms, at.now_ms, author, {"seen": "reported"})
        apply_event(at.connection, booking, happening, at.rules)
    end_rental_of_key(at.connection, key_id, RentalEnd(at.at_ms, None, at.now_ms))


def _slots_are_empty(at: _Applying, empty: Collection[int], known: Iterable[Row[Any]]) -> None:
    """Keys that hung there by our picture are gone, though no fact says so."""
    for row in known:
        if row.state == "in_slot" and row.cabinet_id == at.cabinet_id and row.slot in empty:
            _move_key(at, row.key_id, state="missing", slot=row.slot, identity="unknown")


def _move_key(at: _Applying, key_id: str, **columns: Any) -> None:
    place: dict[str, Any] = {
        "cabinet_id": at.cabinet_id,
        "grant_id": None,
        "command_id": None,
        "badge_ref": None,
        "since_ms": at.at_ms,
    }
    set_key(at.connection, key_id, **place, **columns)
    if columns["state"] == "in_slot":
        close_incident(at.connection, IncidentKind.KEY_PROBABLY_IN_CAR, key_id, at.now_ms)
    settle_key(at.connection, key_id, at.now_ms)
