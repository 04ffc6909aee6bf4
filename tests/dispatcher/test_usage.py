"""The facts for whoever bills: late, hit, cancelled, driven, and by whom."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, update

from contract.facts import GrantCompleted, Identity, KeyReturned, KeyTaken, VehicleReading
from dispatcher.core.booking_states import BookingState
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import WantedChange, WantedReplacement
from dispatcher.store.bookings import Booking, booking_by_id
from dispatcher.store.operators_desk import OperatorsDesk
from dispatcher.store.schema import badges
from dispatcher.store.usage import Usage, usage_of
from tests.dispatcher import small_fleet as fleet
from tests.dispatcher.api_client import running_api
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.network import ELEVEN_MS
from tests.dispatcher.small_fleet import HOUR, MINUTE, NOW_MS, RULES, counted_bytes

END_MS = NOW_MS + 2 * HOUR


class Bench:
    def __init__(self) -> None:
        self.database = fleet.new_database()
        self.box = FakeBox()

    def tell(self, at_ms: int, kind: type[Any], **fields: Any) -> None:
        self.box.now_ms = at_ms
        seq = self.box.note(kind, **{"grant": "grant-1", "badge": "ref-1", **fields})
        fleet.take(self.database, self.box.batch(seq), now_ms=at_ms)

    def take_key(self, at_ms: int, **fields: Any) -> None:
        self.tell(at_ms, KeyTaken, **{"slot": 1, "identity": Identity.READ, "key": "key-1", **fields})

    def return_key(self, at_ms: int, **fields: Any) -> None:
        self.tell(at_ms, KeyReturned, **{"slot": 1, "identity": Identity.READ, "key": "key-1", **fields})

    def at_desk(self, at_ms: int, number: int, work: Callable[[BookingDesk, Booking], Any]) -> None:
        def run(connection: Connection) -> None:
            booking = locked(connection, f"booking-{number}")
            assert booking is not None
            outcome = work(BookingDesk(connection, RULES, at_ms, counted_bytes(), "api/test"), booking)
            assert isinstance(outcome, Booking), outcome

        self.database.write_now(run)

    def usage(self, number: int = 1) -> Usage:
        def read(connection: Connection) -> Usage:
            booking = booking_by_id(connection, f"booking-{number}")
            assert booking is not None
            return usage_of(connection, booking)

        return self.database.read_now(read)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _reading(odometer_m: int, energy_percent: int) -> VehicleReading:
    return VehicleReading(age_s=0, odometer_m=odometer_m, energy_percent=energy_percent)


def test_a_drive_has_its_distance_its_energy_and_whose_badge_took_the_key(bench: Bench) -> None:
    fleet.book(bench.database, driver_ids=("member-2",))
    bench.take_key(NOW_MS, badge="ref-2", vehicle=_reading(1_000_000, 80))
    bench.return_key(NOW_MS + HOUR, badge="ref-2", vehicle=_reading(1_042_000, 61))
    usage = bench.usage()
    (drive,) = usage.drives
    assert (drive.vehicle_id, drive.badge_ref, drive.member_id) == ("car-1", "ref-2", "member-2")
    assert (usage.distance_m, usage.energy_used_percent) == (42_000, 19)
    assert (usage.closed, usage.late_s, usage.bookings_hit, usage.notice_s) == (False, 0, (), None)
    bench.tell(NOW_MS + HOUR + 9_000, GrantCompleted, reader="entrance", badge="ref-2")
    assert bench.usage().closed


def test_drives_before_and_after_a_stop_over_are_summed(bench: Bench) -> None:
    fleet.book(bench.database)
    for number in range(2):
        at_ms = NOW_MS + number * 30 * MINUTE
        bench.take_key(at_ms, vehicle=_reading(1_000_000 + number * 10_000, 80 - number))
        bench.return_key(at_ms + 25 * MINUTE, vehicle=_reading(1_005_000 + number * 10_000, 79 - number))
    usage = bench.usage()
    assert len(usage.drives) == 2
    assert (usage.distance_m, usage.energy_used_percent) == (10_000, 2)


def test_what_is_not_known_of_one_drive_is_not_known_of_all(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key(NOW_MS, vehicle=_reading(1_000_000, 80))
    bench.return_key(NOW_MS + HOUR)
    assert (bench.usage().distance_m, bench.usage().energy_used_percent) == (None, None)


def test_who_drove_is_not_known_where_the_badge_is_nobodys_any_more(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key(NOW_MS)
    bench.database.write_now(lambda c: c.execute(update(badges).values(ref=badges.c.ref + "-gone")))
    (drive,) = bench.usage().drives
    assert (drive.badge_ref, drive.member_id) == ("ref-1", None)


def test_a_late_return_keeps_how_late_and_whose_start_was_missed(bench: Bench) -> None:
    fleet.book(bench.database)
    fleet.book(bench.database, 2, start_ms=END_MS)
    fleet.book(bench.database, 3, start_ms=END_MS + 2 * HOUR)  # still to come
    fleet.book(bench.database, 4, start_ms=END_MS + 15 * MINUTE, vehicle_id="car-2", key_id="key-2")
    bench.take_key(NOW_MS)
    bench.return_key(END_MS + 40 * MINUTE + 30_000)
    usage = bench.usage()
    assert (usage.late_s, usage.bookings_hit) == (40 * 60 + 30, ("booking-2",))


def test_a_return_at_the_last_instant_is_in_time(bench: Bench) -> None:
    fleet.book(bench.database)
    fleet.book(bench.database, 2, start_ms=END_MS)
    bench.take_key(NOW_MS)
    bench.return_key(END_MS)
    assert (bench.usage().late_s, bench.usage().bookings_hit) == (0, ())


def test_a_booking_that_was_cancelled_before_its_start_was_not_hit(bench: Bench) -> None:
    fleet.book(bench.database)
    fleet.book(bench.database, 2, start_ms=END_MS, state=BookingState.CANCELLED, ended_ms=END_MS - MINUTE)
    fleet.book(bench.database, 3, start_ms=END_MS, state=BookingState.CANCELLED, ended_ms=END_MS + MINUTE)
    bench.take_key(NOW_MS)
    bench.return_key(END_MS + HOUR)
    assert bench.usage().bookings_hit == ("booking-3",)


def test_a_booking_that_was_hit_stays_so_where_it_was_given_another_vehicle_since(bench: Bench) -> None:
    fleet.book(bench.database)
    fleet.book(bench.database, 2, start_ms=END_MS)
    bench.take_key(NOW_MS)
    instead = WantedReplacement("not back yet", vehicle_id="car-2")
    bench.at_desk(END_MS + 10 * MINUTE, 2, lambda desk, booking: OperatorsDesk(desk).replace(booking, instead))
    bench.return_key(END_MS + 40 * MINUTE)
    assert bench.usage().bookings_hit == ("booking-2",)


def test_a_booking_that_was_moved_in_time_was_not_hit(bench: Bench) -> None:
    fleet.book(bench.database)
    fleet.book(bench.database, 2, start_ms=END_MS)
    bench.take_key(NOW_MS)
    moved = WantedChange(vehicle_id="car-2", accept_unreachable=True)
    bench.at_desk(END_MS - MINUTE, 2, lambda desk, booking: desk.change(booking, moved))
    bench.return_key(END_MS + 40 * MINUTE)
    assert bench.usage().bookings_hit == ()


def test_notice_counts_from_the_original_start_whatever_was_changed_since(bench: Bench) -> None:
    start_ms = NOW_MS + 24 * HOUR
    fleet.book(bench.database, start_ms=start_ms)
    later = WantedChange(start_ms=start_ms + HOUR, end_ms=start_ms + 3 * HOUR, accept_unreachable=True)
    bench.at_desk(NOW_MS, 1, lambda desk, booking: desk.change(booking, later))
    bench.at_desk(NOW_MS + HOUR, 1, lambda desk, booking: desk.cancel(booking))
    assert bench.usage().notice_s == 23 * 3600
    assert bench.usage().closed


def test_a_booking_that_an_operator_ended_was_late_until_then(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key(NOW_MS)
    bench.at_desk(END_MS + HOUR, 1, lambda desk, booking: OperatorsDesk(desk).complete(booking, "at the garage"))
    usage = bench.usage()
    assert (usage.closed, usage.late_s) == (True, 3600)


async def test_the_api_tells_the_facts_and_no_price() -> None:
    async with running_api() as api:
        booking = await api.book()
        path = f"/bookings/{booking['id']}"
        await api.post(f"{path}/cancel", status=200)
        usage = await api.get(f"{path}/usage")
        assert usage["notice_s"] == (ELEVEN_MS - api.clock.now_ms()) // 1000
        assert (usage["minutes_late"], usage["drives"], usage["closed"]) == (0, [], True)
        assert (await api.get("/bookings/none/usage", 404))["reason"] == "not_found"
