"""Bookings on a real SQLite database: the desk's decisions, and the database's own word against overlaps."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from dispatcher.core.booking_states import FINAL_STATES, HOLDING_STATES, BookingState
from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.core.windows import MINUTE_MS, Window
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined, WantedBooking, WantedChange
from dispatcher.store.bookings import (
    Booking,
    BookingFilter,
    booking_by_grant,
    booking_by_id,
    bookings_page,
    history_page,
    insert_booking,
    update_booking,
    write_drivers,
)
from dispatcher.store.database import Database
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import bookings, desired_states
from tests.dispatcher.network import (
    ELEVEN_MS,
    GRID_MS,
    HOUR_MS,
    NETWORK,
    NINE_MS,
    NOW_MS,
    booking_row,
    import_document,
    network_database,
    set_booking,
    set_key,
)

RULES = FleetRules()
WINDOW = Window(ELEVEN_MS, ELEVEN_MS + 2 * HOUR_MS)


@pytest.fixture
def database() -> Iterator[Database]:
    with network_database() as database:
        yield database


class Desk:
    """The booking desk as a caller meets it: each call one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now_ms = NOW_MS
        self.random = Random("desk")

    def create(self, **wanted: Any) -> Booking | Declined:
        values = {"member_id": "m-alix", "window": WINDOW, "accept_unreachable": True, **wanted}
        return self._run(lambda desk: desk.create(WantedBooking(**values)))

    def booked(self, **wanted: Any) -> Booking:
        booking = self.create(**wanted)
        assert isinstance(booking, Booking), booking
        return booking

    def declined(self, **wanted: Any) -> Declined:
        declined = self.create(**wanted)
        assert isinstance(declined, Declined), declined
        return declined

    def change(self, booking: Booking, **wanted: Any) -> Booking | Declined:
        change = WantedChange(**{"accept_unreachable": True, **wanted})
        return self._run(lambda desk: desk.change(_locked(desk.connection, booking), change))

    def extend(self, booking: Booking, end_ms: int) -> Booking | Declined:
        return self._run(lambda desk: desk.extend(_locked(desk.connection, booking), end_ms))

    def cancel(self, booking: Booking) -> Booking | Declined:
        return self._run(lambda desk: desk.cancel(_locked(desk.connection, booking)))

    def _run(self, work: Callable[[BookingDesk], Booking | Declined]) -> Booking | Declined:
        def run(connection: Connection) -> Booking | Declined:
            desk = BookingDesk(connection, RULES, self.now_ms, self.random.randbytes, "api/test")
            return work(desk)

        return self.database.write_now(run)


def _locked(connection: Connection, booking: Booking) -> Booking:
    found = locked(connection, booking.id)
    assert found is not None
    return found


def _stored(database: Database, booking: Booking) -> Booking | None:
    return database.read_now(lambda connection: booking_by_id(connection, booking.id))


def _insert(database: Database, booking: Booking) -> bool:
    return database.write_now(lambda connection: insert_booking(connection, booking))


def _dirty(database: Database) -> set[str]:
    statement = select(desired_states.c.cabinet_id).where(desired_states.c.dirty)
    return set(database.read_now(lambda connection: connection.execute(statement).scalars().all()))


def _clean(database: Database) -> None:
    database.write_now(lambda connection: connection.execute(desired_states.delete()))


@pytest.fixture
def desk(database: Database) -> Desk:
    _clean(database)
    return Desk(database)


# --- the database's word


@pytest.mark.parametrize("state", sorted(HOLDING_STATES))
def test_the_database_refuses_a_second_booking_of_a_held_vehicle(database: Database, state: BookingState) -> None:
    assert _insert(database, booking_row("one", ELEVEN_MS, ELEVEN_MS + HOUR_MS, state=state))
    assert not _insert(database, booking_row("two", ELEVEN_MS - HOUR_MS, ELEVEN_MS + GRID_MS))
    assert not _insert(database, booking_row("two", ELEVEN_MS + HOUR_MS - GRID_MS, ELEVEN_MS + 3 * HOUR_MS))


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_booking_that_is_over_leaves_its_window_to_others(database: Database, state: BookingState) -> None:
    assert _insert(database, booking_row("one", ELEVEN_MS, ELEVEN_MS + HOUR_MS, state=state))
    assert _insert(database, booking_row("two", ELEVEN_MS, ELEVEN_MS + HOUR_MS))


def test_the_booking_of_a_grant_is_read_with_the_drivers_that_it_has_now(database: Database) -> None:
    wanted = booking_row("one", ELEVEN_MS, ELEVEN_MS + HOUR_MS)
    assert _insert(database, wanted)

    def work(connection: Connection) -> Booking | None:
        assert booking_by_grant(connection, wanted.grant_id) == wanted
        write_drivers(connection, replace(wanted, driver_ids=("m-brahim",)))
        return booking_by_grant(connection, wanted.grant_id)

    read = database.write_now(work)
    assert read is not None
    assert read.driver_ids == ("m-brahim",)


def test_bookings_may_touch(database: Database) -> None:
    assert _insert(database, booking_row("one", ELEVEN_MS, ELEVEN_MS + HOUR_MS))
    assert _insert(database, booking_row("two", ELEVEN_MS + HOUR_MS, ELEVEN_MS + 2 * HOUR_MS))


def test_the_database_refuses_to_stretch_a_booking_over_the_next(database: Database) -> None:
    first = booking_row("one", ELEVEN_MS, ELEVEN_MS + HOUR_MS)
    assert _insert(database, first)
    assert _insert(database, booking_row("two", ELEVEN_MS + HOUR_MS, ELEVEN_MS + 2 * HOUR_MS))
    longer = replace(first, end_ms=first.end_ms + GRID_MS)
    assert not database.write_now(lambda connection: update_booking(connection, longer))


def test_another_broken_constraint_is_not_taken_for_an_overlap(database: Database) -> None:
    with pytest.raises(IntegrityError):
        _insert(database, booking_row("one", ELEVEN_MS, ELEVEN_MS + HOUR_MS, member_id="m-nobody"))


# --- making a booking


def test_a_booking_of_a_vehicle_knows_its_key_cabinet_and_station(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-mairie")
    assert (booking.key_id, booking.cabinet_id, booking.station_id) == ("k-mairie", "mairie-1", "mairie")
    assert (booking.state, booking.category) == (BookingState.BOOKED, None)
    assert booking.take_by_ms == ELEVEN_MS + 30 * MINUTE_MS
    assert _stored(desk.database, booking) == booking


def test_a_vehicle_may_live_at_another_station_than_its_cabinet_stands_at(desk: Desk) -> None:
    import_document(desk.database, {"vehicles": [{**NETWORK["vehicles"][0], "home_station_id": "mairie"}]})
    booking = desk.booked(category="city", station_id="mairie")
    assert (booking.vehicle_id, booking.station_id, booking.cabinet_id) == ("v-city-1", "mairie", "gare-1")


def test_a_new_booking_has_its_cabinet_computed_again(desk: Desk) -> None:
    desk.booked(vehicle_id="v-mairie")
    assert _dirty(desk.database) == {"mairie-1"}


def test_a_category_takes_the_vehicles_of_the_station_one_by_one_until_none_is_free(desk: Desk) -> None:
    wanted = {"category": "city", "station_id": "gare"}
    first, second = desk.booked(**wanted), desk.booked(**wanted)
    assert {first.vehicle_id, second.vehicle_id} == {"v-city-1", "v-city-2"}
    assert first.category == "city"
    declined = desk.declined(**wanted)
    assert declined.why.reason is BookingReason.VEHICLE_NOT_FREE
    assert {verdict.vehicle_id for verdict in declined.not_free} == {"v-city-1", "v-city-2"}
    assert all(verdict.next_free is not None for verdict in declined.not_free)


def test_a_category_goes_on_to_the_next_vehicle_when_only_the_database_knows_of_an_overlap(
    desk: Desk,
) -> None:
    running = Window(NOW_MS - 7 * MINUTE_MS, ELEVEN_MS + HOUR_MS)
    off_grid = booking_row("odd", NINE_MS, NOW_MS - MINUTE_MS, state=BookingState.RETURNED)
    assert _insert(desk.database, off_grid)  # over by the clock, held by the database
    booking = desk.booked(category="city", station_id="gare", window=running)
    assert booking.vehicle_id == "v-city-2"


@pytest.mark.parametrize(
    ("wanted", "reason", "field"),
    [
        ({"vehicle_id": "v-none"}, BookingReason.UNKNOWN_VEHICLE, "vehicle_id"),
        ({"category": "city", "station_id": "none"}, BookingReason.UNKNOWN_STATION, "station_id"),
        ({"category": "van", "station_id": "gare"}, BookingReason.NO_SUCH_VEHICLE_HERE, "category"),
        ({"vehicle_id": "v-city-1", "member_id": "m-none"}, BookingReason.UNKNOWN_MEMBER, "member_id"),
        ({"vehicle_id": "v-city-1", "driver_ids": ("m-none",)}, BookingReason.UNKNOWN_MEMBER, "driver_ids"),
        ({"vehicle_id": "v-city-1", "member_id": "m-suspended"}, BookingReason.SUSPENDED, "member_id"),
        ({"vehicle_id": "v-city-1", "driver_ids": ("m-expired",)}, BookingReason.LICENCE_EXPIRED, "driver_ids"),
        (
            {"vehicle_id": "v-city-1", "organisation_id": "city-hall"},
            BookingReason.NOT_OF_ORGANISATION,
            "member_id",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_booked_names_the_field(
    desk: Desk, wanted: dict[str, Any], reason: BookingReason, field: str
) -> None:
    declined = desk.declined(**wanted)
    assert (declined.why.reason, declined.why.field) == (reason, field)
    assert _dirty(desk.database) == set()


def test_an_organisations_booking_keeps_its_drivers(desk: Desk) -> None:
    booking = desk.booked(
        vehicle_id="v-city-1",
        member_id="m-agent",
        organisation_id="city-hall",
        driver_ids=("m-colleague",),
    )
    stored = _stored(desk.database, booking)
    assert stored is not None
    assert (stored.organisation_id, stored.driver_ids) == ("city-hall", ("m-colleague",))


def test_a_vehicle_whose_key_is_missing_is_not_booked_for_now(desk: Desk) -> None:
    set_key(desk.database, "k-city-1", "missing")
    running = Window(NOW_MS - 7 * MINUTE_MS, ELEVEN_MS + HOUR_MS)
    assert desk.declined(vehicle_id="v-city-1", window=running).why.reason is BookingReason.KEY_NOT_PRESENT
    assert desk.booked(category="city", station_id="gare", window=running).vehicle_id == "v-city-2"


def test_a_vehicle_without_a_key_in_service_is_not_booked(database: Database) -> None:
    keys = [{**NETWORK["keys"][0], "life_cycle": "retired"}]
    import_document(database, {"keys": keys})
    assert Desk(database).declined(vehicle_id="v-city-1").why.reason is BookingReason.KEY_NOT_IN_SERVICE


# --- changing it


def test_an_extension_up_to_the_next_booking_is_made_and_one_beyond_names_the_latest_end(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-city-1")
    desk.booked(vehicle_id="v-city-1", window=Window(ELEVEN_MS + 4 * HOUR_MS, ELEVEN_MS + 5 * HOUR_MS))
    declined = desk.change(booking, end_ms=ELEVEN_MS + 4 * HOUR_MS + GRID_MS)
    assert isinstance(declined, Declined)
    assert declined.why.reason is BookingReason.VEHICLE_NOT_FREE
    assert declined.latest_end_ms == ELEVEN_MS + 4 * HOUR_MS
    assert _stored(desk.database, booking) == booking
    extended = desk.change(booking, end_ms=declined.latest_end_ms)
    assert isinstance(extended, Booking)
    assert extended.end_ms == ELEVEN_MS + 4 * HOUR_MS
    assert extended.version == 2
    assert _stored(desk.database, booking) == extended


def test_an_active_booking_is_extended_and_its_cabinet_told(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-city-1")
    set_booking(desk.database, booking.id, state="active", taken_ms=ELEVEN_MS)
    _clean(desk.database)
    desk.now_ms = ELEVEN_MS + HOUR_MS
    extended = desk.change(booking, end_ms=WINDOW.end_ms + HOUR_MS)
    assert isinstance(extended, Booking)
    assert (extended.state, extended.take_by_ms) == (BookingState.ACTIVE, booking.take_by_ms)
    assert _dirty(desk.database) == {"gare-1"}


def test_a_moved_booking_keeps_its_original_start_and_moves_its_take_by(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-city-1")
    moved = desk.change(booking, start_ms=ELEVEN_MS + HOUR_MS, end_ms=ELEVEN_MS + 4 * HOUR_MS)
    assert isinstance(moved, Booking)
    assert moved.original_start_ms == ELEVEN_MS
    assert moved.take_by_ms == ELEVEN_MS + HOUR_MS + 30 * MINUTE_MS


def test_another_vehicle_at_another_station_has_both_cabinets_computed_again(desk: Desk) -> None:
    booking = desk.booked(category="city", station_id="gare")
    _clean(desk.database)
    moved = desk.change(booking, vehicle_id="v-mairie")
    assert isinstance(moved, Booking)
    assert (moved.cabinet_id, moved.key_id, moved.category) == ("mairie-1", "k-mairie", "city")
    assert moved.grant_id == booking.grant_id
    assert _dirty(desk.database) == {"gare-1", "mairie-1"}


def test_a_vehicle_of_another_category_ends_the_booking_of_the_category(desk: Desk) -> None:
    booking = desk.booked(category="city", station_id="gare")
    moved = desk.change(booking, vehicle_id="v-family")
    assert isinstance(moved, Booking)
    assert moved.category is None


@pytest.mark.parametrize("vehicle_id", ["v-family", "v-none"])
def test_a_booking_does_not_move_to_a_vehicle_that_is_not_to_be_had(desk: Desk, vehicle_id: str) -> None:
    desk.booked(vehicle_id="v-family", member_id="m-brahim")
    booking = desk.booked(vehicle_id="v-city-1")
    declined = desk.change(booking, vehicle_id=vehicle_id)
    assert isinstance(declined, Declined)
    assert declined.why.field == "vehicle_id"


def test_a_change_that_changes_nothing_writes_nothing(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-city-1")
    _clean(desk.database)
    assert desk.change(booking, end_ms=booking.end_ms, vehicle_id="v-city-1") == booking
    assert _dirty(desk.database) == set()


def test_a_suspended_member_gives_time_back_but_gets_no_more(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-city-1")
    suspended = [{"id": "m-alix", "name": "Alix Dumont", "standing": "suspended"}]
    import_document(desk.database, {"members": suspended})
    longer = desk.change(booking, end_ms=WINDOW.end_ms + HOUR_MS)
    assert isinstance(longer, Declined)
    assert longer.why.reason is BookingReason.SUSPENDED
    assert isinstance(desk.change(booking, end_ms=WINDOW.end_ms - HOUR_MS), Booking)
    assert isinstance(desk.cancel(booking), Booking)


# --- cancelling it, and what is kept


def test_a_cancelled_booking_frees_its_vehicle_and_keeps_its_history(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-city-1")
    desk.change(booking, end_ms=WINDOW.end_ms + HOUR_MS)
    _clean(desk.database)
    cancelled = desk.cancel(booking)
    assert isinstance(cancelled, Booking)
    assert (cancelled.state, cancelled.ended_ms) == (BookingState.CANCELLED, NOW_MS)
    assert _dirty(desk.database) == {"gare-1"}
    assert isinstance(desk.create(vehicle_id="v-city-1", member_id="m-brahim"), Booking)
    page = desk.database.read_now(lambda connection: history_page(connection, booking.id, PageRequest(limit=10)))
    assert [entry.what for entry in page.items] == ["created", "changed", "cancelled"]
    assert {entry.author for entry in page.items} == {"api/test"}
    assert page.items[-1].detail == {"notice_s": 53 * 60}


def test_a_history_names_no_person(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-city-1", driver_ids=("m-brahim",))
    page = desk.database.read_now(lambda connection: history_page(connection, booking.id, PageRequest(limit=10)))
    assert "m-" not in str(page.items[0].detail)


def test_a_booking_is_cancelled_once(desk: Desk) -> None:
    booking = desk.booked(vehicle_id="v-city-1")
    desk.cancel(booking)
    again = desk.cancel(booking)
    assert isinstance(again, Declined)
    assert again.why.reason is BookingReason.BOOKING_CANCELLED


# --- listing


def test_pages_hold_every_booking_once_in_the_order_of_their_start(database: Database) -> None:
    for index in range(7):
        start_ms = ELEVEN_MS + index * HOUR_MS
        assert _insert(database, booking_row(f"b-{index}", start_ms, start_ms + HOUR_MS))
    request, seen = PageRequest(limit=3), list[str]()
    while True:
        page = database.read_now(partial(bookings_page, wanted=BookingFilter(), request=request))
        seen += [booking.id for booking in page.items]
        if page.next is None:
            break
        request = PageRequest(limit=3, after=page.next)
    assert seen == [f"b-{index}" for index in range(7)]


def test_bookings_are_listed_by_what_overlaps_an_interval(database: Database) -> None:
    for index in range(4):
        start_ms = ELEVEN_MS + index * HOUR_MS
        assert _insert(database, booking_row(f"b-{index}", start_ms, start_ms + HOUR_MS))
    wanted = BookingFilter(
        station_id="gare",
        vehicle_id="v-city-1",
        member_id="m-alix",
        states=("booked",),
        from_ms=ELEVEN_MS + HOUR_MS,
        until_ms=ELEVEN_MS + 3 * HOUR_MS,
    )
    page = database.read_now(lambda connection: bookings_page(connection, wanted, PageRequest(limit=10)))
    assert [booking.id for booking in page.items] == ["b-1", "b-2"]
    nothing = replace(wanted, states=("cancelled",))
    empty = database.read_now(lambda connection: bookings_page(connection, nothing, PageRequest(limit=10)))
    assert empty.items == ()


def test_a_refused_booking_leaves_nothing_behind(desk: Desk) -> None:
    desk.booked(vehicle_id="v-city-1")
    desk.declined(vehicle_id="v-city-1", member_id="m-brahim")
    statement = select(func.count()).select_from(bookings)
    assert desk.database.read_now(lambda connection: connection.execute(statement).scalar_one()) == 1
