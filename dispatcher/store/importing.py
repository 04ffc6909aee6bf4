"""Writes imported rows, all or nothing. What is not in the files stays: nothing with history is deleted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, func, insert, select, update

from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import DAY_MS, to_utc
from dispatcher.importing.checks import Stored, check_rows
from dispatcher.importing.faults import Fault, ImportRefused, Placed, fault_at
from dispatcher.importing.rows import KINDS, BadgeRow, CabinetRow, KeyRow, MemberRow, TagRow, VehicleRow
from dispatcher.store.desired import mark_serving_dirty
from dispatcher.store.forgetting import FORGOTTEN
from dispatcher.store.ids import RandomBytes, new_id
from dispatcher.store.origin import SIGNED, origin_of, with_origin
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    badge_pins,
    badges,
    bookings,
    cabinet_stations,
    cabinets,
    cost_centres,
    held_badges,
    key_tags,
    keys,
    members,
    municipalities,
    organisations,
    pool_members,
    pools,
    slot_uses,
    stations,
    vehicles,
)
from dispatcher.store.standing import tell_standing

TABLES: Mapping[str, Table] = {
    "municipalities": municipalities,
    "stations": stations,
    "cabinets": cabinets,
    "cabinet_stations": cabinet_stations,
    "organisations": organisations,
    "cost_centres": cost_centres,
    "pools": pools,
    "members": members,
    "pool_members": pool_members,
    "badges": badges,
    "vehicles": vehicles,
    "keys": keys,
    "tags": key_tags,
}

PIN_DIGITS_DEFAULT = FleetRules().pin_digits
GIVEN_ON_DAYS = 1830
"""Longer than any `who_held_days`: rentals lose the reference before."""
AUTHOR = "import"  # in the history of what an import changes
WITHOUT_ID = frozenset({"tags", "pool_members", "cabinet_stations"})
LEFT_TO_STORED = {
    "pool_members": "state",
    "members": "standing",
    "badges": "state",
    "keys": "life_cycle",
    "tags": "valid_until",
}
"""What a row may leave to what is stored, and a right depends on. From a row without origin it is not taken."""

ByKey = Mapping[tuple[Any, ...], Mapping[str, Any]]
"""Rows of one kind, by primary key."""
Stock = Mapping[str, ByKey]
"""What is stored, by kind."""


@dataclass(frozen=True, slots=True)
class Counts:
    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    by_kind: dict[str, Counts] = field(default_factory=dict)

    @property
    def wrote(self) -> bool:
        return any(counts.added or counts.changed for counts in self.by_kind.values())


def import_rows(
    connection: Connection,
    rows: Sequence[Placed],
    now_ms: int,
    random_bytes: RandomBytes,
    pin_digits: int = PIN_DIGITS_DEFAULT,
) -> ImportReport:
    """Insert what is new, update what differs, and have every cabinet's rights computed again.

    A field that a row leaves out stays as it is stored: a list of names revokes nothing and pardons nobody.

    Raises:
        ImportRefused: rows contradict one another or what is stored; nothing was written.
    """
    stock = {kind: _rows_by_key(connection, TABLES[kind]) for kind in {placed.kind for placed in rows}}
    faults = list(_leaving_to_nobodys_word(connection, rows, stock))
    faults += _in_place_of_the_erased(rows, stock)
    rows = _completed(rows, stock)
    faults += check_rows(rows, _stored(connection), now_ms)
    faults += _pins_of_another_length(rows, pin_digits)
    if faults:
        raise ImportRefused(faults)
    report = ImportReport()
    for kind in KINDS:
        found = [placed for placed in rows if placed.kind == kind]
        if found:
            report.by_kind[kind] = _write(connection, kind, found, stock[kind], now_ms, random_bytes)
    counts = report.by_kind.get("badges")
    if counts is not None:
        told = [placed.row for placed in rows if isinstance(placed.row, BadgeRow)]
        report.by_kind["badges"] = _with_pins(counts, write_pins(connection, told))
    if report.wrote:
        mark_serving_dirty(connection)
        tell_standing(connection, _of_other_standing(rows, stock), now_ms, AUTHOR)
    return report


def _in_place_of_the_erased(rows: Sequence[Placed], stock: Stock) -> Iterator[Fault]:
    """What stands for somebody who is not known any more stays nobody."""
    for placed in rows:
        if placed.kind != "members":
            continue
        stored = stock["members"].get(placed.row.key)
        if placed.row.key == (FORGOTTEN,) or (stored is not None and stored["erased_ms"] is not None):
            yield fault_at(placed, "id", "an id of a member: this one stands in the place of somebody erased")


def _of_other_standing(rows: Sequence[Placed], stock: Stock) -> set[str]:
    before = {str(key[0]): row["standing"] for key, row in stock.get("members", {}).items()}
    told = [placed.row for placed in rows if isinstance(placed.row, MemberRow)]
    return {row.id for row in told if before.get(row.id, row.standing) != row.standing}


def _pins_of_another_length(rows: Sequence[Placed], digits: int) -> Iterator[Fault]:
    """A reader takes a PIN as complete with so many digits: a longer one would never be right."""
    for placed in rows:
        if isinstance(placed.row, BadgeRow) and placed.row.pin is not None and len(placed.row.pin) != digits:
            yield fault_at(placed, "pin", f"{digits} digits, as the fleet's rule pin_digits says")


def _completed(rows: Sequence[Placed], stock: Stock) -> list[Placed]:
    """The rows, with what they leave out as it is stored."""
    return [
        replace(placed, row=placed.row.completed(stock[placed.kind].get(placed.row.key, {}))) for placed in rows
    ]


def _leaving_to_nobodys_word(connection: Connection, rows: Sequence[Placed], stock: Stock) -> Iterator[Fault]:
    """An import signs what it writes, and this program's signature is not for what somebody else wrote."""
    origin = origin_of(connection)
    for placed in rows:
        name = LEFT_TO_STORED.get(placed.kind)
        before = stock[placed.kind].get(placed.row.key)
        if name is None or before is None or name in placed.row.model_fields_set:
            continue
        if not origin.holds(TABLES[placed.kind], before):
            yield fault_at(placed, name, "a value: what is stored was not written by this program")


def _rows_by_key(connection: Connection, table: Table) -> ByKey:
    names = [column.name for column in table.columns]
    at = [names.index(column.name) for column in table.primary_key]
    return {
        tuple(row[i] for i in at): dict(zip(names, row, strict=True)) for row in connection.execute(select(table))
    }


def _write(
    connection: Connection,
    kind: str,
    found: Sequence[Placed],
    stored: ByKey,
    now_ms: int,
    random_bytes: RandomBytes,
) -> Counts:
    table = TABLES[kind]
    key_columns = list(table.primary_key)
    new, changed, gone_on = [], [], []
    for placed in found:
        columns = placed.row.columns()
        before = stored.get(placed.row.key)
        if kind == "badges":
            columns |= _badge_columns(columns, before, now_ms, random_bytes)
            if before is not None and before["ref"] != columns["ref"]:
                gone_on.append(before)
        if table in SIGNED:
            columns = with_origin(connection, table, columns)
        if before is None:
            new.append(columns)
        elif any(before[name] != value for name, value in columns.items()):
            changed.append(columns)
    if kind == "badges":
        _free_credentials(connection, changed)
    for columns in changed:
        same = [column == columns[column.name] for column in key_columns]
        connection.execute(update(table).where(*same).values(columns))
    if new:
        connection.execute(insert(table), new)
    _keep_whose_they_were(connection, gone_on, now_ms)
    return Counts(len(new), len(changed), len(found) - len(new) - len(changed))


def write_pins(connection: Connection, rows: Sequence[BadgeRow]) -> int:
    """Keep the PINs that rows name, drop those that they say are none; how many badges that changed."""
    seal = origin_of(connection).pins
    stored = {row.badge_id: row.sealed for row in connection.execute(select(badge_pins))}
    changed = 0
    for row in rows:
        sealed = seal.seal(row.id, row.pin) if row.pin is not None else None
        if "pin" not in row.model_fields_set or sealed == stored.get(row.id):
            continue
        changed += 1
        connection.execute(delete(badge_pins).where(badge_pins.c.badge_id == row.id))
        if sealed is not None:
            kept = with_origin(connection, badge_pins, {"badge_id": row.id, "sealed": sealed})
            connection.execute(insert(badge_pins).values(kept))
    return changed


def _with_pins(counts: Counts, changed: int) -> Counts:
    """A badge whose PIN alone is another one has changed."""
    more = min(changed, counts.unchanged)
    return Counts(counts.added, counts.changed + more, counts.unchanged - more)


def _free_credentials(connection: Connection, changed: Sequence[Mapping[str, Any]]) -> None:
    """Two badges may swap their credentials: neither may stand in the other's way while rows are written."""
    for columns in changed:
        moving = {"credential": f"moving:{columns['id']}"}
        connection.execute(update(badges).where(badges.c.id == columns["id"]).values(moving))


def _badge_columns(
    columns: Mapping[str, Any], old: Mapping[str, Any] | None, now_ms: int, random_bytes: RandomBytes
) -> dict[str, Any]:
    """What an import does not say of a badge: when it was revoked, and its reference, its own for each member."""
    stays = old is not None and old["member_id"] == columns["member_id"]
    ref = old["ref"] if old is not None and stays else new_id(random_bytes)
    if columns["state"] != "revoked":
        return {"ref": ref, "revoked_ms": None}
    was = old["revoked_ms"] if old is not None else None
    return {"ref": ref, "revoked_ms": now_ms if was is None else was}


def _keep_whose_they_were(connection: Connection, gone_on: Sequence[Mapping[str, Any]], now_ms: int) -> None:
    """Who had a badge before it was given to another: what they did with it is not the other's."""
    until_ms = now_ms + GIVEN_ON_DAYS * DAY_MS
    rows = [{"ref": old["ref"], "member_id": old["member_id"], "until_ms": until_ms} for old in gone_on]
    if rows:
        connection.execute(insert(held_badges), rows)


def _stored(connection: Connection) -> Stored:
    return Stored(
        ids={
            kind: frozenset(connection.execute(select(table.c.id)).scalars())
            for kind, table in TABLES.items()
            if kind not in WITHOUT_ID
        },
        cabinet_slots=_pairs(connection, select(cabinets.c.id, cabinets.c.slots)),
        slot_uses={(row.cabinet_id, row.slot): row.use for row in connection.execute(select(slot_uses))},
        badge_of_credential=_pairs(connection, select(badges.c.credential, badges.c.id)),
        keys={row["id"]: KeyRow.model_construct(**row) for row in connection.execute(select(keys)).mappings()},
        tags=[_tag(row) for row in connection.execute(select(key_tags)).mappings()],
        vehicles={
            row["id"]: VehicleRow.model_construct(**row) for row in connection.execute(select(vehicles)).mappings()
        },
        cabinets={
            row["id"]: CabinetRow.model_construct(**row) for row in connection.execute(select(cabinets)).mappings()
        },
        pool_members=[
            (row.pool_id, row.member_id)
            for row in connection.execute(select(pool_members).where(pool_members.c.state == "active"))
        ],
        organisation_of={
            "pools": _pairs(connection, select(pools.c.id, pools.c.organisation_id)),
            "members": _pairs(connection, select(members.c.id, members.c.organisation_id)),
        },
        live_bookings_of_cabinet=_live(connection, bookings.c.cabinet_id),
        live_bookings_of_key=_live(connection, bookings.c.key_id),
        live_bookings_of_vehicle=_live(connection, bookings.c.vehicle_id),
    )


def _live(connection: Connection, column: Column[str]) -> dict[str, int]:
    """How many bookings hold each."""
    holding = select(column, func.count()).where(bookings.c.state.in_(LIVE_BOOKING_STATES)).group_by(column)
    return _pairs(connection, holding)


def _pairs(connection: Connection, statement: Any) -> dict[str, Any]:
    return {row[0]: row[1] for row in connection.execute(statement)}


def _tag(row: Mapping[Any, Any]) -> TagRow:
    until_ms = row["valid_until_ms"]
    return TagRow.model_construct(
        key_id=row["key_id"],
        credential=row["credential"],
        valid_from=to_utc(row["valid_from_ms"]),
        valid_until=None if until_ms is None else to_utc(until_ms),
    )
