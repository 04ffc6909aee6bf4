"""Reads cabinets as the API tells them: how old what is known of each is, and what it holds of what it was told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, bindparam, case, func, or_, select

from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.reachability import reachable_cabinets
from dispatcher.store.registry import stations_served
from dispatcher.store.schema import cabinet_links, cabinet_stations, cabinets, desired_states, slot_states


@dataclass(frozen=True, slots=True)
class SlotCounts:
    """Slots by what is known of them. Together all that the cabinet has."""

    present: int
    empty: int
    unknown: int


@dataclass(frozen=True, slots=True)
class ToldState:
    """The wanted state that we computed for a cabinet, and the one that it holds."""

    told_version: int
    held_version: int | None
    """By its last report; None: it never reported."""
    computed_ms: int
    grants_left_out: int
    refused: str | None


@dataclass(frozen=True, slots=True)
class CabinetState:
    id: str
    station_id: str
    also_serves: tuple[str, ...]
    """Stations beside its main one."""
    slots: int
    life_cycle: str
    public_key: str | None
    """Of its box; None: it is not registered yet, or not any more."""
    reachable: bool
    heard_ms: int | None
    reported_ms: int | None
    agent_version: str | None
    clock_trusted: bool | None
    journal_depth: int | None
    """Facts that its box still held unacknowledged at its last report."""
    desired: ToldState | None
    """None: nothing was computed for it yet."""
    counts: SlotCounts


@dataclass(frozen=True, slots=True)
class SlotState:
    slot: int
    key_present: bool | None
    key_id: str | None
    identity: str | None
    door_open: bool | None
    changed_ms: int


_CABINETS = (
    select(
        cabinets.c.id,
        cabinets.c.station_id,
        cabinets.c.slots,
        cabinets.c.life_cycle,
        cabinets.c.public_key,
        cabinet_links.c.heard_ms,
        cabinet_links.c.reported_ms,
        cabinet_links.c.agent_version,
        cabinet_links.c.clock_trusted,
        cabinet_links.c.reported,
        cabinet_links.c.desired_version_held,
        desired_states.c.version.label("told_version"),
        desired_states.c.computed_ms,
        desired_states.c.grants_left_out,
        desired_states.c.refused,
    )
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cabinets.c.id)
    .outerjoin(desired_states, desired_states.c.cabinet_id == cabinets.c.id)
)
_COUNTS = (
    select(
        slot_states.c.cabinet_id,
        func.count(case((slot_states.c.key_present.is_(True), 1))).label("present"),
        func.count(case((slot_states.c.key_present.is_(False), 1))).label("empty"),
    )
    .where(slot_states.c.cabinet_id.in_(bindparam("cabinets", expanding=True)))
    .group_by(slot_states.c.cabinet_id)
)
_SLOTS = select(slot_states).where(slot_states.c.cabinet_id == bindparam("cabinet")).order_by(slot_states.c.slot)


def cabinets_page(connection: Connection, station_id: str | None, request: PageRequest) -> Page[CabinetState]:
    """Cabinets in the order of their ids: those that serve one station, or all."""
    statement = _CABINETS
    if station_id is not None:
        serving = select(cabinet_stations.c.cabinet_id).where(
            cabinet_stations.c.station_id == station_id, cabinet_stations.c.serves.is_(True)
        )
        statement = _CABINETS.where(or_(cabinets.c.station_id == station_id, cabinets.c.id.in_(serving)))
    rows = connection.execute(in_order(statement, [cabinets.c.id], request)).mappings().all()
    return cut(_states(connection, rows), request, lambda cabinet: (cabinet.id,))


def cabinet_by_id(connection: Connection, cabinet_id: str) -> CabinetState | None:
    rows = connection.execute(_CABINETS.where(cabinets.c.id == cabinet_id)).mappings().all()
    return _states(connection, rows)[0] if rows else None


def slots_of(connection: Connection, cabinet_id: str) -> tuple[SlotState, ...]:
    """What hangs where: for the cabinet's operators alone (domain.md, P10)."""
    return tuple(
        SlotState(row.slot, row.key_present, row.key_id, row.identity, row.door_open, row.changed_ms)
        for row in connection.execute(_SLOTS, {"cabinet": cabinet_id})
    )


def _states(connection: Connection, rows: Sequence[RowMapping]) -> list[CabinetState]:
    counted = {
        row.cabinet_id: (row.present, row.empty)
        for row in connection.execute(_COUNTS, {"cabinets": [row["id"] for row in rows]})
    }
    reachable = reachable_cabinets(connection)
    also = stations_served(connection, [row["id"] for row in rows])
    return [
        _state(row, counted.get(row["id"], (0, 0)), also.get(row["id"], ()), reachable=row["id"] in reachable)
        for row in rows
    ]


def _state(
    row: RowMapping, counted: tuple[int, int], also_serves: tuple[str, ...], *, reachable: bool
) -> CabinetState:
    present, empty = counted
    return CabinetState(
        id=row["id"],
        station_id=row["station_id"],
        also_serves=also_serves,
        slots=row["slots"],
        life_cycle=row["life_cycle"],
        public_key=row["public_key"],
        reachable=reachable,
        heard_ms=row["heard_ms"],
        reported_ms=row["reported_ms"],
        agent_version=row["agent_version"],
        clock_trusted=row["clock_trusted"],
        journal_depth=None if row["reported"] is None else json.loads(row["reported"])["journal_depth"],
        desired=_told(row),
        counts=SlotCounts(present, empty, max(row["slots"] - present - empty, 0)),
    )


def _told(row: RowMapping) -> ToldState | None:
    if not row["told_version"]:  # no row, or version 0: marked and not computed yet
        return None
    return ToldState(
        told_version=row["told_version"],
        held_version=row["desired_version_held"],
        computed_ms=row["computed_ms"],
        grants_left_out=row["grants_left_out"],
        refused=row["refused"],
    )
