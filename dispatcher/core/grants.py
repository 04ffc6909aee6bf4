"""What a cabinet is to want: bookings as grants, badges as digests under its key, the fleet's keys."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from contract.credentials import credential_digest, pin_digest
from contract.limits import fit_desired
from contract.messages import BadgeEntry, Desired, Grant, KeyEntry, Pool, StationSettings
from contract.places import Bay, Place
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import Discrepancy
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import DAY_MS, round_down

KEPT_PAST_END_MS = 6 * 3_600_000  # a box tells "too late" from "no booking"; nobody comes later than this
TAGS_MAX = 4  # contract.messages.KeyEntry
BADGES_MAX = 200  # contract.messages.Grant
POOL_BADGES_MAX = 2000  # contract.messages.Pool
KEY_ENTRIES_KEPT = 16_384  # 30 cabinets x 75 keys are 2,250; each is about 500 bytes
UNNUMBERED = 1  # contents are compared under one version: only a difference makes a new one


@dataclass(frozen=True, slots=True)
class Right:
    """A booking that holds, as far as its grant asks."""

    grant_id: str
    key_id: str
    state: BookingState
    start_ms: int
    end_ms: int
    take_by_ms: int
    member_ids: tuple[str, ...]
    """Owner and drivers."""
    booking_version: int
    """Of the row that this was read from: whether the box holds the right in its present form is told by it."""
    is_order: bool = False
    """A service order: no block holds it up, and it opens until its end."""
    pool_id: str | None = None
    stand_in: bool = False
    """Another key of the vehicle's category will do: that was booked, or this one was brought back unused."""


@dataclass(frozen=True, slots=True)
class Badge:
    ref: str
    member_id: str
    credential: str
    revoked: bool
    pin: str | None = None


@dataclass(frozen=True, slots=True)
class FleetKey:
    """A key in service, whichever cabinet it lives in."""

    key_id: str
    vehicle_id: str
    home_cabinet_id: str | None
    """None: the row that says where it lives has no origin, and no box presumes anything by it."""
    home_slot: int
    credentials: tuple[str, ...]
    """Of the tags that are on it now."""
    blocked: bool
    category: str | None = None
    """Of its vehicle."""
    home: Place | None = None
    """Of its vehicle's station."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What rows say of all keys, whichever cabinet asks."""

    keys: tuple[FleetKey, ...]
    without_origin: tuple[Discrepancy, ...] = ()
    """As in `Material`: homes and tags that no box is told."""


@dataclass(frozen=True, slots=True)
class Box:
    """Whose desired state it is."""

    cabinet_id: str
    digest_key: bytes
    boot_nonce: str | None


@dataclass(frozen=True, slots=True)
class Material:
    """What rows say, for one cabinet."""

    rights: tuple[Right, ...]
    in_standing: frozenset[str]
    """Members who may take a key."""
    badges: tuple[Badge, ...]
    """Of the members named in `rights`."""
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Members of the pools named in `rights`, by pool."""
    without_origin: tuple[Discrepancy, ...] = ()
    """Rows that are none of the above, and would be had this program written them."""


def horizon_ms(rules: FleetRules, now_ms: int) -> int:
    """Grants that start later than this are not sent yet."""
    return now_ms + rules.grant_horizon_days * DAY_MS


def is_wanted(right: Right, rules: FleetRules, now_ms: int) -> bool:
    """Whether the box should hold this right now. A key that is out keeps its grant, however late."""
    if right.start_ms > horizon_ms(rules, now_ms):
        return False
    return right.state is not BookingState.BOOKED or now_ms < right.end_ms + KEPT_PAST_END_MS


def desired_content(
    box: Box, material: Material, fleet: Sequence[FleetKey], rules: FleetRules, now_ms: int
) -> Desired:
    """The wanted state, fitted to the size limit and not yet numbered.

    Raises:
        contract.limits.TooLarge: it does not fit even without any grant.
    """
    by_member: dict[str, list[Badge]] = defaultdict(list)
    for badge in material.badges:
        by_member[badge.member_id].append(badge)
    wanted = [right for right in material.rights if is_wanted(right, rules, now_ms)]
    category_of = {key.key_id: key.category for key in fleet}
    pools = _pools(wanted, material.pools, by_member)
    grants = _grants(wanted, by_member, material.in_standing, category_of, {pool.pool for pool in pools})
    people = {member for right in wanted for member in right.member_ids}
    people.update(member for right in wanted for member in material.pools.get(right.pool_id or "", ()))
    named = {ref for grant in grants for ref in grant.badges} | {ref for pool in pools for ref in pool.badges}
    known = [
        badge
        for member in sorted(people)
        for badge in by_member[member]
        if badge.revoked or badge.ref in named or member not in material.in_standing
    ]
    return fit_desired(
        Desired(
            cabinet=box.cabinet_id,
            version=UNNUMBERED,
            boot_nonce=box.boot_nonce,
            badges=tuple(_badge_entries(box, known)),
            keys=tuple(
                _key_entry(box.cabinet_id, box.digest_key, rules.bay_radius_m, key)
                for key in sorted(fleet, key=lambda key: key.key_id)
            ),
            grants=grants,
            pools=pools,
            complete_until_ms=_complete_until_ms(wanted, grants, rules, now_ms),
            revoked=tuple(sorted(badge.ref for badge in known if badge.revoked)),
            suspended=tuple(sorted(badge.ref for badge in known if badge.member_id not in material.in_standing)),
            blocked=tuple(
                sorted(key.key_id for key in fleet if key.blocked and key.home_cabinet_id in {box.cabinet_id, None})
            ),
            settings=station_settings(rules),
        )
    )


def station_settings(rules: FleetRules) -> StationSettings:
    """The rules that boxes apply; they have the same names on both sides."""
    return StationSettings(**{name: getattr(rules, name) for name in StationSettings.model_fields})


def _complete_until_ms(
    wanted: Iterable[Right], grants: Iterable[Grant], rules: FleetRules, now_ms: int
) -> int | None:
    """Up to where the box knows who holds which key: to the day, so that time alone makes one version a day.

    A booking for which nobody has a badge holds its vehicle too, and no grant says so.
    """
    told = {grant.grant for grant in grants}
    untold = [right.start_ms for right in wanted if right.grant_id not in told]
    until_ms = min([round_down(horizon_ms(rules, now_ms), DAY_MS), *untold])
    return until_ms if until_ms > 0 else None


def _grants(
    wanted: Iterable[Right],
    by_member: Mapping[str, list[Badge]],
    in_standing: frozenset[str],
    category_of: Mapping[str, str | None],
    pools: Collection[str],
) -> tuple[Grant, ...]:
    grants = []
    for right in sorted(wanted, key=lambda right: (right.start_ms, right.grant_id)):
        refs = _refs(right, by_member, in_standing)
        category = category_of.get(right.key_id) if right.stand_in else None
        pool_ids = (right.pool_id,) if right.pool_id in pools else ()
        if refs or pool_ids:  # nobody can show anything: nothing to open for
            grants.append(
                Grant(
                    grant=right.grant_id,
                    order="service_order" if right.is_order else "booking",
                    badges=refs,
                    pools=tuple(pool_id for pool_id in pool_ids if pool_id is not None),
                    key=right.key_id,
                    category=category,
                    stand_in=category is not None,
                    start_ms=right.start_ms,
                    end_ms=right.end_ms,
                    take_by_ms=right.take_by_ms,
                )
            )
    return tuple(grants)


def _pools(
    wanted: Iterable[Right], members_of: Mapping[str, tuple[str, ...]], by_member: Mapping[str, list[Badge]]
) -> tuple[Pool, ...]:
    """Those that a right names, each once; a pool without a badge is none. Standing is told in `suspended`."""
    pools = []
    for pool_id in sorted({right.pool_id for right in wanted if right.pool_id is not None}):
        members = members_of.get(pool_id, ())
        refs = {badge.ref for member in members for badge in by_member.get(member, ()) if not badge.revoked}
        if refs:
            pools.append(Pool(pool=pool_id, badges=tuple(sorted(refs)[:POOL_BADGES_MAX])))
    return tuple(pools)


def _refs(right: Right, by_member: Mapping[str, list[Badge]], in_standing: frozenset[str]) -> tuple[str, ...]:
    """Badges that open. Standing is asked at the first take: a key that is out is never cut off."""
    first_take = right.state is BookingState.BOOKED
    members = [member for member in right.member_ids if member in in_standing or not first_take]
    refs = [badge.ref for member in members for badge in by_member.get(member, ()) if not badge.revoked]
    return tuple(sorted(set(refs)))[:BADGES_MAX]


def _badge_entries(box: Box, badges: Iterable[Badge]) -> Iterable[BadgeEntry]:
    for badge in sorted(badges, key=lambda badge: badge.ref):
        digest = credential_digest(box.digest_key, badge.credential)
        pin = pin_digest(box.digest_key, digest, badge.pin) if badge.pin is not None else None
        yield BadgeEntry(ref=badge.ref, digest=digest, pin_digest=pin)


@lru_cache(KEY_ENTRIES_KEPT)
def _key_entry(cabinet_id: str, digest_key: bytes, bay_radius_m: int, key: FleetKey) -> KeyEntry:
    """Each box is told of every key again and again, and hardly one of them changes."""
    digests = [credential_digest(digest_key, text) for text in sorted(key.credentials)[:TAGS_MAX]]
    at_home = key.home_cabinet_id == cabinet_id
    bay = None
    if at_home and key.home is not None:
        bay = Bay(latitude=key.home.latitude, longitude=key.home.longitude, radius_m=bay_radius_m)
    return KeyEntry(
        key=key.key_id,
        vehicle=key.vehicle_id,
        tag_digests=tuple(digests),
        home_slot=key.home_slot if at_home else None,
        category=key.category if at_home else None,
        bay=bay,
    )


def content_digest(desired: Desired) -> str:
    """What two contents are compared by, whatever their versions."""
    return hashlib.sha256(desired.model_copy(update={"version": UNNUMBERED}).to_json().encode()).hexdigest()


def grant_digest(grant: Grant) -> str:
    """What two forms of one grant are compared by."""
    return hashlib.sha256(grant.to_json().encode()).hexdigest()


def next_version(stored: int, held: int, now_ms: int) -> int:
    """Never goes back, not after a restore either: a box may hold more than our database remembers."""
    return max(stored + 1, held + 1, now_ms)
