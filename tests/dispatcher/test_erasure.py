"""A member is given all that is known, and is erased: what is left is what the law asks for, until its limit."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, select, text, update

from contract.facts import AccessGranted, AccessRefused, Identity, KeyReturned, KeyTaken, Purpose
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.windows import DAY_MS
from dispatcher.importing.faults import ImportRefused
from dispatcher.store.audit import AuditAction, record
from dispatcher.store.custody import Holder, hand_on
from dispatcher.store.database import Database
from dispatcher.store.erasure import Erased, StillHolds, erase, still_holds
from dispatcher.store.erasure_list import BadErasureList, Erasure, ErasureList
from dispatcher.store.export import as_json, export_member
from dispatcher.store.forgetting import FORGOTTEN
from dispatcher.store.incidents import open_incident
from dispatcher.store.limits import LIMITS
from dispatcher.store.members import MemberSearch, member_by_id, members_page
from dispatcher.store.origin import with_origin
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import (
    badge_pins,
    bookings,
    held_names,
    key_states,
    members,
    metadata,
    organisations,
    pool_members,
    pools,
    rentals,
)
from dispatcher.store.unfounded import rows_with_drivers
from dispatcher.store.who_held import Person, who_held
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.network import booking_row, import_document, network_database
from tests.dispatcher.small_fleet import (
    HOUR,
    MINUTE,
    NOW_MS,
    ORIGIN,
    book,
    decide_deadlines,
    incidents,
    new_database,
    stored,
    take,
)
from tests.dispatcher.test_retention import keep_house, rows

RETURNED_MS = NOW_MS + HOUR
LATER_MS = NOW_MS + DAY_MS
YEAR_MS = 365 * DAY_MS
PLACE = "place-of-member-1"
UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}


def lived_in() -> Database:
    """Member 1 drove, was refused, was a driver of another's booking, and has a PIN."""
    database = new_database()
    book(database, end_ms=RETURNED_MS + HOUR)
    book(
        database,
        2,
        member_id="member-2",
        vehicle_id="car-2",
        key_id="key-2",
        driver_ids=("member-1", "member-3"),
        state=BookingState.CANCELLED,
        ended_ms=NOW_MS,
    )
    box = FakeBox()
    box.note(AccessGranted, reader="entrance", slot=1, purpose=Purpose.TAKE, key="key-1", **UNDER_1)
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    box.now_ms = RETURNED_MS
    box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", lit_slot=1, **UNDER_1)
    box.now_ms = RETURNED_MS + HOUR
    box.note(AccessRefused, reader="entrance", reason=Reason.NO_BOOKING, badge="ref-1")
    take(database, box.batch(), now_ms=box.now_ms)
    decide_deadlines(database, box.now_ms)
    assert stored(database).state is BookingState.COMPLETED

    def more(connection: Connection) -> None:
        pin = {"badge_id": "badge-1", "sealed": ORIGIN.pins.seal("badge-1", "2580")}
        connection.execute(insert(badge_pins).values(with_origin(connection, badge_pins, pin)))
        seen = Discrepancy(IncidentKind.BADGE_AT_TWO_STATIONS, "ref-1", expected="", seen="")
        open_incident(connection, seen, NOW_MS)
        connection.execute(insert(organisations).values(id="city-hall", name="Ville"))
        connection.execute(insert(pools).values(id="pool-1", organisation_id="city-hall", name="Parks"))
        joined = {"pool_id": "pool-1", "member_id": "member-1", "state": "active"}
        connection.execute(insert(pool_members).values(with_origin(connection, pool_members, joined)))
        record(connection, NOW_MS, "desk", AuditAction.MEMBER_EXPORTED, "member-1", reason="asked for it")

    database.write_now(more)
    return database


def erased(database: Database, now_ms: int = LATER_MS, who_held_ms: int = YEAR_MS) -> Erased:
    erasure = Erasure(now_ms, "member-1", PLACE)
    return database.write_now(lambda connection: erase(connection, erasure, who_held_ms, now_ms))


def everything(database: Database, *, without: tuple[str, ...] = ()) -> str:
    """Every row of every table."""
    return str({table.name: rows(database, table) for table in metadata.sorted_tables if table.name not in without})


# --- export


def exported(database: Database, member_id: str = "member-1") -> Any:
    document = database.read_now(lambda connection: export_member(connection, member_id, LATER_MS))
    return None if document is None else json.loads(as_json(document))


def test_the_document_holds_all_that_is_known_of_a_member() -> None:
    document = exported(lived_in())
    assert document["member"]["name"] == "Member 1"
    assert [(booking["id"], booking["role"]) for booking in document["bookings"]] == [
        ("booking-1", "owner"),
        ("booking-2", "driver"),
    ]
    counts = {name: len(part) for name, part in document.items() if isinstance(part, list)}
    assert counts == {
        "badges": 1,
        "bookings": 2,
        "booking_history": len(document["booking_history"]),
        "custody": 0,
        "pools": 1,
        "rentals": 1,
        "handovers": 2,
        "refusals": 1,
        "keys_brought_last": 1,
        "badge_sightings": 1,
        "facts": 4,
        "incidents": 1,
        "audit": 1,
    }
    assert document["rentals"][0]["returned_at"] == "2026-09-21T15:15:00Z"
    assert document["facts"][0]["fact"]["kind"] == "access_granted"


def test_their_badges_number_is_theirs_and_a_pin_is_told_to_nobody() -> None:
    database = lived_in()
    document = exported(database)
    (badge,) = document["badges"]
    assert (badge["credential"], badge["has_pin"]) == ("calypso:0000000000000001", True)
    (pin,) = rows(database, badge_pins)
    assert pin["sealed"] not in as_json(document)
    assert "2580" not in as_json(document)


def test_of_other_people_there_is_nothing_in_it() -> None:
    text = as_json(exported(lived_in()))
    assert not any(
        word in text for word in ("member-2", "Member 2", "member-3", "ref-2", "calypso:0000000000000002")
    )


def test_of_nobody_there_is_no_document() -> None:
    database = lived_in()
    assert exported(database, "member-9") is None
    erased(database)
    assert exported(database) is None
    assert exported(database, PLACE) is None


# --- what is in the way


def test_nobody_is_erased_whose_booking_holds_as_owner_or_as_driver() -> None:
    database = new_database()
    book(database, driver_ids=("member-2",))
    in_the_way = {
        member_id: database.read_now(partial(still_holds, member_id=member_id))
        for member_id in ("member-1", "member-2", "member-3")
    }
    booking = StillHolds(key_out=False, subject="booking-1")
    assert in_the_way == {"member-1": booking, "member-2": booking, "member-3": None}


@pytest.mark.parametrize("grant", ["grant-1", None])
def test_nobody_is_erased_who_has_a_key(grant: str | None) -> None:
    database = new_database()
    book(database)
    box = FakeBox()
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant=grant, badge="ref-2")
    take(database, box.batch())
    found = database.read_now(lambda connection: still_holds(connection, "member-2"))
    assert found is not None
    assert found.key_out


def test_nobody_is_erased_whose_badge_took_a_key_that_is_elsewhere_since() -> None:
    database = lived_in()
    assert database.read_now(lambda connection: still_holds(connection, "member-1")) is None
    database.write_now(lambda connection: connection.execute(update(key_states).values(state="elsewhere")))
    found = database.read_now(lambda connection: still_holds(connection, "member-1"))
    assert found == StillHolds(key_out=True, subject="key-1")


def test_nobody_is_erased_to_whom_an_orders_key_was_handed_on() -> None:
    database = new_database()
    order = book(database, purpose="cleaning", member_id="member-2", state=BookingState.ACTIVE, taken_ms=NOW_MS)
    database.write_now(lambda c: hand_on(c, order, NOW_MS, Holder("member-2"), Holder("member-1"), "desk", None))
    found = database.read_now(lambda connection: still_holds(connection, "member-1"))
    assert found == StillHolds(key_out=True, subject="booking-1")


# --- erasure


def test_name_badges_and_pins_are_gone_and_the_id_leads_to_nobody() -> None:
    database = lived_in()
    erased(database)
    left = everything(database, without=("held_names",))
    for word in ("Member 1", "'member-1'", '"member-1"', "calypso:0000000000000001", "badge-1", "2580"):
        assert word not in left, word
    assert database.read_now(lambda connection: member_by_id(connection, "member-1")) is None
    assert database.read_now(lambda connection: member_by_id(connection, PLACE)) is None


def test_bookings_stay_under_one_random_id_with_a_good_code() -> None:
    database = lived_in()
    before = stored(database)
    done = erased(database)
    assert (done.place_id, done.bookings) == (PLACE, 2)
    after = stored(database)
    assert (after.member_id, after.vehicle_id, after.returned_ms) == (PLACE, "car-1", before.returned_ms)
    assert stored(database, 2).driver_ids == ("member-3", PLACE)
    for row, drivers in database.read_now(lambda c: list(rows_with_drivers(c, bookings))):
        assert ORIGIN.holds(bookings, row, drivers)
    (place,) = [row for row in rows(database, members) if row["id"] == PLACE]
    assert ORIGIN.holds(members, place)
    assert place["standing"] == "suspended"


def test_a_booking_that_somebody_else_wrote_gets_no_code() -> None:
    database = lived_in()
    database.write_now(lambda connection: connection.execute(update(bookings).values(origin="00")))
    erased(database)
    assert not stored(database).has_origin


def test_who_held_the_vehicle_is_named_for_a_year_and_then_by_nobody() -> None:
    database = lived_in()
    done = erased(database)
    assert done.held_until_ms == RETURNED_MS + YEAR_MS

    def holder() -> Person | None:
        (held,) = database.read_now(lambda connection: who_held(connection, "car-1", NOW_MS + MINUTE))
        return held.person

    assert holder() == Person(PLACE, "Member 1", erased=True)
    keep_house(database, RETURNED_MS + YEAR_MS - 1)
    assert holder() == Person(PLACE, "Member 1", erased=True)
    keep_house(database, RETURNED_MS + YEAR_MS + MINUTE)
    assert holder() is None
    keep_house(database, RETURNED_MS + YEAR_MS + 3 * HOUR)
    left = everything(database)
    assert "Member 1" not in left
    assert "ref-1" not in left
    assert PLACE not in str(rows(database, members))
    assert stored(database).member_id == FORGOTTEN


def test_of_a_member_who_had_no_key_for_a_year_nothing_is_held() -> None:
    database = lived_in()
    done = erased(database, RETURNED_MS + YEAR_MS + 1)
    assert done.held_until_ms is None
    assert rows(database, held_names) == []
    assert [row["badge_ref"] for row in rows(database, rentals)] == [None]


def test_an_order_that_was_handed_on_to_a_member_holds_the_name_too() -> None:
    database = new_database()
    order = book(database, purpose="cleaning", member_id="member-2", state=BookingState.COMPLETED, ended_ms=NOW_MS)
    database.write_now(lambda c: hand_on(c, order, NOW_MS, Holder("member-2"), Holder("member-1"), "desk", None))
    assert erased(database).held_until_ms == NOW_MS + YEAR_MS
    assert [row["name"] for row in rows(database, held_names)] == ["Member 1"]


def test_an_incident_about_the_badge_is_closed_and_names_it_no_more() -> None:
    database = lived_in()
    erased(database)
    assert incidents(database) == [("badge_at_two_stations", PLACE, False)]


def test_other_people_are_as_they_were() -> None:
    database = lived_in()
    erased(database)
    assert {row["id"] for row in rows(database, members)} == {"member-2", "member-3", PLACE}
    page = database.read_now(lambda c: members_page(c, MemberSearch(), PageRequest(10)))
    assert [member.id for member in page.items] == ["member-2", "member-3"]


def _columns_that_name(named: Table) -> set[str]:
    return {
        f"{table.name}.{key.parent.name}"
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table is named
    }


def test_every_column_that_names_a_member_is_known_to_the_erasure() -> None:
    """A new one is added to `dispatcher.store.erasure` and here."""
    assert _columns_that_name(_badges()) == {"badge_pins.badge_id", "badge_spread.badge_id"}
    assert _columns_that_name(members) == {
        "badges.member_id",
        "booking_drivers.member_id",
        "bookings.member_id",
        "custody.from_member_id",
        "custody.to_member_id",
        "held_badges.member_id",
        "held_names.member_id",
        "pool_members.member_id",
    }
    assert "members" in {limit.table.name for limit in LIMITS}


# --- badges that go on to somebody else


def test_what_was_done_with_a_badge_stays_with_whoever_had_it_then() -> None:
    with network_database() as database:
        ref = database.read_now(
            lambda c: c.execute(text("SELECT ref FROM badges WHERE id = 'b-alix'")).scalar_one()
        )
        row = {"vehicle_id": "v-city-1", "key_id": "k", "cabinet_id": "gare-1", "badge_ref": ref}
        rental = {**row, "taken_ms": NOW_MS, "returned_ms": NOW_MS + HOUR}
        database.write_now(lambda connection: connection.execute(insert(rentals).values(rental)))
        moved = {"id": "b-alix", "member_id": "m-brahim", "credential": "calypso:00000000075BCD15"}
        import_document(database, {"badges": [moved]}, seed=2)
        (held,) = database.read_now(lambda connection: who_held(connection, "v-city-1", NOW_MS + MINUTE))
        assert held.person == Person("m-alix", "Alix Dumont", erased=False)
        (now,) = [badge for badge in rows(database, _badges()) if badge["id"] == "b-alix"]
        assert now["ref"] != ref
        erasure = Erasure(LATER_MS, "m-alix", PLACE)
        database.write_now(lambda connection: erase(connection, erasure, YEAR_MS, LATER_MS))
        (held,) = database.read_now(lambda connection: who_held(connection, "v-city-1", NOW_MS + MINUTE))
        assert held.person == Person(PLACE, "Alix Dumont", erased=True)


def _badges() -> Table:
    return metadata.tables["badges"]


@pytest.mark.parametrize("erase_first", [True, False])
def test_nobody_is_imported_in_the_place_of_somebody_erased(erase_first: bool) -> None:
    with network_database() as database:
        place = FORGOTTEN
        if erase_first:
            place = PLACE
            assert booking_row("b", NOW_MS, NOW_MS + HOUR).member_id == "m-alix"
            erasure = Erasure(LATER_MS, "m-alix", PLACE)
            database.write_now(lambda connection: erase(connection, erasure, YEAR_MS, LATER_MS))
        with pytest.raises(ImportRefused, match="erased"):
            import_document(database, {"members": [{"id": place, "name": "Somebody"}]})


# --- the list outside the database


def test_the_list_tells_from_an_instant_on_what_was_appended(tmp_path: Path) -> None:
    erasures = ErasureList(tmp_path / "erasures")
    assert erasures.since(0) == ()
    first, second = Erasure(5, "member-1", "p1"), Erasure(9, "member_2", "p-2")
    erasures.append(first)
    erasures.append(second)
    assert erasures.since(0) == (first, second)
    assert erasures.since(6) == (second,)
    assert (tmp_path / "erasures").read_text() == "5 member-1 p1\n9 member_2 p-2\n"


def test_a_line_that_is_none_of_ours_is_named_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "erasures"
    path.write_text("5 member-1 p1\nAlix Dumont\n")
    with pytest.raises(BadErasureList, match=r"erasures:2: \(not shown\): expected") as raised:
        ErasureList(path).since(0)
    assert "Alix" not in str(raised.value)


def test_an_erased_member_does_not_disappear_from_the_facts_chain() -> None:
    database = lived_in()
    before = [row["hash"] for row in rows(database, metadata.tables["facts"])]
    erased(database)
    assert [row["hash"] for row in rows(database, metadata.tables["facts"])] == before
    assert database.read_now(lambda c: c.execute(select(members.c.id)).scalars().all())
