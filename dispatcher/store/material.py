"""Reads what a cabinet's desired state is made of. A row without an origin is named, and is no material."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, RowMapping, bindparam, literal_column, or_, select

from contract.places import Place
from dispatcher.core.booking_states import BookingState
from dispatcher.core.grants import Badge, Fleet, FleetKey, Material, Right
from dispatcher.core.orders import SWAP_HOLD
from dispatcher.store.blocked import blocked_later, in_force
from dispatcher.store.columns import literally_in
from dispatcher.store.origin import Origin, origin_of
from dispatcher.store.pools import members_of_pools
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    badge_pins,
    badges,
    booking_drivers,
    bookings,
    key_tags,
    keys,
    members,
    stations,
    vehicles,
)
from dispatcher.store.unfounded import Sieve

FLEETS_KEPT = 4
_VALID_TAGS = select(key_tags).where(  # made once, all of these: they run after every change of a right
    key_tags.c.valid_from_ms <= bindparam("now_ms"),
    or_(key_tags.c.valid_until_ms.is_(None), key_tags.c.valid_until_ms > bindparam("now_ms")),
)
_FLEET = (
    select(
        keys,
        vehicles.c.life_cycle.label("vehicle_life_cycle"),
        vehicles.c.category.label("category"),
        stations.c.latitude,
        stations.c.longitude,
        in_force().label("is_blocked"),
    )
    .join(vehicles, vehicles.c.id == keys.c.vehicle_id)
    .join(stations, stations.c.id == vehicles.c.home_station_id)
    .where(keys.c.life_cycle == "in_service")
    .order_by(keys.c.id)
)
_HOLDING = (
    select(bookings)
    .where(
        bookings.c.cabinet_id == bindparam("cabinet"),
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),
        bookings.c.start_ms <= bindparam("until_ms"),
        bookings.c.purpose.is_distinct_from(literal_column(f"'{SWAP_HOLD}'")),
        ~blocked_later(),
    )
    .order_by(bookings.c.start_ms, bookings.c.grant_id)
)
_DRIVERS = select(booking_drivers).where(booking_drivers.c.booking_id.in_(bindparam("bookings", expanding=True)))
_PEOPLE: BindParameter[Any] = bindparam("people", expanding=True)
_ACTIVE = select(members).where(members.c.id.in_(_PEOPLE), members.c.standing == "active")
_OF_PEOPLE = select(badges).where(badges.c.member_id.in_(_PEOPLE)).order_by(badges.c.ref)
_PINS = select(badge_pins).join(badges, badges.c.id == badge_pins.c.badge_id).where(badges.c.member_id.in_(_PEOPLE))


def material_of(connection: Connection, cabinet_id: str, until_ms: int) -> Material:
    """The bookings of a cabinet that hold and start by `until_ms`, with the people and badges they name."""
    sieve = Sieve(origin_of(connection))
    rights = _rights(connection, sieve, cabinet_id, until_ms)
    if not rights:
        return Material(rights, frozenset(), (), {}, sieve.kept)
    pools = members_of_pools(connection, sieve, {right.pool_id for right in rights if right.pool_id is not None})
    named = {member for right in rights for member in right.member_ids}
    people = sorted(named.union(*pools.values()))
    in_standing, badges_of_people = _in_standing(connection, sieve, people), _badges(connection, sieve, people)
    return Material(rights, in_standing, badges_of_people, pools, sieve.kept)


def fleet_keys(connection: Connection, now_ms: int) -> Fleet:
    """Every key in service, with the tags that are on it now.

    One whose row has no origin has no home: it can be brought back, and a box presumes it nowhere.
    """
    tags = _Rows.of(connection.execute(_VALID_TAGS, {"now_ms": now_ms}).all())
    return _fleet(origin_of(connection), tags, _Rows.of(connection.execute(_FLEET, {"now_ms": now_ms}).all()))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows, known by their values: two of SQLAlchemy's own are compared column by column in Python."""

    values: tuple[tuple[Any, ...], ...]
    rows: Sequence[Row[Any]] = field(compare=False)

    @classmethod
    def of(cls, rows: Sequence[Row[Any]]) -> "_Rows":
        return cls(tuple(map(tuple, rows)), rows)


@lru_cache(FLEETS_KEPT)
def _fleet(origin: Origin, valid_tags: _Rows, fleet: _Rows) -> Fleet:
    """Rows that are what they were make the fleet that they made."""
    sieve = Sieve(origin)
    tags: dict[str, list[str]] = defaultdict(list)
    for tag in valid_tags.rows:
        if sieve.passes(key_tags, tag._mapping):  # noqa: SLF001  # public: so named to hide no column
            tags[tag.key_id].append(tag.credential)
    found = tuple(
        FleetKey(
            key_id=row.id,
            vehicle_id=row.vehicle_id,
            home_cabinet_id=row.home_cabinet_id if sieve.passes(keys, row._mapping) else None,  # noqa: SLF001
            home_slot=row.home_slot,
            credentials=tuple(tags[row.id]),
            blocked=row.vehicle_life_cycle != "in_service" or row.is_blocked,
            category=row.category,
            home=Place(row.latitude, row.longitude),
        )
        for row in fleet.rows
    )
    return Fleet(found, sieve.kept)


def _rights(connection: Connection, sieve: Sieve, cabinet_id: str, until_ms: int) -> tuple[Right, ...]:
    rows = connection.execute(_HOLDING, {"cabinet": cabinet_id, "until_ms": until_ms}).mappings().all()
    if not rows:
        return ()
    drivers: dict[str, list[str]] = defaultdict(list)
    for driver in connection.execute(_DRIVERS, {"bookings": [row["id"] for row in rows]}):
        drivers[driver.booking_id].append(driver.member_id)
    return tuple(
        Right(
            grant_id=row["grant_id"],
            key_id=row["key_id"],
            state=BookingState(row["state"]),
            start_ms=row["start_ms"],
            end_ms=row["end_ms"],
            take_by_ms=row["take_by_ms"],
            member_ids=(row["member_id"], *sorted(drivers[row["id"]])),
            booking_version=row["version"],
            is_order=row["purpose"] is not None,
            pool_id=row["pool_id"],
            stand_in=_any_of_its_category(row),
        )
        for row in rows
        if sieve.passes(bookings, row, drivers[row["id"]])
    )


def _any_of_its_category(row: RowMapping) -> bool:
    """Whether another key of the vehicle's category will do.

    A right that is held until the booking's end was handed back; after a return shortly before the end it may look
    the same, and a box asks for another key at a first take only.
    """
    if row["purpose"] is not None:
        return False
    handed_back = row["state"] == BookingState.RETURNED and row["hold_until_ms"] == row["end_ms"]
    return row["category"] is not None or handed_back


def _in_standing(connection: Connection, sieve: Sieve, people: list[str]) -> frozenset[str]:
    rows = connection.execute(_ACTIVE, {"people": people}).mappings()
    return frozenset(row["id"] for row in rows if sieve.passes(members, row))


def _badges(connection: Connection, sieve: Sieve, people: list[str]) -> tuple[Badge, ...]:
    pins = _pins(connection, sieve, people)
    return tuple(
        Badge(
            row["ref"],
            row["member_id"],
            row["credential"],
            revoked=row["state"] == "revoked",
            pin=pins.get(row["id"]),
        )
        for row in connection.execute(_OF_PEOPLE, {"people": people}).mappings()
        if sieve.passes(badges, row)
    )


def _pins(connection: Connection, sieve: Sieve, people: list[str]) -> dict[str, str]:
    """By badge id."""
    seal = origin_of(connection).pins
    opened = {
        row["badge_id"]: seal.open(row["badge_id"], row["sealed"])
        for row in connection.execute(_PINS, {"people": people}).mappings()
        if sieve.passes(badge_pins, row)
    }
    return {badge_id: pin for badge_id, pin in opened.items() if pin is not None}
