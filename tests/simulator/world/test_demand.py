from collections import Counter
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.rules import FleetRules, check_window
from dispatcher.core.windows import Window, to_utc
from simulator.network.lilas import lilas_network
from simulator.world.demand import GRID_MS, MINUTE_MS, MORNING_MS, Demand
from simulator.world.plan import BringBack, Plan

NETWORK = lilas_network(seed=1)
LILLE = ZoneInfo("Europe/Paris")
FIRST_MS = MORNING_MS + 4 * MINUTE_MS
HOUR_MS = 3_600_000
RULES = FleetRules()


def plans_of_a_morning(seed: int, hours: int = 5) -> list[Plan]:
    demand = Demand(NETWORK, seed, FIRST_MS)
    until_ms = FIRST_MS + hours * HOUR_MS
    return [
        plan
        for vehicle in NETWORK.vehicles
        for plan in takewhile(lambda plan: plan.start_ms < until_ms, demand.plans(vehicle))
    ]


MORNING = plans_of_a_morning(seed=1)
NO_RIVALS = [plan for plan in MORNING if not plan.name.endswith("rival")]


def test_the_morning_is_a_monday_shortly_before_the_first_grid_step() -> None:
    morning = to_utc(MORNING_MS).astimezone(LILLE)
    assert f"{morning:%A %H:%M}" == "Monday 06:56"


def test_the_same_seed_draws_the_same_plans_and_another_seed_others() -> None:
    assert plans_of_a_morning(seed=1) == MORNING
    assert plans_of_a_morning(seed=2) != MORNING


def test_fewer_vehicles_do_not_shift_what_a_vehicle_draws() -> None:
    vehicle = NETWORK.vehicles[5]
    demand = Demand(NETWORK, 1, FIRST_MS)
    list(islice(demand.plans(NETWORK.vehicles[0]), 10))
    alone = list(islice(Demand(NETWORK, 1, FIRST_MS).plans(vehicle), 5))
    assert list(islice(demand.plans(vehicle), 5)) == alone


def test_five_hours_are_a_hundred_rentals_and_more() -> None:
    come = [plan for plan in NO_RIVALS if plan.arrive_at_ms is not None and plan.cancel_at_ms is None]
    assert len(come) >= 130
    first_hour_and_a_half = [
        plan for plan in come if plan.arrive_at_ms and plan.arrive_at_ms < FIRST_MS + 75 * MINUTE_MS
    ]
    assert len(first_hour_and_a_half) >= 40


@pytest.mark.parametrize("seed", range(5))
def test_somebody_stands_at_the_first_station_as_soon_as_it_opens(seed: int) -> None:
    first = next(Demand(NETWORK, seed, FIRST_MS).plans(NETWORK.vehicles[0]))
    assert first.station == NETWORK.stations[0].id
    assert first.arrive_at_ms == FIRST_MS - 4 * MINUTE_MS
    assert first.wrong_card is None
    assert first.cancel_at_ms is None


def test_five_stations_alone_see_fifteen_handovers() -> None:
    small = lilas_network(seed=1, stations=5)
    demand = Demand(small, 1, FIRST_MS)
    until_ms = FIRST_MS + 5 * HOUR_MS
    plans = [
        plan
        for vehicle in small.vehicles
        for plan in takewhile(lambda plan: plan.start_ms < until_ms, demand.plans(vehicle))
    ]
    assert sum(plan.arrive_at_ms is not None for plan in plans) >= 20


@settings(max_examples=25, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_every_plan_can_be_booked_under_the_fleets_rules(seed: int) -> None:
    vehicle = NETWORK.vehicles[seed % len(NETWORK.vehicles)]
    for plan in islice(Demand(NETWORK, seed, FIRST_MS).plans(vehicle), 20):
        window = Window(plan.start_ms, plan.end_ms)
        assert check_window(RULES, window, plan.book_at_ms) is None
        assert plan.book_at_ms <= plan.start_ms - 5 * MINUTE_MS, "the grant reaches the box before the start"
        assert plan.return_at_ms > (plan.arrive_at_ms or plan.start_ms)


@settings(max_examples=25, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_vehicles_own_plans_never_overlap_and_only_rivals_do(seed: int) -> None:
    vehicle = NETWORK.vehicles[seed % len(NETWORK.vehicles)]
    plans = list(islice(Demand(NETWORK, seed, FIRST_MS).plans(vehicle), 20))
    own = [plan for plan in plans if not plan.name.endswith("rival")]
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(own))
    for plan in plans:
        if plan.name.endswith("rival"):
            beaten = next(other for other in own if f"{other.name} rival" == plan.name)
            assert (plan.start_ms, plan.end_ms) == (beaten.start_ms, beaten.end_ms)
            assert plan.book_at_ms > beaten.book_at_ms
            assert plan.member != beaten.member


def test_nobody_uses_two_vehicles_in_a_morning() -> None:
    vehicles = Counter((plan.comes, plan.vehicle) for plan in MORNING)
    assert len({person for person, _ in vehicles}) == len(vehicles)


def test_badges_belong_to_who_comes_and_colleagues_drive_on_one_account() -> None:
    for plan in MORNING:
        comes, member = NETWORK.member_by_id[plan.comes], NETWORK.member_by_id[plan.member]
        assert plan.badge in comes.badges
        assert comes.id in {member.id, *plan.drivers}
        for driver in plan.drivers:
            assert NETWORK.member_by_id[driver].organisation == member.organisation is not None


def test_a_morning_shows_every_behaviour() -> None:
    come = [plan for plan in NO_RIVALS if plan.arrive_at_ms is not None]
    assert len(MORNING) > len(NO_RIVALS), "somebody tries for a vehicle that is taken"
    assert len(NO_RIVALS) > len(come), "somebody never comes"
    arrivals_min = [(plan.arrive_at_ms or 0) - plan.start_ms for plan in come]
    assert min(arrivals_min) < -5 * MINUTE_MS, "somebody comes too early"
    assert any(8 * MINUTE_MS <= late <= 22 * MINUTE_MS for late in arrivals_min), "somebody comes late"
    assert max(arrivals_min) > 30 * MINUTE_MS, "somebody comes after take_by"
    returns_min = [plan.return_at_ms - plan.end_ms for plan in come]
    assert min(returns_min) < -GRID_MS, "somebody returns early"
    assert any(0 < late <= 10 * MINUTE_MS for late in returns_min), "somebody returns late"
    assert max(returns_min) > 10 * MINUTE_MS, "somebody returns after the grace"
    assert any(plan.cancel_at_ms is not None for plan in come)
    assert any(plan.leaves_ajar for plan in come)
    assert any(plan.uses_ajar for plan in come)
    assert any(plan.taps_again for plan in come)
    assert any(plan.forgets_bag_ms for plan in come)
    assert any(plan.by_category for plan in come)
    assert any(plan.drivers for plan in come)
    assert {plan.bring_back for plan in come} == set(BringBack)


def test_wrong_cards_are_old_ones_foreign_ones_and_no_badges_at_all() -> None:
    known = {card.credential for member in NETWORK.members for card in member.badges}
    old = {member.old_badge.credential for member in NETWORK.members if member.old_badge}
    cards = [
        plan.wrong_card.credential
        for seed in range(4)
        for plan in plans_of_a_morning(seed)
        if plan.wrong_card is not None
    ]
    assert any(card in old for card in cards)
    assert any(card in known for card in cards)
    assert any(card not in known | old and not card.startswith("door-fob") for card in cards)
    assert any(card.startswith("door-fob") for card in cards)


def test_a_bag_is_forgotten_only_where_the_hold_leaves_time_for_it() -> None:
    for plan in MORNING:
        if plan.forgets_bag_ms is not None:
            hold_ms = min(plan.return_at_ms + RULES.retake_hold_s * 1000, plan.end_ms) - plan.return_at_ms
            assert plan.forgets_bag_ms < hold_ms


def test_few_start_at_night_and_the_next_morning_is_a_rush_again() -> None:
    days = [plan for plan in plans_of_a_morning(seed=1, hours=48) if not plan.name.endswith("rival")]
    by_hour = Counter(f"{to_utc(plan.start_ms).astimezone(LILLE):%d %H}" for plan in days)
    night = sum(count for hour, count in by_hour.items() if hour[-2:] in {"23", "00", "01", "02", "03", "04", "05"})
    assert 0 < night < len(days) / 25
    assert by_hour["03 06"] >= 20
