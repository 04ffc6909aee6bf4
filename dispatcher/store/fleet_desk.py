"""Adds and changes vehicles, keys with their tags, slots, cabinets, stations: rules, origin, history, boxes told.

A move or a new life cycle is written and then looked at; what is in the way of it undoes the transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, or_, select, update

from dispatcher.core.life_cycles import LifeCycle, NetworkReason, NetworkRefused, Thing, hindrance, may_become
from dispatcher.store.blocks import mark_cabinets_of
from dispatcher.store.changes import Author, keep_change
from dispatcher.store.desired import mark_dirty, mark_serving_dirty
from dispatcher.store.hindrances import TABLES, found_hindrances, lives_in
from dispatcher.store.ids import RandomBytes, new_id
from dispatcher.store.network_rows import Row, add_row, change_row, check_ours, row_of
from dispatcher.store.origin import origin_of, with_origin
from dispatcher.store.registry import stations_served
from dispatcher.store.schema import (
    cabinet_stations,
    cabinets,
    key_tags,
    keys,
    municipalities,
    slot_uses,
    stations,
    vehicles,
)

REFERENCES = {
    "municipality_id": (municipalities, NetworkReason.NO_SUCH_MUNICIPALITY, "the id of a municipality"),
    "home_station_id": (stations, NetworkReason.NO_SUCH_STATION, "the id of a station"),
    "station_id": (stations, NetworkReason.NO_SUCH_STATION, "the id of a station"),
    "home_cabinet_id": (cabinets, NetworkReason.NO_SUCH_CABINET, "the id of a cabinet"),
    "vehicle_id": (vehicles, NetworkReason.NO_SUCH_VEHICLE, "the id of a vehicle"),
}
MOVES = {Thing.VEHICLES: ("home_station_id",), Thing.KEYS: ("home_cabinet_id",), Thing.CABINETS: ("station_id",)}
"""Where members are sent: what bookings hold stays where it is."""
PLACES = {Thing.KEYS: ("home_cabinet_id", "home_slot"), Thing.VEHICLES: ("home_station_id",)}
"""What makes the rules of going into service count again for what is in service."""
TOLD_TO_ALL = {Thing.KEYS: ("home_cabinet_id", "home_slot", "life_cycle"), Thing.CABINETS: ("life_cycle",)}
TOLD_AT_HOME = {Thing.VEHICLES: ("category", "home_station_id", "life_cycle")}

_TAGS = select(key_tags).where(
    key_tags.c.key_id == bindparam("key"),
    or_(key_tags.c.valid_until_ms.is_(None), key_tags.c.valid_until_ms > bindparam("now_ms")),
)
_CARRIERS = select(key_tags.c.key_id).where(
    key_tags.c.credential == bindparam("credential"),
    or_(key_tags.c.valid_until_ms.is_(None), key_tags.c.valid_until_ms > bindparam("now_ms")),
)


@dataclass(frozen=True, slots=True)
class FleetDesk:
    """One caller's desk, at one instant, inside one transaction. A refusal has to undo that transaction."""

    connection: Connection
    by: Author
    random_bytes: RandomBytes

    def add(self, thing: Thing, columns: Mapping[str, Any]) -> Row | NetworkRefused:
        """A new thing, ordered or in service; under an id of its own where `columns` name none."""
        row = {"id": new_id(self.random_bytes), **columns}
        refused = self._dangling(columns) or self._id_in_use(TABLES[thing], row["id"])
        if refused is not None:
            return refused
        written = add_row(self.connection, self.by, TABLES[thing], row)
        refused = self._check(thing, row["id"], LifeCycle(columns["life_cycle"]))
        if refused is not None:
            return refused
        self._told(thing, row["id"], written, columns)
        return written

    def change(self, thing: Thing, row_id: str, different: Mapping[str, Any]) -> Row | NetworkRefused | None:
        """None: there is no such thing."""
        table = TABLES[thing]
        before = row_of(self.connection, table, row_id)
        if before is None:
            return None
        refused = check_ours(self.connection, table, before) or self._dangling(different)
        if refused is not None:
            return refused
        now = LifeCycle(before["life_cycle"])
        wanted = LifeCycle(different.get("life_cycle", now))
        if wanted is LifeCycle.RETIRED and different.get("public_key") is not None:
            expected = "no key for a box whose cabinet is retired"
            return NetworkRefused(NetworkReason.CABINET_RETIRED, "public_key", different["public_key"], expected)
        found = found_hindrances(self.connection, thing, row_id)
        moved = [name for name in MOVES.get(thing, ()) if different.get(name, before[name]) != before[name]]
        if moved and NetworkReason.HAS_BOOKINGS in found:
            expected = f"{before[moved[0]]} as long as it is booked"
            return NetworkRefused(NetworkReason.HAS_BOOKINGS, moved[0], str(different[moved[0]]), expected)
        after = change_row(self.connection, self.by, table, before, different)
        refused = may_become(thing, now, wanted, found_hindrances(self.connection, thing, row_id))
        placed = any(after[name] != before[name] for name in PLACES.get(thing, ()))
        if refused is None and placed:
            refused = self._check(thing, row_id, wanted)
        if refused is not None:
            return refused
        changed = {name: value for name, value in different.items() if before[name] != value}
        self._told(thing, row_id, after, changed)
        return after

    def replace_tag(self, key_id: str, credential: str) -> Row | NetworkRefused | None:
        """The key gets another tag: those that it has end now, and nobody reads them as this key any more."""
        key = row_of(self.connection, keys, key_id)
        if key is None:
            return None
        this = {"credential": credential, "now_ms": self.by.at_ms}
        carriers = set(self.connection.execute(_CARRIERS, this).scalars()) - {key_id}
        if carriers:
            expected = "a tag that no other key carries"
            return NetworkRefused(NetworkReason.CREDENTIAL_IN_USE, "credential", "(not shown)", expected)
        origin = origin_of(self.connection)
        present = self.connection.execute(_TAGS, {"key": key_id, "now_ms": self.by.at_ms}).mappings().all()
        for tag in present:
            if origin.holds(key_tags, tag):
                self._end_tag(dict(tag))
        new = {
            "key_id": key_id,
            "credential": credential,
            "valid_from_ms": self.by.at_ms,
            "valid_until_ms": None,
        }
        self.connection.execute(insert(key_tags).values(with_origin(self.connection, key_tags, new)))
        self._keep_tags(key_id, len(present))
        mark_serving_dirty(self.connection)
        return key

    def set_slot_use(self, cabinet_id: str, slot: int, use: str | None) -> Row | NetworkRefused | None:
        """`use`: `spare` or `out_of_use`; None: in use as the others."""
        cabinet = row_of(self.connection, cabinets, cabinet_id)
        if cabinet is None:
            return None
        if not 1 <= slot <= cabinet["slots"]:
            expected = f"from 1 to {cabinet['slots']}"
            return NetworkRefused(NetworkReason.NO_SUCH_SLOT, "slot", str(slot), expected)
        tenant = lives_in(self.connection, cabinet_id, slot)
        if use is not None and tenant is not None:
            return NetworkRefused(NetworkReason.SLOT_TAKEN, "slot", str(slot), "a slot where no key lives")
        here = (slot_uses.c.cabinet_id == cabinet_id, slot_uses.c.slot == slot)
        before = self.connection.execute(select(slot_uses.c.use).where(*here)).scalar_one_or_none()
        self.connection.execute(delete(slot_uses).where(*here))
        if use is not None:
            self.connection.execute(insert(slot_uses).values(cabinet_id=cabinet_id, slot=slot, use=use))
        if use != before:
            keep_change(self.connection, self.by, "slots", f"{cabinet_id}/{slot}", {"use": before}, {"use": use})
        return {"cabinet_id": cabinet_id, "slot": slot, "use": use}

    def set_stations(self, cabinet_id: str, station_ids: Sequence[str]) -> Row | NetworkRefused:
        """The stations that a cabinet serves beside its main one: these, and no others."""
        for station_id in station_ids:
            if row_of(self.connection, stations, station_id) is None:
                reason, expected = NetworkReason.NO_SUCH_STATION, "ids of stations"
                return NetworkRefused(reason, "also_serves", station_id, expected)
        before = stations_served(self.connection, [cabinet_id]).get(cabinet_id, ())
        self.connection.execute(delete(cabinet_stations).where(cabinet_stations.c.cabinet_id == cabinet_id))
        rows = [{"cabinet_id": cabinet_id, "station_id": it, "serves": True} for it in sorted(set(station_ids))]
        if rows:
            self.connection.execute(insert(cabinet_stations), rows)
        after = stations_served(self.connection, [cabinet_id]).get(cabinet_id, ())
        if after != before:
            kept = ({"also_serves": list(before)}, {"also_serves": list(after)})
            keep_change(self.connection, self.by, "cabinets", cabinet_id, *kept)
        return {"id": cabinet_id}

    def add_municipality(self, columns: Mapping[str, Any]) -> Row | NetworkRefused:
        """Under an id of its own where `columns` name none."""
        row = {"id": new_id(self.random_bytes), **columns}
        refused = self._id_in_use(municipalities, row["id"])
        return refused or add_row(self.connection, self.by, municipalities, row)

    def change_municipality(self, municipality_id: str, different: Mapping[str, Any]) -> Row | None:
        """None: there is no such municipality."""
        before = row_of(self.connection, municipalities, municipality_id)
        return before and change_row(self.connection, self.by, municipalities, before, different)

    def _id_in_use(self, table: Table, row_id: str) -> NetworkRefused | None:
        if row_of(self.connection, table, row_id) is None:
            return None
        return NetworkRefused(NetworkReason.ID_IN_USE, "id", row_id, f"an id that none of the {table.name} has")

    def _dangling(self, columns: Mapping[str, Any]) -> NetworkRefused | None:
        for name, (table, reason, expected) in REFERENCES.items():
            if name in columns and row_of(self.connection, table, str(columns[name])) is None:
                return NetworkRefused(reason, name, str(columns[name]), expected)
        return None

    def _check(self, thing: Thing, row_id: str, wanted: LifeCycle) -> NetworkRefused | None:
        return hindrance(thing, wanted, found_hindrances(self.connection, thing, row_id))

    def _told(self, thing: Thing, row_id: str, row: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        """Have the cabinets' rights computed again that see what changed."""
        if any(name in changed for name in TOLD_TO_ALL.get(thing, ())):
            mark_serving_dirty(self.connection)
        if any(name in changed for name in TOLD_AT_HOME.get(thing, ())):
            mark_cabinets_of(self.connection, row_id)
        if thing is Thing.CABINETS and row["life_cycle"] == LifeCycle.IN_SERVICE:
            mark_dirty(self.connection, row_id)

    def _end_tag(self, tag: Row) -> None:
        """A tag that began this very instant never counted: it goes."""
        same = (
            key_tags.c.key_id == tag["key_id"],
            key_tags.c.credential == tag["credential"],
            key_tags.c.valid_from_ms == tag["valid_from_ms"],
        )
        if tag["valid_from_ms"] >= self.by.at_ms:
            self.connection.execute(delete(key_tags).where(*same))
            return
        ended = with_origin(self.connection, key_tags, {**tag, "valid_until_ms": self.by.at_ms})
        self.connection.execute(update(key_tags).where(*same).values(ended))

    def _keep_tags(self, key_id: str, ended: int) -> None:
        keep_change(self.connection, self.by, "key_tags", key_id, {"tags": ended}, {"tags": 1, "replaced": True})
