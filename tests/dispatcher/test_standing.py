"""What becomes of bookings whose member is suspended, or whose licence expired."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.grants import horizon_ms
from dispatcher.core.rules import FleetRules
from dispatcher.store.bookings import booking_by_id, history_page, insert_booking
from dispatcher.store.database import Database
from dispatcher.store.deadlines import decide, past_deadlines
from dispatcher.store.grant_status import GrantStatus, grant_statuses
from dispatcher.store.material import material_of
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import cursors, outbox
from dispatcher.store.standing import RESTORED, WITHHELD, tell_standing
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, booking_row, import_document, network_database

RULES = FleetRules()
NAMES = {"m-alix": "Alix Dumont", "m-brahim": "Brahim Lesage"}


@pytest.fixture
def database() -> Iterator[Database]:
    with network_database() as database:
        yield database


def _book(database: Database, **changes: Any) -> None:
    row = booking_row("one", ELEVEN_MS, ELEVEN_MS + 2 * HOUR_MS, **changes)
    assert database.write_now(lambda c: insert_booking(c, row))


def _stand(database: Database, standing: str, member_id: str = "m-alix") -> None:
    import_document(database, {"members": [{"id": member_id, "name": NAMES[member_id], "standing": standing}]})


def _grant(database: Database) -> GrantStatus | None:
    def read(connection: Connection) -> GrantStatus | None:
        booking = booking_by_id(connection, "one")
        assert booking is not None
        return grant_statuses(connection, [booking]).get("one")

    return database.read_now(read)


def _history(database: Database) -> list[str]:
    page = database.read_now(lambda c: history_page(c, "one", PageRequest(limit=50)))
    return [entry.what for entry in page.items]


def _state(database: Database) -> BookingState:
    booking = database.read_now(lambda c: booking_by_id(c, "one"))
    assert booking is not None
    return booking.state


@pytest.mark.parametrize("standing", ["suspended", "licence_expired"])
def test_a_booking_to_come_stays_and_its_right_is_withheld_until_the_member_may_drive_again(
    database: Database, standing: str
) -> None:
    _book(database)
    assert _grant(database) is GrantStatus.CABINET_UNREACHABLE
    _stand(database, standing)
    assert (_state(database), _grant(database)) == (BookingState.BOOKED, GrantStatus.WITHHELD)
    assert (
        database.read_now(lambda c: material_of(c, "gare-1", horizon_ms(RULES, NOW_MS))).in_standing == frozenset()
    )
    _stand(database, "active")
    assert _grant(database) is GrantStatus.CABINET_UNREACHABLE
    assert _history(database) == [WITHHELD, RESTORED]


def test_the_notice_goes_out_as_an_event_once_however_often_it_is_told(database: Database) -> None:
    _book(database)
    _stand(database, "suspended")
    _stand(database, "licence_expired")
    for _ in range(2):
        database.write_now(lambda c: tell_standing(c, ["m-alix"], NOW_MS, "api/test"))
    events = database.read_now(lambda c: [str(row) for row in c.execute(select(outbox))])
    assert len([text for text in events if WITHHELD in text]) == 1
    assert _history(database) == [WITHHELD]


def test_a_booking_that_names_somebody_who_may_drive_keeps_its_right(database: Database) -> None:
    _book(database, driver_ids=("m-brahim",))
    _stand(database, "suspended")
    assert _grant(database) is GrantStatus.CABINET_UNREACHABLE
    assert _history(database) == []
    _stand(database, "suspended", "m-brahim")
    assert _grant(database) is GrantStatus.WITHHELD
    assert _history(database) == [WITHHELD]


def test_a_pool_in_which_somebody_may_drive_keeps_the_right(database: Database) -> None:
    _book(database, organisation_id="city-hall", pool_id="archivists")
    _stand(database, "suspended")
    assert _grant(database) is GrantStatus.CABINET_UNREACHABLE
    agent = {"id": "m-agent", "name": "A", "organisation_id": "city-hall", "standing": "suspended"}
    import_document(database, {"members": [agent]})
    assert _grant(database) is GrantStatus.WITHHELD
    assert _history(database) == [WITHHELD]


@pytest.mark.parametrize("state", [BookingState.ACTIVE, BookingState.RETURNED])
def test_a_key_that_is_out_or_was_just_brought_back_is_not_cut_off(database: Database, state: BookingState) -> None:
    _book(database, state=state, taken_ms=ELEVEN_MS)
    _stand(database, "suspended")
    assert _grant(database) is GrantStatus.CABINET_UNREACHABLE
    assert _history(database) == []


@pytest.mark.parametrize(
    ("standing", "state", "why"),
    [("suspended", BookingState.CANCELLED, "withheld"), ("active", BookingState.NO_SHOW, None)],
)
def test_who_was_not_let_in_is_no_no_show(
    database: Database, standing: str, state: BookingState, why: str | None
) -> None:
    _book(database)
    _stand(database, standing)
    cursor = {"cabinet_id": "gare-1", "epoch": "e" * 32, "number": 1, "created_ms": NOW_MS, "seq": 1}
    told = {**cursor, "hash": "0" * 64, "complete_ms": ELEVEN_MS + HOUR_MS}
    database.write_now(lambda c: c.execute(insert(cursors).values(told)))
    later_ms = ELEVEN_MS + HOUR_MS
    assert not database.write_now(lambda c: decide(c, RULES, past_deadlines(c, RULES, later_ms), later_ms))
    assert _state(database) is state
    page = database.read_now(lambda c: history_page(c, "one", PageRequest(limit=50)))
    assert page.items[-1].detail.get("why") == why
