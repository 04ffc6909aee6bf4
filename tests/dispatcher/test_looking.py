"""What is read for a window says the same as the whole calendar: over many calendars, on the database itself."""

from dataclasses import replace
from functools import partial
from random import Random

import pytest

from dispatcher.core.availability import NotFree, free_intervals, is_free, judge, latest_end_ms, occupied
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import DAY_MS, HOUR_MS, Window
from dispatcher.store.bookings import insert_booking
from dispatcher.store.database import Database
from dispatcher.store.looking import FURTHER_MS, look, with_next_free
from dispatcher.store.vehicles import VehicleFilter, vehicles_of, views
from tests.dispatcher.small_fleet import NOW_MS, booking, new_database

RULES = FleetRules()
GRID_MS = RULES.grid_ms
CARS = ("car-1", "car-2")


def fill(database: Database, rng: Random) -> None:
    """Bookings end to end, with gaps now and then, one of them perhaps overdue and some over."""
    for car in CARS:
        at_ms = NOW_MS - rng.randrange(8, 100) * GRID_MS
        for number in range(rng.randrange(60)):
            at_ms += rng.choice((0, 0, 1, 2, 8)) * GRID_MS
            window = Window(at_ms, at_ms + rng.randrange(4, 30) * GRID_MS)
            at_ms = window.end_ms
            past = window.end_ms <= NOW_MS
            state = rng.choice((BookingState.ACTIVE, BookingState.COMPLETED)) if past else BookingState.BOOKED
            name = f"{car}-{number}"
            row = booking(
                id=name, grant_id=name, start_ms=window.start_ms, end_ms=window.end_ms, vehicle_id=car, state=state
            )
            assert database.write_now(partial(insert_booking, booking=row))


def within_a_week(verdict: NotFree | None, window: Window) -> NotFree | None:
    """What a search tells of a verdict on the whole calendar."""
    if verdict is None or verdict.next_free is None or verdict.next_free.start_ms < window.end_ms + FURTHER_MS:
        return verdict
    return replace(verdict, next_free=None)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_read_around_a_window_says_the_same_as_the_whole_calendar(seed: int) -> None:
    rng = Random(seed)
    database = new_database()
    fill(database, rng)
    cars = database.read_now(lambda c: vehicles_of(c, VehicleFilter("st-a")))
    whole = {view.vehicle_id: view for view in database.read_now(lambda c: views(c, cars, NOW_MS))}
    for _ in range(40):
        start_ms = NOW_MS + rng.randrange(0, 900) * GRID_MS
        window = Window(start_ms, start_ms + rng.randrange(4, 40) * GRID_MS)
        ahead_ms = rng.choice((0, DAY_MS))
        reading = partial(look, rules=RULES, found=cars, window=window, now_ms=NOW_MS, ahead_ms=ahead_ms)
        looked = database.read_now(reading)
        for it in looked:
            all_of_it = whole[it.vehicle.id]
            assert it.verdict == within_a_week(judge(RULES, all_of_it, window, NOW_MS), window)
            within = Window(window.start_ms, window.end_ms + ahead_ms)
            some, every = (occupied(view.holdings, NOW_MS) for view in (it.view, all_of_it))
            assert free_intervals(some, within) == free_intervals(every, within)
            if it.verdict is None:
                assert is_free(all_of_it.holdings, window)
                horizon_ms = NOW_MS + RULES.horizon_ms
                ends = (
                    latest_end_ms(view.holdings, start_ms, horizon_ms, GRID_MS) for view in (it.view, all_of_it)
                )
                assert len(set(ends)) == 1
    database.close()


@pytest.mark.parametrize("seed", range(12))
def test_who_books_is_told_the_next_free_interval_however_far_it_is(seed: int) -> None:
    rng = Random(seed)
    database = new_database()
    fill(database, rng)
    cars = database.read_now(lambda c: vehicles_of(c, VehicleFilter("st-a")))
    whole = database.read_now(lambda c: views(c, cars, NOW_MS))
    for _ in range(20):
        start_ms = NOW_MS + rng.randrange(0, 900) * GRID_MS
        window = Window(start_ms, start_ms + rng.randrange(4, 40) * GRID_MS)
        verdicts = [verdict for view in whole if (verdict := judge(RULES, view, window, NOW_MS))]
        unknown = [replace(verdict, next_free=None) for verdict in verdicts]
        reading = partial(with_next_free, rules=RULES, found=cars, window=window, now_ms=NOW_MS, verdicts=unknown)
        assert list(database.read_now(reading)) == verdicts
    database.close()


def test_of_a_full_year_only_what_lies_around_the_window_is_read() -> None:
    database = new_database()
    for number in range(300):
        start_ms = NOW_MS + number * DAY_MS
        row = booking(number, start_ms=start_ms, end_ms=start_ms + 12 * HOUR_MS)
        assert database.write_now(partial(insert_booking, booking=row))
    cars = database.read_now(lambda c: vehicles_of(c, VehicleFilter("st-a")))
    window = Window(NOW_MS + 100 * DAY_MS + 13 * HOUR_MS, NOW_MS + 100 * DAY_MS + 15 * HOUR_MS)
    (car, _) = database.read_now(lambda c: views(c, cars, NOW_MS, around=window))
    assert [holding.booking_id for holding in car.holdings] == ["booking-100", "booking-101"]
    assert car.known_until_ms == NOW_MS + 101 * DAY_MS
    database.close()
