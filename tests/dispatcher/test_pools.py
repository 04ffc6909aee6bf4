"""Bookings on an organisation's account: cost centres, single drivers, and pools of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, update

from contract.credentials import cabinet_digest_key
from contract.messages import Desired
from dispatcher.core.grants import Box, desired_content, horizon_ms
from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.core.windows import Window
from dispatcher.importing.checks import POOL_MEMBERS_MAX
from dispatcher.importing.faults import ImportRefused
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined, WantedBooking, WantedChange
from dispatcher.store.bookings import Booking, booking_by_id
from dispatcher.store.database import Database
from dispatcher.store.material import fleet_keys, material_of
from dispatcher.store.members import badges_of
from dispatcher.store.schema import bookings, pool_members
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, import_document, network_database
from tests.dispatcher.small_fleet import counted_bytes

RULES = FleetRules()
WINDOW = Window(ELEVEN_MS, ELEVEN_MS + 2 * HOUR_MS)
NEXT_BYTES = counted_bytes()
ACCOUNT: dict[str, Any] = {
    "organisations": [{"id": "firm", "name": "A firm"}],
    "cost_centres": [
        {"id": "parks", "organisation_id": "city-hall", "name": "Parks"},
        {"id": "sales", "organisation_id": "firm", "name": "Sales"},
    ],
    "pools": [
        {"id": "gardeners", "organisation_id": "city-hall", "name": "Gardeners"},
        {"id": "sellers", "organisation_id": "firm", "name": "Sellers"},
    ],
    "pool_members": [{"pool_id": "gardeners", "member_id": "m-colleague"}],
    "badges": [
        {"id": "b-agent", "member_id": "m-agent", "credential": "calypso:00000000000000AA"},
        {"id": "b-colleague", "member_id": "m-colleague", "credential": "calypso:00000000000000BB"},
    ],
}
CITY: dict[str, Any] = {"member_id": "m-agent", "organisation_id": "city-hall", "vehicle_id": "v-city-1"}


@pytest.fixture
def database() -> Iterator[Database]:
    with network_database() as database:
        import_document(database, ACCOUNT, seed=2)
        yield database


def _at_desk(database: Database, work: Callable[[BookingDesk], Booking | Declined]) -> Booking | Declined:
    return database.write_now(lambda c: work(BookingDesk(c, RULES, NOW_MS, NEXT_BYTES, "api/test")))


def _create(database: Database, **wanted: Any) -> Booking | Declined:
    request = WantedBooking(**{**CITY, "window": WINDOW, "accept_unreachable": True, **wanted})
    return _at_desk(database, lambda desk: desk.create(request))


def _booked(database: Database, **wanted: Any) -> Booking:
    booking = _create(database, **wanted)
    assert isinstance(booking, Booking), booking
    return booking


def _change(database: Database, booking: Booking, **wanted: Any) -> Booking | Declined:
    def work(desk: BookingDesk) -> Booking | Declined:
        found = locked(desk.connection, booking.id)
        assert found is not None
        return desk.change(found, WantedChange(**wanted))

    return _at_desk(database, work)


def _stored(database: Database, booking: Booking) -> Booking | None:
    return database.read_now(lambda c: booking_by_id(c, booking.id))


def _desired(database: Database) -> Desired:
    def read(connection: Connection) -> Desired:
        material = material_of(connection, "gare-1", horizon_ms(RULES, NOW_MS))
        box = Box("gare-1", cabinet_digest_key(b"m" * 32, "gare-1"), None)
        return desired_content(box, material, fleet_keys(connection, NOW_MS).keys, RULES, NOW_MS)

    return database.read_now(read)


def _refs(database: Database, member_id: str) -> set[str]:
    return {badge.ref for badge in database.read_now(lambda c: badges_of(c, member_id))}


# --- what a booking may name


def test_a_booking_keeps_its_cost_centre_and_its_pool(database: Database) -> None:
    booking = _booked(database, cost_centre_id="parks", pool_id="gardeners")
    stored = _stored(database, booking)
    assert stored == booking
    assert (booking.cost_centre_id, booking.pool_id) == ("parks", "gardeners")


@pytest.mark.parametrize(
    ("named", "reason", "field"),
    [
        ({"cost_centre_id": "none"}, BookingReason.UNKNOWN_COST_CENTRE, "cost_centre_id"),
        ({"cost_centre_id": "sales"}, BookingReason.NOT_OF_ORGANISATION, "cost_centre_id"),
        ({"cost_centre_id": "parks", "organisation_id": None}, BookingReason.NOT_OF_ORGANISATION, "cost_centre_id"),
        ({"pool_id": "none"}, BookingReason.UNKNOWN_POOL, "pool_id"),
        ({"pool_id": "sellers"}, BookingReason.NOT_OF_ORGANISATION, "pool_id"),
        ({"pool_id": "gardeners", "organisation_id": None}, BookingReason.NOT_OF_ORGANISATION, "pool_id"),
    ],
)
def test_cost_centre_and_pool_are_the_organisations_own(
    database: Database, named: dict[str, Any], reason: BookingReason, field: str
) -> None:
    declined = _create(database, **named)
    assert isinstance(declined, Declined)
    assert (declined.why.reason, declined.why.field) == (reason, field)
    change = {name: value for name, value in named.items() if name != "organisation_id"}
    booking = _booked(database, organisation_id=named.get("organisation_id", "city-hall"))
    refused = _change(database, booking, **change)
    assert isinstance(refused, Declined)
    assert refused.why.reason is reason


# --- drivers come and go


def test_drivers_are_added_and_removed_and_their_right_is_signed_with_them(database: Database) -> None:
    booking = _booked(database)
    added = _change(database, booking, driver_ids=("m-colleague",))
    assert isinstance(added, Booking)
    stored = _stored(database, booking)
    assert stored == added
    assert (added.driver_ids, added.version, added.has_origin) == (("m-colleague",), 2, True)
    (grant,) = _desired(database).grants
    assert set(grant.badges) == _refs(database, "m-agent") | _refs(database, "m-colleague")
    removed = _change(database, booking, driver_ids=())
    assert isinstance(removed, Booking)
    assert removed.driver_ids == ()
    assert set(_desired(database).grants[0].badges) == _refs(database, "m-agent")


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        ("m-alix", BookingReason.NOT_OF_ORGANISATION),
        ("m-none", BookingReason.UNKNOWN_MEMBER),
        ("m-suspended", BookingReason.SUSPENDED),
    ],
)
def test_who_may_not_drive_is_not_added(database: Database, driver: str, reason: BookingReason) -> None:
    booking = _booked(database)
    declined = _change(database, booking, driver_ids=(driver,))
    assert isinstance(declined, Declined)
    assert declined.why.reason is reason
    assert _stored(database, booking) == booking


def test_a_pool_takes_the_place_of_single_drivers_and_they_of_it(database: Database) -> None:
    booking = _booked(database, driver_ids=("m-colleague",))
    pooled = _change(database, booking, pool_id="gardeners")
    assert isinstance(pooled, Booking)
    assert (pooled.driver_ids, pooled.pool_id) == ((), "gardeners")
    assert _stored(database, booking) == pooled
    single = _change(database, booking, driver_ids=("m-colleague",))
    assert isinstance(single, Booking)
    assert (single.driver_ids, single.pool_id) == (("m-colleague",), None)
    assert _stored(database, booking) == single


# --- what the box is told


def test_a_pool_is_told_once_and_grants_refer_to_it(database: Database) -> None:
    _booked(database, pool_id="gardeners")
    _booked(database, vehicle_id="v-city-2", pool_id="gardeners")
    desired = _desired(database)
    (pool,) = desired.pools
    assert (pool.pool, set(pool.badges)) == ("gardeners", _refs(database, "m-colleague"))
    assert [grant.pools for grant in desired.grants] == [("gardeners",)] * 2
    assert {entry.ref for entry in desired.badges} == _refs(database, "m-colleague") | _refs(database, "m-agent")
    assert all(set(grant.badges) == _refs(database, "m-agent") for grant in desired.grants)


def test_a_pool_that_no_right_names_is_told_to_nobody(database: Database) -> None:
    _booked(database)
    desired = _desired(database)
    assert desired.pools == ()
    assert {entry.ref for entry in desired.badges} == _refs(database, "m-agent")


def test_who_was_removed_from_a_pool_opens_nothing(database: Database) -> None:
    _booked(database, pool_id="gardeners")
    import_document(
        database, {"pool_members": [{"pool_id": "gardeners", "member_id": "m-colleague", "state": "removed"}]}
    )
    desired = _desired(database)
    assert desired.pools == ()
    assert {entry.ref for entry in desired.badges} == _refs(database, "m-agent")


def test_a_pool_driver_who_is_suspended_is_told_as_such(database: Database) -> None:
    _booked(database, pool_id="gardeners")
    member = {"id": "m-colleague", "name": "C", "organisation_id": "city-hall", "standing": "suspended"}
    import_document(database, {"members": [member]})
    assert set(_desired(database).suspended) == _refs(database, "m-colleague")


def test_a_row_that_puts_somebody_into_a_pool_past_this_program_opens_nothing(database: Database) -> None:
    _booked(database, pool_id="gardeners")
    row = {"pool_id": "gardeners", "member_id": "m-alix", "state": "active", "origin": "0" * 64}
    database.write_now(lambda c: c.execute(pool_members.insert().values(row)))
    material = database.read_now(lambda c: material_of(c, "gare-1", horizon_ms(RULES, NOW_MS)))
    assert material.pools == {"gardeners": ("m-colleague",)}
    assert [found.subject for found in material.without_origin] == ["pool_members/gardeners"]


@pytest.mark.parametrize("pool_id", ["gardeners", None])
def test_a_booking_given_another_pool_past_this_program_is_no_right(
    database: Database, pool_id: str | None
) -> None:
    booking = _booked(database, pool_id=None if pool_id else "gardeners")
    forged = update(bookings).where(bookings.c.id == booking.id).values(pool_id=pool_id)
    database.write_now(lambda c: c.execute(forged))
    assert _desired(database).grants == ()


# --- files


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"pool_members": [{"pool_id": "gardeners", "member_id": "m-alix"}]}, "member_id"),
        ({"members": [{"id": "m-colleague", "name": "C", "organisation_id": "firm"}]}, "organisation_id"),
        ({"pools": [{"id": "gardeners", "name": "G", "organisation_id": "firm"}]}, "organisation_id"),
        ({"pool_members": [{"pool_id": "none", "member_id": "m-agent"}]}, "pool_id"),
        ({"pool_members": [{"pool_id": "gardeners", "member_id": "m-none"}]}, "member_id"),
        ({"cost_centres": [{"id": "x", "name": "X", "organisation_id": "none"}]}, "organisation_id"),
    ],
)
def test_pools_and_cost_centres_that_contradict_the_rest_are_refused_by_name(
    database: Database, document: dict[str, Any], field: str
) -> None:
    with pytest.raises(ImportRefused) as refused:
        import_document(database, document)
    assert [fault.field for fault in refused.value.faults] == [field]


def test_a_pool_is_no_larger_than_a_box_takes(database: Database) -> None:
    people = [f"m-{number}" for number in range(POOL_MEMBERS_MAX)]
    document = {
        "members": [{"id": person, "name": "N", "organisation_id": "city-hall"} for person in people],
        "pool_members": [{"pool_id": "gardeners", "member_id": person} for person in people],
    }
    with pytest.raises(ImportRefused) as refused:  # with the one that is there
        import_document(database, document)
    assert [fault.expected for fault in refused.value.faults] == ["at most 1000 members in pool gardeners"]
    document["pool_members"] = document["pool_members"][:-1]
    import_document(database, document)
