"""Who books what, when they come and what goes wrong: every plan of a busy day, drawn from the seed.

Each vehicle has its own stream of randomness and its own pool of members, so nobody is in two places at once
and a vehicle more or less shifts no other's day. Shares are chosen so that five hours of the demo show every
behaviour several times; they are no statistics of a real network.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

from simulator.network.draws import stream
from simulator.network.model import MIFARE_7, Card, Member, Network, Vehicle
from simulator.world.plan import BringBack, Plan

MORNING_MS = 1_772_430_960_000  # Monday 2 March 2026, 06:56 in Lille: four minutes before the first rush
MINUTE_MS = 60_000
GRID_MS = 15 * MINUTE_MS  # bookings start and end on it (domain.md, rule 7)
OPENING_ALLOWANCE_MS = 5 * MINUTE_MS  # the fleet's default (domain.md, rule 7)
LEAD_MIN = (15, 120)  # minutes ahead that people book; the grant needs a second of line time to reach the box
LEAD_MAX_MS = LEAD_MIN[1] * MINUTE_MS

FIRST_WAVE_GRID_STEPS = (0, 0, 0, 1, 1, 2, 3, 4)  # a busy morning: a third of the fleet at the first step
DURATION_MIN = (60, 60, 60, 75, 75, 90, 90, 120, 180)  # at least an hour; most errands are short
GAP_MIN = (0, 0, 15, 15, 30, 30, 45, 60)  # between the end of one booking and the next start
DAY_MS = 1440 * MINUTE_MS
NIGHT_MS = (15 * 60 * MINUTE_MS, 23 * 60 * MINUTE_MS)  # after the first start at seven: from 22 to 6 people sleep
AT_NIGHT = 0.1  # of those who would start then

CANCELS = 0.05
NEVER_COMES = 0.05
COMES_TOO_LATE = 0.04  # after take_by
COMES_TOO_EARLY = 0.08  # before the opening allowance
COMES_LATE = 0.20
RETURNS_SOON = 0.10
RETURNS_EARLY = 0.45
RETURNS_LATE = 0.10  # within the grace
RETURNS_OVERDUE = 0.07  # beyond it
SHORTEST_RENTAL_MIN = 20  # beyond the 10 minutes within which a key counts as handed back

BOOKS_BY_CATEGORY = 0.12
RIVALS = 0.06  # somebody else tries for the same vehicle and time
WRONG_CARD = 0.08
LEAVES_AJAR = 0.05
USES_AJAR = 0.75
TIDIES = 0.35
RETURNS_BY_BADGE = 0.15
FORGETS_BAG = 0.12
BAG_AFTER_MIN = (1, 3)  # the retake hold is 10 minutes; at speed 60 that is 10 s of hands
BAG_NEEDS_MIN = 16  # left of the booking, so that the hold is not cut short by its end
TAPS_AGAIN = 0.15
SLIPS_AT_PIN = 0.1
KM_PER_HOUR = (4, 35)  # of rental, errand included


@dataclass(frozen=True, slots=True)
class _Fate:
    """Whether and when somebody comes, and when the key comes back."""

    cancel_at_ms: int | None
    arrive_at_ms: int | None
    return_at_ms: int


class Demand:
    """All plans of a network's days, by vehicle. `first_ms`: the first booking starts there, on the grid."""

    def __init__(self, network: Network, seed: int, first_ms: int, grid_ms: int = GRID_MS) -> None:
        assert first_ms % grid_ms == 0, "bookings start on the grid"
        self._grid_ms = grid_ms
        self._network = network
        self._seed = seed
        self._first_ms = first_ms
        self._pools = _pools(network, seed)

    def plans(self, vehicle: Vehicle) -> Iterator[Plan]:
        """The vehicle's bookings one after the other, without end; now and then a rival for the same time."""
        rng = stream(self._seed, f"demand/{vehicle.id}")
        pool = _Pool(self._pools[vehicle.id])
        opens_the_day = vehicle is self._network.vehicles[0]
        steps = 0 if opens_the_day else rng.choice(FIRST_WAVE_GRID_STEPS)
        start_ms = self._first_ms + steps * self._grid_ms
        for number in count(1):
            end_ms = start_ms + rng.choice(DURATION_MIN) * MINUTE_MS
            plan = self._draw(rng, vehicle, number, pool.next_member(), (start_ms, end_ms))
            yield _first_of_the_day(plan) if opens_the_day and number == 1 else plan
            if rng.random() < RIVALS:
                yield self._rival(rng, plan, pool.next_member())
            start_ms = self._by_day(rng, end_ms + rng.choice(GAP_MIN) * MINUTE_MS)

    def _by_day(self, rng: random.Random, start_ms: int) -> int:
        """The same start, or one early in the morning after."""
        night_begins_ms, night_ends_ms = NIGHT_MS
        into_day_ms = (start_ms - self._first_ms) % DAY_MS
        if not night_begins_ms <= into_day_ms < night_ends_ms or rng.random() < AT_NIGHT:
            return start_ms
        return start_ms - into_day_ms + night_ends_ms + rng.choice(FIRST_WAVE_GRID_STEPS) * self._grid_ms

    def _draw(
        self, rng: random.Random, vehicle: Vehicle, number: int, member: Member, window: tuple[int, int]
    ) -> Plan:
        start_ms, end_ms = window
        colleagues = self._colleagues(vehicle, member)
        drivers = tuple(rng.sample(colleagues, k=min(len(colleagues), rng.randint(0, 2))))
        comes = rng.choice((member, *drivers))
        fate = _draw_fate(rng, start_ms, end_ms)
        leaves_time_for_bag = fate.return_at_ms <= end_ms - BAG_NEEDS_MIN * MINUTE_MS
        forgets = rng.random() < FORGETS_BAG and leaves_time_for_bag
        by_tag = rng.random() >= RETURNS_BY_BADGE
        name = f"{vehicle.name}/{number}"
        return Plan(
            name=name,
            member=member.id,
            comes=comes.id,
            badge=comes.badges[0],
            organisation=member.organisation,
            drivers=tuple(driver.id for driver in drivers),
            station=vehicle.station,
            vehicle=vehicle.id,
            by_category=vehicle.category if rng.random() < BOOKS_BY_CATEGORY else None,
            book_at_ms=start_ms - rng.randint(*LEAD_MIN) * MINUTE_MS,
            start_ms=start_ms,
            end_ms=end_ms,
            cancel_at_ms=fate.cancel_at_ms,
            arrive_at_ms=fate.arrive_at_ms,
            return_at_ms=fate.return_at_ms,
            wrong_card=self._wrong_card(rng, comes) if rng.random() < WRONG_CARD else None,
            leaves_ajar=rng.random() < LEAVES_AJAR,
            uses_ajar=by_tag and rng.random() < USES_AJAR,
            tidies=rng.random() < TIDIES,
            bring_back=BringBack.TAG if by_tag else BringBack.BADGE,
            taps_again=rng.random() < TAPS_AGAIN and not forgets,
            forgets_bag_ms=rng.randint(*BAG_AFTER_MIN) * MINUTE_MS if forgets else None,
            pin=comes.pin,
            slips_at_pin=comes.badges[0].asks_for_pin and self._slips_at_pin(name),
            pace=rng.uniform(1.0, 1.6),
            distance_m=round((end_ms - start_ms) / 3_600_000 * rng.uniform(*KM_PER_HOUR) * 1000),
        )

    def _slips_at_pin(self, name: str) -> bool:
        return stream(self._seed, f"pin/{name}").random() < SLIPS_AT_PIN

    def _rival(self, rng: random.Random, plan: Plan, member: Member) -> Plan:
        """The same vehicle and time, asked for a little later: refused, unless the first has called off."""
        return replace(
            plan,
            name=f"{plan.name} rival",
            member=member.id,
            comes=member.id,
            badge=member.badges[0],
            organisation=member.organisation,
            drivers=(),
            pin=member.pin,
            slips_at_pin=False,
            by_category=None,
            book_at_ms=plan.book_at_ms + rng.randint(1, 10) * MINUTE_MS,
            wrong_card=None,
        )

    def _colleagues(self, vehicle: Vehicle, member: Member) -> list[Member]:
        if member.organisation is None:
            return []
        return [
            other
            for other in self._pools[vehicle.id]
            if other.organisation == member.organisation and other is not member
        ]

    def _wrong_card(self, rng: random.Random, comes: Member) -> Card:
        """One's own old badge, somebody else's, one that nobody knows, or something that is no badge."""
        stranger = rng.choice(self._network.members)
        choices = [
            Card(MIFARE_7.name, MIFARE_7.bits, rng.randbytes(MIFARE_7.bits // 8)),
            Card("door-fob", 26, rng.randbytes(4)),
        ]
        if stranger.id != comes.id:
            choices.append(stranger.badges[0])
        return comes.old_badge or rng.choice(choices)


class _Pool:
    """A vehicle's members in turns: nobody comes twice within one turn."""

    def __init__(self, members: tuple[Member, ...]) -> None:
        self._members = members
        self._next = 0

    def next_member(self) -> Member:
        member = self._members[self._next % len(self._members)]
        self._next += 1
        return member


def _pools(network: Network, seed: int) -> Mapping[str, tuple[Member, ...]]:
    """Who uses which vehicle: slices of the members in their order, so that colleagues share vehicles."""
    vehicles = list(network.vehicles)
    stream(seed, "pools").shuffle(vehicles)
    bounds = [round(i * len(network.members) / len(vehicles)) for i in range(len(vehicles) + 1)]
    return {vehicle.id: network.members[bounds[i] : bounds[i + 1]] for i, vehicle in enumerate(vehicles)}


def _draw_fate(rng: random.Random, start_ms: int, end_ms: int) -> _Fate:
    drawn = rng.random()
    cancel_at_ms = start_ms - rng.randint(2, 12) * MINUTE_MS if drawn < CANCELS else None
    arrive_at_ms = _draw_arrival(rng, start_ms)
    earliest_ms = (arrive_at_ms or start_ms) + SHORTEST_RENTAL_MIN * MINUTE_MS
    return_at_ms = max(_draw_return(rng, earliest_ms, end_ms), earliest_ms)
    return _Fate(cancel_at_ms, arrive_at_ms, return_at_ms)


def _draw_arrival(rng: random.Random, start_ms: int) -> int | None:
    shares = (NEVER_COMES, COMES_TOO_LATE, COMES_TOO_EARLY, COMES_LATE)
    never, too_late, too_early, late = _bounds(shares)
    drawn = rng.random()
    if drawn < never:
        return None
    if drawn < too_late:
        return start_ms + rng.randint(35, 50) * MINUTE_MS
    if drawn < too_early:
        return start_ms - OPENING_ALLOWANCE_MS - rng.randint(2, 6) * MINUTE_MS
    if drawn < late:
        return start_ms + rng.randint(8, 22) * MINUTE_MS
    return start_ms + round(rng.triangular(-4, 5, -3) * MINUTE_MS)


def _draw_return(rng: random.Random, earliest_ms: int, end_ms: int) -> int:
    soon, early, late, overdue = _bounds((RETURNS_SOON, RETURNS_EARLY, RETURNS_LATE, RETURNS_OVERDUE))
    drawn = rng.random()
    if drawn < soon:
        return earliest_ms + rng.randint(0, 8) * MINUTE_MS
    if drawn < early:
        return end_ms - rng.randint(10, 24) * MINUTE_MS
    if drawn < late:
        return end_ms + rng.randint(1, 6) * MINUTE_MS
    if drawn < overdue:
        return end_ms + rng.randint(20, 40) * MINUTE_MS
    return end_ms - rng.randint(4, 9) * MINUTE_MS


def _bounds(shares: tuple[float, ...]) -> Iterator[float]:
    """Upper bounds of shares laid side by side from 0."""
    total = 0.0
    for share in shares:
        total += share
        yield total


def _first_of_the_day(plan: Plan) -> Plan:
    """Stands at the first station as soon as it opens: whoever watches sees something within a minute."""
    return replace(
        plan,
        by_category=None,
        book_at_ms=plan.start_ms - LEAD_MAX_MS,
        cancel_at_ms=None,
        arrive_at_ms=plan.start_ms - OPENING_ALLOWANCE_MS + MINUTE_MS,
        wrong_card=None,
        leaves_ajar=False,
        return_at_ms=plan.end_ms - BAG_NEEDS_MIN * MINUTE_MS,
    )
