"""Compares a cabinet's report with the projections, once both speak of the same moment.

Facts tell what moved; only the report tells what hangs where since before the first fact, and what is
gone though no fact says so.
"""

from typing import Any

from sqlalchemy import Connection, select, update

from contract.messages import Reported, SlotState
from dispatcher.store.keys import key_state, set_key, settle_key
from dispatcher.store.schema import cabinet_links, cursors, key_states, slot_states
from dispatcher.store.upsert import upsert


def apply_reports(connection: Connection, now_ms: int) -> None:
    """Compare each new report with the projections, as soon as the facts that it includes are applied."""
    statement = (
        select(cabinet_links.c.cabinet_id, cabinet_links.c.reported, cabinet_links.c.reported_seq, cursors.c.seq)
        .join(
            cursors,
            (cursors.c.cabinet_id == cabinet_links.c.cabinet_id)
            & (cursors.c.epoch == cabinet_links.c.reported_epoch),
        )
        .where(
            cabinet_links.c.reported_applied.is_(False),
            cursors.c.seq >= cabinet_links.c.reported_seq,
        )
    )
    for row in connection.execute(statement).all():
        if row.seq == row.reported_seq:  # facts that came after it know better
            _apply_report(connection, Reported.model_validate_json(row.reported), now_ms)
        done = update(cabinet_links).where(cabinet_links.c.cabinet_id == row.cabinet_id)
        connection.execute(done.values(reported_applied=True))


def _apply_report(connection: Connection, reported: Reported, now_ms: int) -> None:
    seen = [slot for slot in reported.slots if slot.key_present is not None]
    for slot in seen:
        _keep_slot(connection, reported, slot)
    for slot in seen:  # first where keys are: one that hangs elsewhere is not missing
        if slot.key_present and slot.key is not None:
            _key_hangs(connection, reported, slot, slot.key, now_ms)
    for slot in seen:
        if not slot.key_present:
            _slot_is_empty(connection, reported, slot.slot, now_ms)


def _keep_slot(connection: Connection, reported: Reported, slot: SlotState) -> None:
    row = {
        "cabinet_id": reported.cabinet,
        "slot": slot.slot,
        "key_present": slot.key_present,
        "door_open": slot.door_open,
        "key_id": slot.key,
        "identity": slot.identity if slot.key is not None else None,
        "changed_ms": reported.at_ms,
    }
    upsert(connection, slot_states, row)


def _key_hangs(connection: Connection, reported: Reported, slot: SlotState, key_id: str, now_ms: int) -> None:
    """Where a key hangs that no fact spoke of. Against a fact only a tag that was read counts."""
    known = key_state(connection, key_id)
    if known is not None:
        here = known.state == "in_slot" and known.cabinet_id == reported.cabinet
        if here and known.slot == slot.slot:
            return
        if slot.identity != "read" and known.state != "missing" and not here:
            return
    columns = {"state": "in_slot", "slot": slot.slot, "identity": slot.identity or "unknown"}
    _move_key(connection, key_id, reported, now_ms, **columns)


def _slot_is_empty(connection: Connection, reported: Reported, slot: int, now_ms: int) -> None:
    """A key that hung here by our picture is gone, though no fact says so."""
    hanging = select(key_states.c.key_id).where(
        key_states.c.state == "in_slot",
        key_states.c.cabinet_id == reported.cabinet,
        key_states.c.slot == slot,
    )
    for key_id in connection.execute(hanging).scalars().all():
        _move_key(connection, key_id, reported, now_ms, state="missing", slot=slot, identity="unknown")


def _move_key(connection: Connection, key_id: str, reported: Reported, now_ms: int, **columns: Any) -> None:
    place = {"cabinet_id": reported.cabinet, "grant_id": None, "badge_ref": None, "since_ms": reported.at_ms}
    set_key(connection, key_id, **place, **columns)
    settle_key(connection, key_id, now_ms)
