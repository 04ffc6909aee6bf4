"""Who held a vehicle at an instant: the badge that took its key, by name, for one case, and recorded."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select, update

from contract.facts import Identity, KeyReturned, KeyTaken
from dispatcher.core.windows import DAY_MS, utc_text
from dispatcher.store.audit import AuditAction
from dispatcher.store.commands import RELEASE_SLOT, StoredCommand, insert_command
from dispatcher.store.custody import Holder, hand_on
from dispatcher.store.database import Database
from dispatcher.store.schema import audit, badges, held_badges, held_names, members, rentals
from dispatcher.store.who_held import Held, Person, who_held
from tests.dispatcher.api_client import OTHER_TOKEN, Api, running_api
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.network import NOW_MS as NOW_AT_THE_DESK_MS
from tests.dispatcher.network import at
from tests.dispatcher.small_fleet import CABINET, HOUR, MINUTE, NOW_MS, book, new_database, stored, take

UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}
MEMBER_1 = Person("member-1", "Member 1", erased=False)


def asked(database: Database, at_ms: int, vehicle_id: str = "car-1") -> tuple[Held, ...]:
    return database.read_now(lambda connection: who_held(connection, vehicle_id, at_ms))


def driven(database: Database, badge: str | None = "ref-1", **fields: Any) -> None:
    """From a minute after now, for an hour."""
    book(database)
    box = FakeBox()
    box.now_ms = NOW_MS + MINUTE
    names: dict[str, Any] = {
        "identity": Identity.READ,
        "key": "key-1",
        "grant": "grant-1",
        "badge": badge,
        **fields,
    }
    box.note(KeyTaken, slot=1, **names)
    box.now_ms += HOUR
    back = {name: value for name, value in names.items() if name != "command"}
    box.note(KeyReturned, slot=1, **back)
    take(database, box.batch(), now_ms=box.now_ms)


@pytest.mark.parametrize(
    ("after_ms", "known"), [(MINUTE - 1, False), (MINUTE, True), (MINUTE + HOUR - 1, True), (MINUTE + HOUR, False)]
)
def test_a_key_is_held_from_its_take_until_its_return(after_ms: int, known: bool) -> None:
    database = new_database()
    driven(database)
    held = asked(database, NOW_MS + after_ms)
    assert [one.person for one in held] == ([MEMBER_1] if known else [])


def test_the_badge_counts_and_not_the_booking() -> None:
    """Member 1 booked, and member 2, an allowed driver, took the key."""
    database = new_database()
    driven(database, badge="ref-2")
    (held,) = asked(database, NOW_MS + HOUR)
    assert held.person == Person("member-2", "Member 2", erased=False)
    assert held.booking_id == "booking-1"


@pytest.mark.parametrize("identity", [Identity.READ, Identity.PRESUMED])
def test_how_sure_the_key_was_is_said(identity: Identity) -> None:
    database = new_database()
    driven(database, identity=identity)
    (held,) = asked(database, NOW_MS + HOUR)
    assert (held.identity, held.key_id) == (identity, "key-1")


def test_a_key_that_nothing_read_is_asked_for_by_its_bookings_vehicle() -> None:
    database = new_database()
    driven(database, key=None, identity=Identity.UNKNOWN)
    (held,) = asked(database, NOW_MS + HOUR)
    assert (held.person, held.key_id, held.identity) == (MEMBER_1, None, "unknown")


def test_a_slot_that_was_released_from_afar_names_who_ordered_it() -> None:
    database = new_database()
    command = StoredCommand(
        "command-1", CABINET, 1, 7, RELEASE_SLOT, "hotline", "badge broken", NOW_MS, NOW_MS + HOUR
    )
    database.write_now(lambda connection: insert_command(connection, command))
    driven(database, badge=None, grant=None, command="command-1")
    (held,) = asked(database, NOW_MS + HOUR)
    assert held.person is None
    assert held.ordered is not None
    assert (held.ordered.author, held.ordered.reason) == ("hotline", "badge broken")


def test_declarations_until_then_are_told_and_later_ones_are_not() -> None:
    database = new_database()
    driven(database)

    order = stored(database)

    def declare(connection: Any) -> None:
        for after_ms, name in ((10 * MINUTE, "Garage Nord"), (40 * MINUTE, "Towing")):
            hand_on(connection, order, NOW_MS + after_ms, Holder("member-1"), Holder(name=name), "desk", None)

    database.write_now(declare)
    (held,) = asked(database, NOW_MS + 30 * MINUTE)
    assert [one.taker.name for one in held.declared] == ["Garage Nord"]
    assert held.person == MEMBER_1


def test_an_erased_member_is_named_out_of_what_is_held_for_this() -> None:
    database = new_database()
    driven(database)

    def erase(connection: Any) -> None:
        connection.execute(update(badges).where(badges.c.ref == "ref-1").values(ref="other"))
        connection.execute(update(members).where(members.c.id == "member-3").values(name="", erased_ms=NOW_MS))
        kept = {"member_id": "member-3", "until_ms": NOW_MS + DAY_MS}
        connection.execute(insert(held_badges).values(ref="ref-1", **kept))
        connection.execute(insert(held_names).values(name="Member 1", **kept))

    database.write_now(erase)
    (held,) = asked(database, NOW_MS + HOUR)
    assert held.person == Person("member-3", "Member 1", erased=True)


def test_past_the_limit_nobody_is_named() -> None:
    database = new_database()
    driven(database)
    database.write_now(lambda connection: connection.execute(update(rentals).values(badge_ref=None)))
    (held,) = asked(database, NOW_MS + HOUR)
    assert (held.person, held.booking_id) == (None, "booking-1")


def test_two_keys_of_one_vehicle_are_two_answers() -> None:
    database = new_database()
    driven(database)
    spare = {"vehicle_id": "car-1", "key_id": "key-9", "cabinet_id": CABINET, "badge_ref": "ref-2"}
    row = {**spare, "taken_ms": NOW_MS, "returned_ms": None}
    database.write_now(lambda connection: connection.execute(insert(rentals).values(row)))
    people = [one.person.member_id if one.person else None for one in asked(database, NOW_MS + HOUR)]
    assert people == ["member-2", "member-1"]


# --- through the API

AN_HOUR_AGO_MS = NOW_AT_THE_DESK_MS - HOUR
QUESTION = {"vehicle_id": "v-city-1", "at": at(AN_HOUR_AGO_MS), "case": "PV 2026-118", "reason": "speeding notice"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api(token=OTHER_TOKEN) as api:
        yield api


def _hold(api: Api) -> None:
    def work(connection: Any) -> None:
        ref = connection.execute(select(badges.c.ref).where(badges.c.id == "b-alix")).scalar_one()
        names = {"vehicle_id": "v-city-1", "key_id": "k-city-1", "cabinet_id": "gare-1", "badge_ref": ref}
        row = {**names, "taken_ms": AN_HOUR_AGO_MS - HOUR, "returned_ms": None}
        connection.execute(insert(rentals).values(row))

    api.database.write_now(work)


async def test_the_question_names_the_driver_and_is_in_the_audit_record(api: Api) -> None:
    _hold(api)
    answer = await api.post("/reports/who-held", QUESTION, 200)
    (held,) = answer["held"]
    assert held["person"] == {"member_id": "m-alix", "name": "Alix Dumont", "erased": False}
    (entry,) = (await api.get("/audit"))["items"]
    assert entry == {
        "number": answer["audit_number"],
        "at": utc_text(NOW_AT_THE_DESK_MS),
        "author": "operators",
        "action": "who_held",
        "subject": f"v-city-1/{at(AN_HOUR_AGO_MS)}",
        "case": "PV 2026-118",
        "reason": "speeding notice",
    }


async def test_a_question_that_finds_nobody_is_recorded_too(api: Api) -> None:
    assert (await api.post("/reports/who-held", QUESTION, 200))["held"] == []
    assert len((await api.get("/audit"))["items"]) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [({"case": ""}, "case"), ({"reason": ""}, "reason"), ({"vehicle_id": "v-none"}, "vehicle_id")],
)
async def test_without_case_reason_or_vehicle_nothing_is_told(api: Api, change: dict[str, str], field: str) -> None:
    problem = await api.post("/reports/who-held", {**QUESTION, **change}, 422)
    assert [fault["field"] for fault in problem["errors"]] == [field]
    assert (await api.get("/audit"))["items"] == []


async def test_of_the_future_nobody_knows(api: Api) -> None:
    problem = await api.post("/reports/who-held", {**QUESTION, "at": at(NOW_AT_THE_DESK_MS + MINUTE)}, 422)
    assert problem["errors"][0]["field"] == "at"


async def test_no_name_and_no_reference_of_a_badge_is_in_the_record(api: Api) -> None:
    _hold(api)
    await api.post("/reports/who-held", QUESTION, 200)
    rows = api.database.read_now(lambda connection: connection.execute(select(audit)).all())
    refs = api.database.read_now(lambda connection: connection.execute(select(badges.c.ref)).scalars().all())
    assert not any(word in str(rows) for word in ("Alix", "Dumont", "m-alix", *refs))


async def test_slots_that_were_opened_from_afar_are_recorded_with_their_reason(api: Api) -> None:
    await api.post("/cabinets/gare-1/commands", {"slot": 2, "reason": "badge broken"})
    await api.post("/cabinets/gare-1/release-codes", {"slot": 3, "reason": "no network"})
    entries = (await api.get("/audit"))["items"]
    assert [(entry["action"], entry["subject"], entry["reason"]) for entry in entries] == [
        ("release_code_made", "gare-1/3", "no network"),
        ("slot_released", "gare-1/2", "badge broken"),
    ]


async def test_the_record_is_searched_by_what_who_whom_and_when(api: Api) -> None:
    await api.post("/cabinets/gare-1/commands", {"slot": 2, "reason": "one"})
    api.clock.at_ms += HOUR
    await api.post("/cabinets/mairie-1/commands", {"slot": 2, "reason": "two"})

    async def found(**query: Any) -> list[str]:
        return [entry["reason"] for entry in (await api.get("/audit", **query))["items"]]

    assert await found(subject="gare-1") == ["one"]
    assert await found(subject="gare-1/2") == ["one"]
    assert await found(subject="gare") == []
    assert await found(action="slot_released") == ["two", "one"]
    assert await found(action="who_held") == []
    assert await found(author="front-end") == []
    assert await found(**{"from": at(NOW_AT_THE_DESK_MS + 1)}) == ["two"]
    assert await found(until=at(NOW_AT_THE_DESK_MS + 1)) == ["one"]


async def test_the_record_comes_in_pages_the_newest_first(api: Api) -> None:
    for number in range(3):
        await api.post("/cabinets/gare-1/commands", {"slot": 2, "reason": f"reason {number}"})
    first = await api.get("/audit", limit=2)
    second = await api.get("/audit", limit=2, cursor=first["next"])
    assert [entry["reason"][-1] for entry in (*first["items"], *second["items"])] == ["2", "1", "0"]
    assert second["next"] is None


def test_every_action_fits_its_column() -> None:
    assert all(len(action) <= 64 for action in AuditAction)
