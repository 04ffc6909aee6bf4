"""Reads which slots are spare or out of use."""

from sqlalchemy import Connection, bindparam, select

from dispatcher.store.schema import slot_uses

_OF_CABINET = (
    select(slot_uses.c.slot, slot_uses.c.use)
    .where(slot_uses.c.cabinet_id == bindparam("cabinet"))
    .order_by(slot_uses.c.slot)
)


def slot_uses_of(connection: Connection, cabinet_id: str) -> dict[int, str]:
    """By slot, in their order; slots in normal use are absent."""
    return {row.slot: row.use for row in connection.execute(_OF_CABINET, {"cabinet": cabinet_id})}
