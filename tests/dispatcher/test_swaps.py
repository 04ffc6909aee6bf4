"""A booking whose vehicle is late or elsewhere is offered another one: held, answered, withdrawn."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select

from contract.envelope import verify
from contract.facts import AccessRefused, Identity, KeyReturned, KeyTaken
from contract.messages import Desired
from contract.reasons import Reason
from contract.topics import DESIRED, Author, ParsedTopic
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.late_returns import OfferState, Why
from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined
from dispatcher.store.bookings import Booking, BookingFilter, booking_by_id, bookings_page, insert_booking
from dispatcher.store.desired import DesiredMaker, mark_dirty, wire_of
from dispatcher.store.order_desk import order_by_id
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import key_states, outbox
from dispatcher.store.swap_desk import accept, decline
from dispatcher.store.swap_offers import Offer, offers_of
from dispatcher.store.upsert import upsert
from tests.contract.keys import verify_key
from tests.dispatcher import small_fleet as fleet
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import DISPATCHER, dispatcher_signer
from tests.dispatcher.scene import UNDER_1, Scene
from tests.dispatcher.small_fleet import (
    CABINET,
    DISPATCHER_SEED,
    HOUR,
    MINUTE,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    counted_bytes,
    stored,
)

NEXT = 2
"""Of member 2: car 1 again, three quarters of an hour after the first booking's end."""


class Street(Scene):
    """Car 1 is out under booking 1 until two hours from now; booking 2 has it three quarters of an hour later."""

    def __init__(self, rules: FleetRules = RULES) -> None:
        super().__init__(rules)
        for number, cabinet in ((2, CABINET), (3, OTHER_CABINET)):
            self.hang(number, cabinet)
        self.other_box = FakeBox(OTHER_CABINET, epoch="e2" * 16)
        self.presence(self.other_box, online=True)
        fleet.book(self.database)
        start_ms = NOW_MS + 2 * HOUR + 45 * MINUTE
        fleet.book(self.database, NEXT, member_id="member-2", start_ms=start_ms)
        self.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)

    def hang(self, number: int, cabinet: str) -> None:
        row = {
            "key_id": f"key-{number}",
            "state": "in_slot",
            "cabinet_id": cabinet,
            "slot": 2 if number == 2 else 1,
        }
        self.write(upsert, key_states, {**row, "identity": "read", "since_ms": NOW_MS})

    def be_late(self, minutes: int = 11) -> None:
        """Time passes until the first booking is so late, and the box tells that nothing came."""
        self.now_ms = NOW_MS + 2 * HOUR + minutes * MINUTE
        self.report()
        self.pass_s(1)

    def bring_back(self, slot: int = 1, box: FakeBox | None = None) -> None:
        self.tell(KeyReturned, box=box, slot=slot, identity=Identity.READ, key="key-1", **UNDER_1)
        self.pass_s(1)

    def offers(self) -> list[Offer]:
        return self.database.read_now(lambda connection: offers_of(connection, f"booking-{NEXT}"))

    def states(self) -> list[tuple[str, str, str | None]]:
        return [(offer.vehicle_id, offer.state, offer.why) for offer in self.offers()]

    def hold(self) -> Booking:
        (offer,) = self.offers()
        found = self.database.read_now(lambda connection: booking_by_id(connection, offer.hold_id))
        assert found is not None
        return found

    def answer(self, what: Callable[[BookingDesk, Booking, Offer], Booking | Declined]) -> Booking | Declined:
        offer = self.offers()[-1]

        def run(connection: Connection) -> Booking | Declined:
            booking = locked(connection, f"booking-{NEXT}")
            assert booking is not None
            return what(BookingDesk(connection, RULES, self.now_ms, counted_bytes(), "api/app"), booking, offer)

        return self.database.write_now(run)

    def grants(self, cabinet: str = CABINET) -> dict[str, str]:
        """Grant and key of all that the cabinet is told now."""
        maker = DesiredMaker(RULES, b"m" * 32, dispatcher_signer().sign)
        self.write(mark_dirty, cabinet)
        self.database.write_now(lambda connection: maker.refresh(connection, self.now_ms, 0, 10))
        _, wire = self.database.read_now(lambda connection: wire_of(connection, [cabinet]))[cabinet]
        key = verify_key(Author.DISPATCHER, DISPATCHER, DISPATCHER_SEED)
        told = verify(wire.encode(), ParsedTopic(DESIRED, cabinet), {f"dispatcher/{DISPATCHER}": key}.get)
        assert isinstance(told, Desired)
        return {grant.grant: grant.key for grant in told.grants}

    def told(self) -> list[str]:
        return self.database.read_now(
            lambda c: list(c.execute(select(outbox.c.kind).order_by(outbox.c.sequence)).scalars())
        )


def made(rules: FleetRules = RULES) -> Street:
    return Street(rules)


@pytest.fixture
def street() -> Street:
    return made()


def test_nobody_is_offered_anything_while_nobody_is_late(street: Street) -> None:
    street.be_late(minutes=9)  # within the grace
    assert street.offers() == []


def test_a_late_return_holds_another_vehicle_of_the_station_for_the_next_booking(street: Street) -> None:
    street.be_late()
    assert street.states() == [("car-2", OfferState.OFFERED, None)]
    hold, booking = street.hold(), stored(street.database, NEXT)
    assert hold.window == booking.window
    assert (booking.vehicle_id, booking.version) == ("car-1", 1)
    rival = fleet.booking(9, vehicle_id="car-2", key_id="key-2", start_ms=booking.start_ms)
    assert not street.database.write_now(lambda connection: insert_booking(connection, rival))
    assert street.told()[-1] == "booking.swap_offered"


def test_what_holds_it_is_no_right_no_order_and_no_booking(street: Street) -> None:
    street.be_late()
    hold = street.hold()
    assert street.grants() == {"grant-1": "key-1", "grant-2": "key-1"}
    request = PageRequest(limit=50)
    for orders in (False, True):
        page = street.database.read_now(
            partial(bookings_page, wanted=BookingFilter(orders=orders), request=request)
        )
        assert hold.id not in {item.id for item in page.items}
    assert street.database.read_now(lambda connection: order_by_id(connection, hold.id)) is None


def test_a_round_that_finds_the_same_offers_nothing_more(street: Street) -> None:
    street.be_late()
    before = street.offers()
    street.pass_s(30)
    assert street.offers() == before


def test_who_accepts_has_the_right_to_the_other_key_and_the_former_vehicle_is_free(street: Street) -> None:
    street.be_late()
    changed = street.answer(accept)
    assert isinstance(changed, Booking)
    assert (changed.vehicle_id, changed.key_id, changed.state) == ("car-2", "key-2", BookingState.BOOKED)
    assert street.states() == [("car-2", OfferState.ACCEPTED, Why.SAID_YES)]
    assert street.hold().state is BookingState.CANCELLED
    assert street.grants() == {"grant-1": "key-1", "grant-2": "key-2"}
    street.pass_s(30)
    assert len(street.offers()) == 1
    fleet.book(street.database, 3, start_ms=changed.start_ms)
    assert {"booking.swap_ended", "booking.changed"} <= set(street.told())


def test_the_booking_is_kept_where_the_late_one_is_back_in_time(street: Street) -> None:
    street.be_late()
    street.bring_back()
    assert street.states() == [("car-2", OfferState.WITHDRAWN, Why.NOT_NEEDED)]
    assert stored(street.database, NEXT).vehicle_id == "car-1"
    assert street.hold().state is BookingState.CANCELLED
    fleet.book(
        street.database, 3, vehicle_id="car-2", key_id="key-2", start_ms=stored(street.database, NEXT).start_ms
    )


def test_who_declines_waits_and_is_offered_no_other(street: Street) -> None:
    street.be_late()
    assert isinstance(street.answer(decline), Booking)
    street.pass_s(30)
    assert street.states() == [("car-2", OfferState.DECLINED, Why.SAID_NO)]
    assert stored(street.database, NEXT).vehicle_id == "car-1"


def test_an_offer_is_answered_once(street: Street) -> None:
    street.be_late()
    street.answer(decline)
    refused = street.answer(accept)
    assert isinstance(refused, Declined)
    assert refused.why.reason is BookingReason.OFFER_OVER


def test_nothing_is_accepted_within_a_quarter_of_an_hour_of_the_start(street: Street) -> None:
    street.be_late()
    street.now_ms = stored(street.database, NEXT).start_ms - 15 * MINUTE
    refused = street.answer(accept)
    assert isinstance(refused, Declined)
    assert refused.why.reason is BookingReason.OFFER_OVER
    street.pass_s(1)
    assert street.states() == [("car-2", OfferState.WITHDRAWN, Why.TOO_LATE)]


def test_an_offer_ends_when_the_badge_was_shown_at_the_cabinet(street: Street) -> None:
    street.be_late()
    shown: dict[str, Any] = {
        "reader": "reader-1",
        "reason": Reason.TOO_EARLY,
        "badge": "ref-2",
        "grant": "grant-2",
        "key": "key-1",
    }
    street.tell(AccessRefused, **shown)
    street.pass_s(1)
    assert street.states() == [("car-2", OfferState.WITHDRAWN, Why.BADGE_SHOWN)]


def test_the_nearest_station_is_next_where_this_one_has_none(street: Street) -> None:
    fleet.book(
        street.database, 3, vehicle_id="car-2", key_id="key-2", start_ms=stored(street.database, NEXT).start_ms
    )
    street.be_late()
    assert street.states() == [("car-3", OfferState.OFFERED, None)]
    changed = street.answer(accept)
    assert isinstance(changed, Booking)
    assert (changed.station_id, changed.cabinet_id) == ("st-b", OTHER_CABINET)
    assert street.grants(OTHER_CABINET) == {"grant-2": "key-3"}


def test_a_key_in_the_cabinet_of_another_station_puts_its_next_booking_at_risk(street: Street) -> None:
    street.now_ms = NOW_MS + 2 * HOUR
    street.bring_back(slot=2, box=street.other_box)
    assert (IncidentKind.KEY_AT_WRONG_STATION, "key-1", True) in fleet.incidents(street.database)
    assert street.states() == [("car-2", OfferState.OFFERED, None)]


def test_the_first_key_taken_decides(street: Street) -> None:
    street.be_late()
    under_2: dict[str, Any] = {"grant": "grant-2", "badge": "ref-2"}
    street.tell(KeyTaken, slot=2, identity=Identity.READ, key="key-2", **under_2)
    assert street.states() == [("car-2", OfferState.TAKEN, Why.KEY_TAKEN)]
    after = stored(street.database, NEXT)
    assert (after.vehicle_id, after.state) == ("car-2", BookingState.ACTIVE)


def test_a_key_that_leaves_under_anothers_right_is_offered_no_more(street: Street) -> None:
    fleet.book(street.database, 3, vehicle_id="car-3", key_id="key-3", start_ms=NOW_MS + 2 * HOUR)
    street.be_late()
    street.tell(KeyTaken, slot=2, identity=Identity.READ, key="key-2", grant="grant-3", badge="ref-3")
    assert street.states() == [("car-2", OfferState.WITHDRAWN, Why.KEY_TAKEN)]
    assert stored(street.database, 3).vehicle_id == "car-2"


def test_a_fleet_may_do_without_offers() -> None:
    street = made(FleetRules(swap_offers=False))
    street.be_late()
    assert street.offers() == []
