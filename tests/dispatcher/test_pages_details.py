"""The pages of a station, a vehicle and a booking, on a database in which a day goes on."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, insert

from contract.facts import AccessGranted, DoorOpened, Identity, KeyTaken, Purpose
from contract.messages import DeviceState
from dispatcher.api.problems import Refusal
from dispatcher.api.scopes import Scope
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.pages.bookings import booking_text
from dispatcher.pages.looks import Look, Theme
from dispatcher.pages.stations import station_text
from dispatcher.pages.vehicles import vehicle_text
from dispatcher.pages.views.calendar import AFTER_MS, BEFORE_MS, WIDTH, BarKind, Stretch, calendar
from dispatcher.pages.views.network import stale_after_ms
from dispatcher.pages.views.places import Named
from dispatcher.pages.views.station_page import station_page
from dispatcher.pages.words.catalogue import Language
from dispatcher.store.database import Database
from dispatcher.store.incidents import open_incident
from dispatcher.store.schema import blocks
from tests.dispatcher.scene import UNDER_1, Scene
from tests.dispatcher.small_fleet import HOUR, NOW_MS, RULES, book

STALE_MS = stale_after_ms(RULES)
CAR = Named("car-1", "Car 1")
HOUR_UNITS = WIDTH * HOUR / (BEFORE_MS + AFTER_MS)
LATER_MS = NOW_MS + 3 * HOUR  # an hour past the end of the booking


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    book(scene.database)
    scene.tell(AccessGranted, reader="reader-1", slot=1, purpose=Purpose.TAKE, key="key-1", **UNDER_1)
    scene.tell(DoorOpened, slot=1, released=True)
    scene.tell(KeyTaken, slot=1, key="key-1", identity=Identity.READ, **UNDER_1)
    yield scene
    scene.database.close()


@pytest.fixture
def database(scene: Scene) -> Database:
    return scene.database


def look(now_ms: int = NOW_MS, *, without: Scope | None = None) -> Look:
    return Look(Language.EN, Theme.AUTO, now_ms, "/", "night-desk", frozenset(Scope) - {without}, "c5f" * 10)


def plain(text: str | None) -> str:
    assert text is not None
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def lay_block(connection: Connection) -> None:
    row = {"id": "block-1", "vehicle_id": "car-1", "kind": "damage", "start_ms": NOW_MS, "note": "left mirror"}
    plain_row = {**row, "begun": True, "author": "api/garage", "created_ms": NOW_MS, "changed_ms": NOW_MS}
    connection.execute(insert(blocks).values(**plain_row, version=1))


def test_a_bar_shows_the_plan_and_beside_it_what_happened_and_how_late_it_is(database: Database) -> None:
    drawn = database.read_now(lambda c: calendar(c, [CAR], LATER_MS))
    (bar,) = drawn.lanes[0].bars
    before = BEFORE_MS // HOUR - 3  # hours of the window before the booking
    assert bar.kind is BarKind.BOOKING
    assert bar.plan == Stretch(round(before * HOUR_UNITS, 1), round(2 * HOUR_UNITS, 1))
    assert bar.fact == Stretch(round(before * HOUR_UNITS, 1), round(3 * HOUR_UNITS, 1))
    assert bar.late is not None
    assert bar.late.width == pytest.approx(HOUR_UNITS, abs=0.2)
    assert drawn.now_x == round(WIDTH * BEFORE_MS / (BEFORE_MS + AFTER_MS), 1)


def test_a_block_without_an_end_goes_on_to_the_edge_and_a_cancelled_booking_is_not_drawn(
    database: Database,
) -> None:
    database.write_now(lay_block)
    book(database, 2, start_ms=NOW_MS + 5 * HOUR, state=BookingState.CANCELLED, ended_ms=NOW_MS)
    (block, booking) = database.read_now(lambda c: calendar(c, [CAR], NOW_MS)).lanes[0].bars
    assert (block.kind, block.end_ms, booking.kind) == (BarKind.BLOCK, None, BarKind.BOOKING)
    assert block.plan.x + block.plan.width == WIDTH


def test_the_page_of_a_station_tells_what_its_box_says_of_itself_and_which_keys_moved(
    scene: Scene, database: Database
) -> None:
    scene.report(devices=(DeviceState(device="reader-1", online=False), DeviceState(device="locks", online=True)))
    said = plain(database.read_now(lambda c: station_text(c, look(), "st-a", STALE_MS)))
    for words in (
        "Station a Lille",
        "agent test",
        "reader-1: does not answer",
        "locks: answers",
        "Key of Car 1 taken out of slot 1",
        "Open a slot of cab-a",
    ):
        assert words in said, words
    page = database.read_now(lambda c: station_page(c, "st-a", STALE_MS, NOW_MS))
    assert page is not None
    assert [lane.vehicle.name for lane in page.calendar.lanes] == ["Car 1", "Car 2"]
    assert database.read_now(lambda c: station_page(c, "nowhere", STALE_MS, NOW_MS)) is None


def test_the_page_of_a_vehicle_tells_where_its_keys_are_what_holds_it_back_and_who_comes(
    database: Database,
) -> None:
    book(database, 2, start_ms=NOW_MS + 5 * HOUR)
    database.write_now(lay_block)
    found = Discrepancy(IncidentKind.VEHICLE_SILENT, "car-1", "a word", "none", vehicle_id="car-1")
    database.write_now(lambda c: open_incident(c, found, NOW_MS))
    said = plain(database.read_now(lambda c: vehicle_text(c, look(), "car-1")))
    for words in (
        "vehicle blocked: damage",
        "left mirror",
        "Key 1 taken, Station a",
        "Heard never",
        "Vehicle silent",
    ):
        assert words in said, words
    assert said.count("booked") >= 1
    assert "Block it now" not in plain(
        database.read_now(lambda c: vehicle_text(c, look(without=Scope.FLEET_WRITE), "car-1"))
    )


def test_the_page_of_a_booking_tells_its_history_and_offers_what_its_state_allows(database: Database) -> None:
    said = plain(database.read_now(lambda c: booking_text(c, look(LATER_MS), "booking-1", RULES)))
    for words in ("under way", "key overdue", "Member 1", "key taken", "Extend", "End by hand"):
        assert words in said, words
    assert "Cancel the booking" not in said  # its key is out
    hidden = look(LATER_MS, without=Scope.MEMBERS_READ)
    assert "Member 1" not in plain(database.read_now(lambda c: booking_text(c, hidden, "booking-1", RULES)))
    book(database, 2, start_ms=NOW_MS + 5 * HOUR)
    assert "Cancel the booking" in plain(database.read_now(lambda c: booking_text(c, look(), "booking-2", RULES)))
    assert database.read_now(lambda c: booking_text(c, look(), "none", RULES)) is None


def test_a_service_order_is_shown_to_who_may_see_the_fleet(database: Database) -> None:
    book(database, 2, start_ms=NOW_MS + 5 * HOUR, purpose="cleaning")
    said = plain(database.read_now(lambda c: booking_text(c, look(), "booking-2", RULES)))
    assert "Service order: cleaning" in said
    blind = look(without=Scope.FLEET_READ)
    with pytest.raises(Refusal):
        database.read_now(lambda c: booking_text(c, blind, "booking-2", RULES))
