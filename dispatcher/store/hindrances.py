"""What is in the way of a thing's next life cycle, as the database has it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, exists, or_, select

from dispatcher.core.life_cycles import NetworkReason, Thing
from dispatcher.store.columns import literally_in
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    bookings,
    cabinets,
    key_states,
    keys,
    slot_uses,
    stations,
    vehicles,
)

TABLES: Mapping[Thing, Table] = MappingProxyType(
    {Thing.STATIONS: stations, Thing.CABINETS: cabinets, Thing.VEHICLES: vehicles, Thing.KEYS: keys}
)
_OTHER = keys.alias("other")
_LIVE = literally_in(bookings.c.state, LIVE_BOOKING_STATES)


def _held_by(column: ColumnElement[str], of: ColumnElement[str]) -> ColumnElement[bool]:
    return exists(select(bookings.c.id).where(column == of, _LIVE))


def _is_out(of: ColumnElement[str]) -> ColumnElement[bool]:
    return exists(select(key_states.c.key_id).where(key_states.c.key_id == of, key_states.c.state == "taken"))


def _retired(table: Table, of: ColumnElement[str]) -> ColumnElement[bool]:
    return exists(select(table.c.id).where(table.c.id == of, table.c.life_cycle == "retired"))


def _in_use(table: Table, column: ColumnElement[str], of: ColumnElement[str]) -> ColumnElement[bool]:
    return exists(select(table.c.id).where(column == of, table.c.life_cycle != "retired"))


_ASKED: Mapping[Thing, Mapping[NetworkReason, ColumnElement[bool]]] = MappingProxyType(
    {
        Thing.STATIONS: {
            NetworkReason.HAS_VEHICLES: _in_use(vehicles, vehicles.c.home_station_id, stations.c.id),
            NetworkReason.HAS_CABINETS: _in_use(cabinets, cabinets.c.station_id, stations.c.id),
        },
        Thing.CABINETS: {
            NetworkReason.STATION_RETIRED: _retired(stations, cabinets.c.station_id),
            NetworkReason.HAS_BOOKINGS: _held_by(bookings.c.cabinet_id, cabinets.c.id),
            NetworkReason.HAS_KEYS: _in_use(keys, keys.c.home_cabinet_id, cabinets.c.id),
        },
        Thing.VEHICLES: {
            NetworkReason.STATION_RETIRED: _retired(stations, vehicles.c.home_station_id),
            NetworkReason.HAS_BOOKINGS: _held_by(bookings.c.vehicle_id, vehicles.c.id),
            NetworkReason.KEY_IS_OUT: exists(
                select(keys.c.id).where(keys.c.vehicle_id == vehicles.c.id, _is_out(keys.c.id))
            ),
        },
        Thing.KEYS: {
            NetworkReason.VEHICLE_RETIRED: _retired(vehicles, keys.c.vehicle_id),
            NetworkReason.CABINET_RETIRED: _retired(cabinets, keys.c.home_cabinet_id),
            NetworkReason.HAS_BOOKINGS: _held_by(bookings.c.key_id, keys.c.id),
            NetworkReason.KEY_IS_OUT: _is_out(keys.c.id),
            NetworkReason.NO_SUCH_SLOT: ~exists(
                select(cabinets.c.id).where(
                    cabinets.c.id == keys.c.home_cabinet_id, cabinets.c.slots >= keys.c.home_slot
                )
            ),
            NetworkReason.SLOT_TAKEN: exists(
                select(_OTHER.c.id).where(
                    _OTHER.c.home_cabinet_id == keys.c.home_cabinet_id,
                    _OTHER.c.home_slot == keys.c.home_slot,
                    _OTHER.c.life_cycle == "in_service",
                    _OTHER.c.id != keys.c.id,
                )
            ),
            NetworkReason.SLOT_NOT_IN_USE: exists(
                select(slot_uses.c.slot).where(
                    slot_uses.c.cabinet_id == keys.c.home_cabinet_id, slot_uses.c.slot == keys.c.home_slot
                )
            ),
        },
    }
)
_STATEMENTS = {
    thing: select(*(condition.label(reason) for reason, condition in asked.items())).where(
        TABLES[thing].c.id == bindparam("this")
    )
    for thing, asked in _ASKED.items()
}


def found_hindrances(connection: Connection, thing: Thing, row_id: str) -> frozenset[NetworkReason]:
    """All that is so of a row that is written already: after it was moved, of the place that it has now."""
    row: Mapping[Any, Any] = connection.execute(_STATEMENTS[thing], {"this": row_id}).mappings().one()
    return frozenset(reason for reason in _ASKED[thing] if row[reason])


def lives_in(connection: Connection, cabinet_id: str, slot: int) -> str | None:
    """The key in use whose home a slot is."""
    home = select(keys.c.id).where(
        keys.c.home_cabinet_id == cabinet_id,
        keys.c.home_slot == slot,
        or_(keys.c.life_cycle == "in_service", keys.c.life_cycle == "ordered"),
    )
    return connection.execute(home.order_by(keys.c.id).limit(1)).scalar_one_or_none()
