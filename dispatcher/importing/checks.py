"""Compares rows with one another and with what is stored: what no row can know of itself. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dispatcher.importing.faults import Fault, Placed, fault_at
from dispatcher.importing.rows import (
    REFERENCES,
    BadgeRow,
    CabinetRow,
    KeyRow,
    MemberRow,
    PoolMemberRow,
    PoolRow,
    TagRow,
    VehicleRow,
)

VEHICLE_FIXED = ("home_station_id", "life_cycle")
CABINET_FIXED = ("life_cycle",)
KEY_FIXED = ("vehicle_id", "home_cabinet_id", "life_cycle")
"""What does not change while bookings hold a vehicle, or a key in a cabinet.
Another slot of the same cabinet may."""

NAMED_BY = {"tags": "key_id", "pool_members": "member_id", "cabinet_stations": "cabinet_id"}
"""The field that a row is known by, where it has no id of its own."""

POOL_MEMBERS_MAX = 1000  # a box takes 2,000 badges of one pool, and a person may have two

TAGS_MAX = 4  # what a box takes for one key (contract.messages.KeyEntry)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in the database already, as far as rows are compared with it."""

    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By kind."""
    cabinet_slots: Mapping[str, int] = field(default_factory=dict)
    slot_uses: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Of slots that are spare or out of use."""
    badge_of_credential: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, KeyRow] = field(default_factory=dict)
    tags: Sequence[TagRow] = ()
    vehicles: Mapping[str, VehicleRow] = field(default_factory=dict)
    cabinets: Mapping[str, CabinetRow] = field(default_factory=dict)
    pool_members: Sequence[tuple[str, str]] = ()
    """Pool and member of those that are active."""
    organisation_of: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    """Of pools and members, by kind and id."""
    live_bookings_of_cabinet: Mapping[str, int] = field(default_factory=dict)
    live_bookings_of_key: Mapping[str, int] = field(default_factory=dict)
    live_bookings_of_vehicle: Mapping[str, int] = field(default_factory=dict)


def check_rows(rows: Sequence[Placed], stored: Stored, now_ms: int) -> list[Fault]:
    """Every fault that the rows have together, in the order of the rows of each check."""
    return [
        *_repeated(rows),
        *_dangling(rows, stored),
        *_badges_that_collide(rows, stored),
        *_keys_without_place(rows, stored),
        *_moved_under_bookings(rows, stored),
        *_tags_that_collide(rows, stored, now_ms),
        *_strangers_in_pools(rows, stored),
    ]


def _of(rows: Iterable[Placed], kind: str) -> Iterator[Placed]:
    return (placed for placed in rows if placed.kind == kind)


def _repeated(rows: Sequence[Placed]) -> Iterator[Fault]:
    first: dict[tuple[str, tuple[str | int, ...]], str] = {}
    for placed in rows:
        place = first.setdefault((placed.kind, placed.row.key), placed.place)
        if place != placed.place:
            name = NAMED_BY.get(placed.kind, "id")
            yield fault_at(placed, name, f"one row for each of the {placed.kind}; {place} has it already")


def _dangling(rows: Sequence[Placed], stored: Stored) -> Iterator[Fault]:
    known: dict[str, set[str]] = defaultdict(set)
    for kind, ids in stored.ids.items():
        known[kind] |= ids
    for placed in rows:
        known[placed.kind].add(str(placed.row.key[0]))
    for placed in rows:
        for (kind, name), target in REFERENCES.items():
            if kind == placed.kind:
                value = getattr(placed.row, name)
                if value is not None and value not in known[target]:
                    yield fault_at(placed, name, f"an id of one of the {target}, imported or stored")


def _badges_that_collide(rows: Sequence[Placed], stored: Stored) -> Iterator[Fault]:
    imported = {placed.row.key[0] for placed in _of(rows, "badges")}
    holder = {
        credential: (badge, "a stored badge")
        for credential, badge in stored.badge_of_credential.items()
        if badge not in imported
    }
    for placed in _of(rows, "badges"):
        badge = placed.row
        assert isinstance(badge, BadgeRow)
        other, place = holder.setdefault(badge.credential, (badge.id, placed.place))
        if other != badge.id:
            yield fault_at(placed, "credential", f"a credential of no other badge; {place}, id {other!r}, has it")


def _keys_without_place(rows: Sequence[Placed], stored: Stored) -> Iterator[Fault]:
    slots = dict(stored.cabinet_slots)
    keys = dict(stored.keys)
    places: dict[str, Placed] = {}
    cabinets: dict[str, Placed] = {}
    for placed in rows:
        if isinstance(placed.row, CabinetRow):
            slots[placed.row.id] = placed.row.slots
            cabinets[placed.row.id] = placed
        elif isinstance(placed.row, KeyRow):
            keys[placed.row.id] = placed.row
            places[placed.row.id] = placed
    at_home: dict[tuple[str, int], str] = {}
    for key in sorted(keys.values(), key=lambda key: (key.id in places, key.id)):
        if key.life_cycle != "in_service":
            continue
        cabinet = slots.get(key.home_cabinet_id)
        if cabinet is not None and key.home_slot > cabinet:
            if key.id in places:
                yield fault_at(
                    places[key.id], "home_slot", f"at most {cabinet}, the slots of {key.home_cabinet_id}"
                )
            elif key.home_cabinet_id in cabinets:
                expected = f"at least {key.home_slot}, the slot where key {key.id} lives"
                yield fault_at(cabinets[key.home_cabinet_id], "slots", expected)
        use = stored.slot_uses.get((key.home_cabinet_id, key.home_slot))
        if use is not None and key.id in places:
            yield fault_at(places[key.id], "home_slot", f"a slot in use; this one is {use.replace('_', ' ')}")
        other = at_home.setdefault((key.home_cabinet_id, key.home_slot), key.id)
        if other != key.id and key.id in places:
            expected = f"a slot of its own; key {other} lives there in {key.home_cabinet_id}"
            yield fault_at(places[key.id], "home_slot", expected)


def _moved_under_bookings(rows: Sequence[Placed], stored: Stored) -> Iterator[Fault]:
    """Members hold bookings that send them to this cabinet for this key of this vehicle."""
    for kind, (before_by_id, bookings_of, names) in {
        "vehicles": (stored.vehicles, stored.live_bookings_of_vehicle, VEHICLE_FIXED),
        "cabinets": (stored.cabinets, stored.live_bookings_of_cabinet, CABINET_FIXED),
        "keys": (stored.keys, stored.live_bookings_of_key, KEY_FIXED),
    }.items():
        for placed in _of(rows, kind):
            before = before_by_id.get(str(placed.row.key[0]))
            count = bookings_of.get(str(placed.row.key[0]), 0)
            for name in names if before is not None and count else ():
                was = getattr(before, name)
                if getattr(placed.row, name) != was:
                    yield fault_at(placed, name, f"{was!r} while it is booked (live bookings: {count})")


def _tags_that_collide(rows: Sequence[Placed], stored: Stored, now_ms: int) -> Iterator[Fault]:
    imported = {placed.row.key for placed in _of(rows, "tags")}
    earlier: dict[str, list[TagRow]] = defaultdict(list)
    count: Counter[str] = Counter()
    for tag in stored.tags:
        if tag.key not in imported:
            earlier[tag.credential].append(tag)
            count[tag.key_id] += _counts(tag, now_ms)
    for placed in _of(rows, "tags"):
        new = placed.row
        assert isinstance(new, TagRow)
        others = [other.key_id for other in earlier[new.credential] if _at_once(new, other)]
        if others:
            yield fault_at(placed, "credential", f"a tag that no other key carries at that time; {others[0]} does")
        earlier[new.credential].append(new)
        count[new.key_id] += _counts(new, now_ms)
        if count[new.key_id] > TAGS_MAX:
            yield fault_at(placed, "key_id", f"at most {TAGS_MAX} tags on one key; end those that are gone")


def _strangers_in_pools(rows: Sequence[Placed], stored: Stored) -> Iterator[Fault]:
    """A pool is one organisation's, whichever of the three rows says otherwise; and no larger than a box takes."""
    organisation = {kind: dict(stored.organisation_of.get(kind, {})) for kind in ("pools", "members")}
    active = dict.fromkeys(stored.pool_members)
    place: dict[tuple[str, ...], tuple[Placed, str]] = {}
    for placed in rows:
        key = tuple(str(part) for part in placed.row.key)
        if isinstance(placed.row, PoolMemberRow):
            place["pool_members", *key] = (placed, "member_id")
            active.pop((placed.row.pool_id, placed.row.member_id), None)
            if placed.row.state == "active":
                active[placed.row.pool_id, placed.row.member_id] = None
        elif isinstance(placed.row, PoolRow | MemberRow):
            place[placed.kind, *key] = (placed, "organisation_id")
            organisation[placed.kind][placed.row.id] = placed.row.organisation_id
    size: Counter[str] = Counter()
    for pool, member in active:
        size[pool] += 1
        wanted = organisation["pools"].get(pool)
        rows_of_it = (("pool_members", pool, member), ("members", member), ("pools", pool))
        named = next((place[key] for key in rows_of_it if key in place), None)
        if named is None or wanted is None or member not in organisation["members"]:
            continue
        if organisation["members"][member] != wanted:
            yield fault_at(*named, f"a driver of organisation {wanted}: member {member} is in its pool {pool}")
        elif size[pool] == POOL_MEMBERS_MAX + 1:
            yield fault_at(*named, f"at most {POOL_MEMBERS_MAX} members in pool {pool}")


def _counts(tag: TagRow, now_ms: int) -> bool:
    return tag.valid_until_ms is None or tag.valid_until_ms > now_ms


def _at_once(tag: TagRow, other: TagRow) -> bool:
    if tag.key_id == other.key_id:
        return False
    starts_before_end = other.valid_until_ms is None or tag.valid_from_ms < other.valid_until_ms
    ends_after_start = tag.valid_until_ms is None or other.valid_from_ms < tag.valid_until_ms
    return starts_before_end and ends_after_start
