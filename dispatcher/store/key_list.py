"""Reads keys as the API tells them: whose they are and where, never what is written on their tags."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import key_states, key_tags, keys


@dataclass(frozen=True, slots=True)
class Key:
    id: str
    vehicle_id: str
    life_cycle: str
    home_cabinet_id: str
    home_slot: int
    state: str | None
    """None: nothing was heard of it yet."""
    cabinet_id: str | None
    """Where it hangs, or was taken from."""
    slot: int | None
    identity: str | None
    since_ms: int | None
    tags: int
    """How many tags it has had, the present one among them."""


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """What keys are listed by; absent: not asked."""

    vehicle_id: str | None = None
    cabinet_id: str | None = None
    """Those that hang there, or were taken from there last."""
    state: str | None = None


_TAGS = select(func.count()).where(key_tags.c.key_id == keys.c.id).correlate(keys).scalar_subquery()
_KEYS = select(
    keys.c.id,
    keys.c.vehicle_id,
    keys.c.life_cycle,
    keys.c.home_cabinet_id,
    keys.c.home_slot,
    key_states.c.state,
    key_states.c.cabinet_id,
    key_states.c.slot,
    key_states.c.identity,
    key_states.c.since_ms,
    _TAGS.label("tags"),
).outerjoin(key_states, key_states.c.key_id == keys.c.id)


def keys_page(connection: Connection, wanted: KeyFilter, request: PageRequest) -> Page[Key]:
    """Keys in the order of their ids."""
    rows = connection.execute(in_order(_filtered(wanted), [keys.c.id], request)).all()
    return cut([Key(**row._asdict()) for row in rows], request, lambda key: (key.id,))


def key_by_id(connection: Connection, key_id: str) -> Key | None:
    row = connection.execute(_KEYS.where(keys.c.id == key_id)).one_or_none()
    return None if row is None else Key(**row._asdict())


def _filtered(wanted: KeyFilter) -> Select[Any]:
    statement: Select[Any] = _KEYS
    for column, value in (
        (keys.c.vehicle_id, wanted.vehicle_id),
        (key_states.c.cabinet_id, wanted.cabinet_id),
        (key_states.c.state, wanted.state),
    ):
        if value is not None:
            statement = statement.where(column == value)
    return statement
