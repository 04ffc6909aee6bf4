"""Bookings through the API: made, read, listed, changed, cancelled, each refusal with its reason."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Connection, insert

from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import MINUTE_MS
from dispatcher.store.incidents import open_incident
from dispatcher.store.schema import desired_grants, desired_states
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import (
    ELEVEN_MS,
    HOUR_MS,
    NETWORK,
    NOW_MS,
    at,
    import_document,
    set_booking,
    set_key,
    set_link,
)

ONE_MS = ELEVEN_MS + 2 * HOUR_MS


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


def _fields(problem: dict[str, Any]) -> list[str]:
    return [fault["field"] for fault in problem["errors"]]


# --- making one


async def test_a_booking_is_answered_with_everything_its_member_needs(api: Api) -> None:
    booking = await api.book(driver_ids=["m-brahim"])
    assert booking == {
        "id": booking["id"],
        "member_id": "m-alix",
        "driver_ids": ["m-brahim"],
        "pool_id": None,
        "organisation_id": None,
        "cost_centre_id": None,
        "vehicle_id": "v-city-1",
        "category": None,
        "station_id": "gare",
        "cabinet_id": "gare-1",
        "start": "2026-10-04T11:00:00Z",
        "end": "2026-10-04T13:00:00Z",
        "original_start": "2026-10-04T11:00:00Z",
        "take_by": "2026-10-04T11:30:00Z",
        "state": "booked",
        "overdue": False,
        "grant": "cabinet_unreachable",
        "taken_at": None,
        "returned_at": None,
        "hold_until": None,
        "ended_at": None,
        "created_at": "2026-10-04T10:07:00Z",
        "changed_at": "2026-10-04T10:07:00Z",
        "version": 1,
    }
    assert await api.get(f"/bookings/{booking['id']}") == booking


async def test_a_new_booking_says_where_it_is_and_wakes_the_publisher(api: Api) -> None:
    set_link(api.database, "gare-1")
    body = {"member_id": "m-alix", "vehicle_id": "v-city-1", "start": at(ELEVEN_MS), "end": at(ONE_MS)}
    response = await api.http.post("/api/v1/bookings", json=body)
    assert response.headers["location"] == f"/api/v1/bookings/{response.json()['id']}"
    assert api.wakes == [NOW_MS]


async def test_ids_say_nothing(api: Api) -> None:
    booking = await api.book()
    assert len(booking["id"]) == 20
    assert "alix" not in booking["id"]


async def test_a_double_booking_is_refused_and_names_the_next_free_interval(api: Api) -> None:
    await api.book()
    problem = await api.book(409, member_id="m-brahim", start=at(ELEVEN_MS + HOUR_MS), end=at(ONE_MS + HOUR_MS))
    assert problem["reason"] == "vehicle_not_free"
    (verdict,) = problem["not_free"]
    assert verdict["vehicle_id"] == "v-city-1"
    assert verdict["next_free"]["start"] == at(ONE_MS)
    assert len(api.wakes) == 1


async def test_bookings_may_touch(api: Api) -> None:
    await api.book()
    await api.book(start=at(ONE_MS), end=at(ONE_MS + HOUR_MS))


async def test_a_category_is_booked_until_no_vehicle_of_it_is_free(api: Api) -> None:
    wanted: dict[str, Any] = {"category": "city", "station_id": "gare"}
    booked = {(await api.book(**wanted))["vehicle_id"] for _ in range(2)}
    assert booked == {"v-city-1", "v-city-2"}
    problem = await api.book(409, **wanted)
    assert problem["reason"] == "vehicle_not_free"
    assert len(problem["not_free"]) == 2


@pytest.mark.parametrize(
    "what",
    [
        {"vehicle_id": None},
        {"vehicle_id": None, "category": "city"},
        {"vehicle_id": None, "station_id": "gare"},
        {"category": "city", "vehicle_id": "v-city-1", "station_id": "gare"},
    ],
)
async def test_either_a_vehicle_or_a_category_at_a_station_is_booked(api: Api, what: dict[str, Any]) -> None:
    problem = await api.book(422, **what)
    assert _fields(problem) == ["vehicle_id"]
    assert problem["errors"][0]["expected"] == "either vehicle_id, or category and station_id"


async def test_the_same_instant_may_be_written_with_any_offset(api: Api) -> None:
    booking = await api.book(start="2026-10-04T13:00:00+02:00", end="2026-10-04T13:00Z")
    assert (booking["start"], booking["end"]) == (at(ELEVEN_MS), at(ONE_MS))


async def test_the_hour_that_comes_twice_in_october_is_told_apart_by_its_offset(api: Api) -> None:
    summer = await api.book(start="2026-10-25T02:30:00+02:00", end="2026-10-25T03:30:00+02:00")
    winter = await api.book(start="2026-10-25T02:30:00+01:00", end="2026-10-25T03:30:00+01:00")
    assert summer["start"] == "2026-10-25T00:30:00Z"
    assert winter["start"] == "2026-10-25T01:30:00Z"


@pytest.mark.parametrize(
    ("fields", "reason", "wrong"),
    [
        ({"start": "2026-10-25T02:30:00"}, "time_without_offset", ["start"]),
        ({"start": "2027-03-28T02:30:00", "end": "2027-03-28T04:30"}, "time_without_offset", ["start", "end"]),
        ({"start": "2026-10-25"}, "invalid_request", ["start"]),
        ({"start": 1_791_108_420}, "invalid_request", ["start"]),
        ({"start": "1791108420"}, "invalid_request", ["start"]),
        ({"start": "2026-02-30T10:00:00Z"}, "invalid_request", ["start"]),
        ({"start": "0001-01-01T00:00:00+12:00"}, "invalid_request", ["start"]),
        ({"end": "9999-12-31T23:59:59-12:00"}, "invalid_request", ["end"]),
        ({"start": at(ELEVEN_MS + MINUTE_MS)}, "off_grid", ["start"]),
        ({"start": "2026-10-04T11:00:00.001Z"}, "off_grid", ["start"]),
        ({"end": at(ELEVEN_MS)}, "end_not_after_start", ["end"]),
        ({"end": at(ELEVEN_MS + 45 * MINUTE_MS)}, "too_short", ["end"]),
        ({"start": "2026-10-04T09:45:00Z"}, "in_the_past", ["start"]),
        ({"end": "2027-10-06T11:00:00Z"}, "beyond_horizon", ["end"]),
        ({"vehicle_id": "v-none"}, "unknown_vehicle", ["vehicle_id"]),
        ({"member_id": "m-none"}, "unknown_member", ["member_id"]),
        ({"driver_ids": ["m-none"]}, "unknown_member", ["driver_ids"]),
        ({"driver_ids": ["m-brahim", "m 2"]}, "invalid_request", ["driver_ids.1"]),
        ({"driver_ids": [f"m-{n}" for n in range(21)]}, "invalid_request", ["driver_ids"]),
        ({"category": "city", "station_id": "none"}, "unknown_station", ["station_id"]),
        ({"category": "van", "station_id": "gare"}, "no_such_vehicle_here", ["category"]),
        ({"organisation_id": "city-hall"}, "not_of_organisation", ["member_id"]),
    ],
)
async def test_a_wrong_wish_is_refused_by_reason_and_field(
    api: Api, fields: dict[str, Any], reason: str, wrong: list[str]
) -> None:
    problem = await api.book(422, **fields)
    assert problem["reason"] == reason
    assert _fields(problem) == wrong
    assert api.wakes == []


@pytest.mark.parametrize(("member", "reason"), [("m-suspended", "suspended"), ("m-expired", "licence_expired")])
async def test_a_member_out_of_standing_does_not_book(api: Api, member: str, reason: str) -> None:
    assert (await api.book(409, member_id=member))["reason"] == reason


async def test_a_vehicle_that_has_not_come_back_is_not_booked_for_now(api: Api) -> None:
    booking = await api.book()
    set_booking(api.database, booking["id"], state="active", taken_ms=ELEVEN_MS)
    api.clock.at_ms = ONE_MS + 5 * MINUTE_MS
    problem = await api.book(409, start=at(ONE_MS), end=at(ONE_MS + HOUR_MS))
    assert problem["reason"] == "vehicle_not_back"


async def test_a_vehicle_whose_key_is_missing_is_not_booked_for_now(api: Api) -> None:
    set_key(api.database, "k-city-1", "missing")
    problem = await api.book(409, start="2026-10-04T10:00:00Z")
    assert problem["reason"] == "key_not_present"


async def test_a_retired_vehicle_is_not_booked(api: Api) -> None:
    import_document(api.database, {"vehicles": [{**NETWORK["vehicles"][0], "life_cycle": "retired"}]})
    assert (await api.book(409))["reason"] == "vehicle_not_in_service"


async def test_the_fleets_own_rules_are_the_ones_that_count() -> None:
    rules = FleetRules(booking_grid_min=30, minimum_min=120, take_by_s=3600)
    async with running_api(rules) as api:
        assert (await api.book(422, end=at(ELEVEN_MS + HOUR_MS)))["reason"] == "too_short"
        assert (await api.book(422, start="2026-10-04T11:15:00Z"))["reason"] == "off_grid"


# --- whether the right has reached the box


@pytest.fixture
def computed(api: Api) -> Any:
    """Store a desired state of gare-1 that carries the grant since a version; held by the box up to another."""

    def compute(grant_id: str, since: int, *, computed_ms: int, dirty: bool = False) -> None:
        state = {"cabinet_id": "gare-1", "version": since, "digest": "d", "wire": "w", "grants_left_out": 0}
        grant = {
            "cabinet_id": "gare-1",
            "grant_id": grant_id,
            "digest": "d",
            "since_version": since,
            "booking_version": 1,
        }

        def write(connection: Connection) -> None:
            connection.execute(desired_states.delete())
            connection.execute(insert(desired_states).values(**state, computed_ms=computed_ms, dirty=dirty))
            connection.execute(insert(desired_grants).values(grant))

        api.database.write_now(write)

    return compute


async def _grant(api: Api, booking: dict[str, Any]) -> Any:
    return (await api.get(f"/bookings/{booking['id']}"))["grant"]


async def test_a_right_is_pending_until_the_box_holds_the_version_that_carries_it(api: Api, computed: Any) -> None:
    set_link(api.database, "gare-1", desired_version_held=6)
    booking = await api.book()
    assert booking["grant"] == "pending"
    set_booking(api.database, booking["id"], grant_id="grant-1")
    computed("grant-1", 7, computed_ms=NOW_MS + 5)
    assert await _grant(api, booking) == "pending"


async def test_a_right_is_on_the_box_when_the_box_says_so_even_if_it_is_silent_now(api: Api, computed: Any) -> None:
    set_link(api.database, "gare-1", desired_version_held=7)
    booking = await api.book()
    set_booking(api.database, booking["id"], grant_id="grant-1")
    computed("grant-1", 7, computed_ms=NOW_MS + 5)
    assert await _grant(api, booking) == "on_box"
    api.clock.at_ms = NOW_MS + 30 * MINUTE_MS
    assert await _grant(api, booking) == "on_box"


async def test_a_changed_right_is_not_on_the_box_before_its_present_form_is(api: Api, computed: Any) -> None:
    set_link(api.database, "gare-1", desired_version_held=7)
    booking = await api.book()
    set_booking(api.database, booking["id"], grant_id="grant-1")
    computed("grant-1", 7, computed_ms=NOW_MS + 5)
    api.clock.at_ms = NOW_MS + 10
    changed = await api.patch(f"/bookings/{booking['id']}", {"end": at(ONE_MS + HOUR_MS)})
    assert changed["grant"] == "pending"


async def test_a_right_towards_a_silent_cabinet_says_so(api: Api) -> None:
    set_link(api.database, "gare-1")
    silent = Discrepancy(IncidentKind.CABINET_SILENT, "gare-1", "a report", "nothing", cabinet_id="gare-1")
    api.database.write_now(lambda connection: open_incident(connection, silent, NOW_MS))
    assert (await api.book())["grant"] == "cabinet_unreachable"


async def test_a_booking_at_a_silent_cabinet_needs_a_yes_and_names_what_can_be_had_elsewhere(api: Api) -> None:
    set_link(api.database, "mairie-1")
    station = {**NETWORK["stations"][1], "public": True}
    import_document(api.database, {"stations": [station]})
    problem = await api.book(409, accept_unreachable=False)
    assert (problem["reason"], _fields(problem)) == ("cabinet_unreachable", ["accept_unreachable"])
    assert problem["alternatives"] == [
        {
            "vehicle_id": "v-mairie",
            "station_id": "mairie",
            "cabinet_id": "mairie-1",
            "category": "city",
            "distance_m": 1048,
        }
    ]
    assert (await api.book(accept_unreachable=True))["grant"] == "cabinet_unreachable"


async def test_a_booking_beyond_the_grant_horizon_asks_nobody_whether_the_cabinet_speaks(api: Api) -> None:
    eight_days_ms = 8 * 24 * HOUR_MS
    far: dict[str, Any] = {"start": at(ELEVEN_MS + eight_days_ms), "end": at(ONE_MS + eight_days_ms)}
    assert (await api.book(accept_unreachable=False, **far))["state"] == "booked"


# --- reading and listing


async def test_an_unknown_booking_is_not_found(api: Api) -> None:
    for path in ("/bookings/none", "/bookings/none/history"):
        assert (await api.get(path, 404))["reason"] == "not_found"
    assert (await api.patch("/bookings/none", {"end": at(ONE_MS)}, 404))["reason"] == "not_found"
    assert (await api.post("/bookings/none/cancel", status=404))["reason"] == "not_found"


async def test_bookings_are_listed_by_what_they_are_asked_for(api: Api) -> None:
    early = await api.book()
    late = await api.book(start=at(ONE_MS), end=at(ONE_MS + HOUR_MS))
    other = await api.book(vehicle_id="v-mairie", member_id="m-brahim")
    await api.post(f"/bookings/{late['id']}/cancel", status=200)

    async def ids(**query: Any) -> list[str]:
        return [booking["id"] for booking in (await api.get("/bookings", **query))["items"]]

    assert set(await ids()) == {early["id"], late["id"], other["id"]}
    assert await ids(station="mairie") == [other["id"]]
    assert await ids(member="m-brahim") == [other["id"]]
    assert await ids(vehicle="v-city-1", state="booked") == [early["id"]]
    assert await ids(vehicle="v-city-1", state=["booked", "cancelled"]) == [early["id"], late["id"]]
    assert await ids(vehicle="v-city-1", until=at(ONE_MS)) == [early["id"]]
    assert await ids(vehicle="v-city-1", **{"from": at(ONE_MS)}) == [late["id"]]


async def test_a_list_comes_in_pages(api: Api) -> None:
    made = [
        (await api.book(start=at(ELEVEN_MS + n * HOUR_MS), end=at(ELEVEN_MS + (n + 1) * HOUR_MS)))["id"]
        for n in range(5)
    ]
    seen, cursor = [], None
    while True:
        page = await api.get("/bookings", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [booking["id"] for booking in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"state": "bookd"}, "state.0"),
        ({"from": "2026-10-04T10:00:00"}, "from"),
        ({"until": "soon"}, "until"),
        ({"station": "a b"}, "station"),
    ],
)
async def test_a_wrong_filter_is_named(api: Api, query: dict[str, str], field: str) -> None:
    assert _fields(await api.get("/bookings", 422, **query)) == [field]


async def test_a_plus_that_a_query_lost_is_explained(api: Api) -> None:
    response = await api.http.get("/api/v1/bookings?from=2026-10-04T10:00:00+02:00")
    assert response.status_code == 422
    assert response.json()["errors"][0]["expected"].endswith("in a query a + is written %2B")


async def test_an_active_booking_past_its_end_is_overdue(api: Api) -> None:
    booking = await api.book()
    set_booking(api.database, booking["id"], state="active", taken_ms=ELEVEN_MS)
    api.clock.at_ms = ONE_MS
    read = await api.get(f"/bookings/{booking['id']}")
    assert (read["state"], read["overdue"], read["taken_at"]) == ("active", True, at(ELEVEN_MS))


# --- changing and cancelling


async def test_an_extension_past_the_next_booking_names_the_latest_end(api: Api) -> None:
    booking = await api.book()
    await api.book(start=at(ONE_MS + HOUR_MS), end=at(ONE_MS + 3 * HOUR_MS), member_id="m-brahim")
    problem = await api.patch(f"/bookings/{booking['id']}", {"end": at(ONE_MS + 2 * HOUR_MS)}, 409)
    assert (problem["reason"], problem["latest_end"]) == ("vehicle_not_free", at(ONE_MS + HOUR_MS))
    extended = await api.patch(f"/bookings/{booking['id']}", {"end": problem["latest_end"]})
    assert (extended["end"], extended["version"]) == (at(ONE_MS + HOUR_MS), 2)


async def test_an_extension_is_answered_with_the_latest_end_that_is_possible(api: Api) -> None:
    booking = await api.book()
    path = f"/bookings/{booking['id']}/extend"
    alone = await api.post(path, {"end": at(ONE_MS + HOUR_MS)}, status=200)
    assert (alone["end"], alone["latest_end"]) == (at(ONE_MS + HOUR_MS), "2027-10-05T10:00:00Z")
    await api.book(start=at(ONE_MS + 3 * HOUR_MS), end=at(ONE_MS + 4 * HOUR_MS), member_id="m-brahim")
    followed = await api.post(path, {"end": at(ONE_MS + 2 * HOUR_MS)}, status=200)
    assert followed["latest_end"] == at(ONE_MS + 3 * HOUR_MS)
    refused = await api.post(path, {"end": at(ONE_MS + 4 * HOUR_MS)}, status=409)
    assert (refused["reason"], refused["latest_end"]) == ("vehicle_not_free", at(ONE_MS + 3 * HOUR_MS))
    last = await api.post(path, {"end": refused["latest_end"]}, status=200)
    assert last["end"] == last["latest_end"] == refused["latest_end"]


async def test_an_active_booking_is_extended_though_its_cabinet_is_silent(api: Api) -> None:
    booking = await api.book()
    set_booking(api.database, booking["id"], state="active", taken_ms=ELEVEN_MS)
    api.clock.at_ms = ONE_MS + 5 * MINUTE_MS  # late already
    extended = await api.post(f"/bookings/{booking['id']}/extend", {"end": at(ONE_MS + HOUR_MS)}, status=200)
    assert (extended["state"], extended["overdue"], extended["end"]) == ("active", False, at(ONE_MS + HOUR_MS))


@pytest.mark.parametrize("earlier_ms", [0, HOUR_MS])
async def test_what_is_not_later_is_no_extension(api: Api, earlier_ms: int) -> None:
    booking = await api.book()
    path = f"/bookings/{booking['id']}/extend"
    problem = await api.post(path, {"end": at(ONE_MS - earlier_ms)}, status=422)
    assert (problem["reason"], _fields(problem)) == ("no_extension", ["end"])


@pytest.mark.parametrize("state", ["returned", "completed", "cancelled", "no_show"])
async def test_a_booking_that_is_over_is_not_extended(api: Api, state: str) -> None:
    booking = await api.book()
    set_booking(api.database, booking["id"], state=state)
    await api.post(f"/bookings/{booking['id']}/extend", {"end": at(ONE_MS + HOUR_MS)}, status=409)


async def test_a_change_wakes_the_publisher_and_a_refused_one_does_not(api: Api) -> None:
    booking = await api.book()
    api.wakes.clear()
    await api.patch(f"/bookings/{booking['id']}", {"end": at(ELEVEN_MS)}, 422)
    assert api.wakes == []
    set_link(api.database, "mairie-1")
    await api.patch(f"/bookings/{booking['id']}", {"vehicle_id": "v-mairie"})
    assert len(api.wakes) == 1


async def test_a_moved_booking_keeps_its_original_start(api: Api) -> None:
    set_link(api.database, "gare-1")
    booking = await api.book()
    moved = await api.patch(f"/bookings/{booking['id']}", {"start": at(ELEVEN_MS + HOUR_MS)})
    assert (moved["start"], moved["original_start"]) == (at(ELEVEN_MS + HOUR_MS), at(ELEVEN_MS))


async def test_once_the_key_is_taken_only_the_end_can_be_changed(api: Api) -> None:
    booking = await api.book()
    set_booking(api.database, booking["id"], state="active", taken_ms=ELEVEN_MS)
    path = f"/bookings/{booking['id']}"
    for change in ({"start": at(ELEVEN_MS + HOUR_MS)}, {"vehicle_id": "v-city-2"}):
        assert (await api.patch(path, change, 409))["reason"] == "key_was_taken"
    assert (await api.patch(path, {"end": at(ONE_MS + HOUR_MS)}))["state"] == "active"


@pytest.mark.parametrize("change", [{}, {"member_id": "m-brahim"}, {"start": None, "end": None}])
async def test_a_change_says_what_is_to_be_different(api: Api, change: dict[str, Any]) -> None:
    booking = await api.book()
    problem = await api.patch(f"/bookings/{booking['id']}", change, 422)
    assert problem["reason"] == "invalid_request"


async def test_a_cancelled_booking_stays_readable_and_frees_its_vehicle(api: Api) -> None:
    booking = await api.book()
    cancelled = await api.post(f"/bookings/{booking['id']}/cancel", status=200)
    assert (cancelled["state"], cancelled["grant"]) == ("cancelled", None)
    assert cancelled["ended_at"] == at(NOW_MS)
    assert (await api.get(f"/bookings/{booking['id']}"))["state"] == "cancelled"
    await api.book(member_id="m-brahim")


async def test_a_booking_whose_key_is_out_is_not_cancelled(api: Api) -> None:
    booking = await api.book()
    set_booking(api.database, booking["id"], state="active", taken_ms=ELEVEN_MS)
    problem = await api.post(f"/bookings/{booking['id']}/cancel", status=409)
    assert problem["reason"] == "key_still_out"


async def test_the_history_tells_what_happened_and_which_program_asked(api: Api) -> None:
    booking = await api.book()
    await api.patch(f"/bookings/{booking['id']}", {"end": at(ONE_MS + HOUR_MS)})
    await api.post(f"/bookings/{booking['id']}/cancel", status=200)
    first = await api.get(f"/bookings/{booking['id']}/history", limit=2)
    rest = await api.get(f"/bookings/{booking['id']}/history", cursor=first["next"])
    entries = [*first["items"], *rest["items"]]
    assert [entry["what"] for entry in entries] == ["created", "changed", "cancelled"]
    assert {entry["author"] for entry in entries} == {"api/front-end"}
    assert entries[1]["detail"]["before"]["end"] == at(ONE_MS)
    assert entries[1]["detail"]["after"]["end"] == at(ONE_MS + HOUR_MS)


# --- what operators do


async def test_an_operator_gives_another_vehicle_with_a_reason_that_stays(api: Api) -> None:
    booking = await api.book()
    path = f"/bookings/{booking['id']}"
    api.wakes.clear()
    replaced = await api.post(f"{path}/replace", {"category": "city", "reason": "flat tyre"}, status=200)
    assert (replaced["vehicle_id"], replaced["original_start"]) == ("v-city-2", booking["original_start"])
    assert len(api.wakes) == 1
    history = await api.get(f"{path}/history")
    assert history["items"][-1]["what"] == "replaced"
    assert history["items"][-1]["detail"]["reason"] == "flat tyre"
    await api.book(member_id="m-brahim")


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"vehicle_id": "v-city-2", "category": "city"},
        {"vehicle_id": "v-city-2", "station_id": "gare"},
        {"station_id": "gare"},
    ],
)
async def test_a_replacement_is_a_vehicle_or_a_category(api: Api, what: dict[str, Any]) -> None:
    booking = await api.book()
    body = {"reason": "flat tyre", **what}
    problem = await api.post(f"/bookings/{booking['id']}/replace", body, status=422)
    assert _fields(problem) == ["vehicle_id"]


async def test_what_operators_do_has_a_reason(api: Api) -> None:
    booking = await api.book()
    for call in ("replace", "complete"):
        problem = await api.post(f"/bookings/{booking['id']}/{call}", {"reason": ""}, status=422)
        assert _fields(problem) == ["reason"]


async def test_an_operator_ends_a_booking_whose_key_is_with_somebody(api: Api) -> None:
    booking = await api.book()
    path = f"/bookings/{booking['id']}/complete"
    early = await api.post(path, {"reason": "left at the garage"}, status=409)
    assert early["reason"] == "key_not_taken"
    set_booking(api.database, booking["id"], state="active", taken_ms=ELEVEN_MS)
    set_key(api.database, "k-city-1", "taken")
    completed = await api.post(path, {"reason": "left at the garage", "key_held_by": "Garage du Nord"}, status=200)
    assert (completed["state"], completed["grant"]) == ("completed", None)


async def test_drivers_and_cost_centre_are_changed_and_a_pool_is_named_instead_of_drivers(api: Api) -> None:
    account = {
        "cost_centres": [{"id": "parks", "organisation_id": "city-hall", "name": "Parks"}],
        "pools": [{"id": "gardeners", "organisation_id": "city-hall", "name": "Gardeners"}],
        "pool_members": [{"pool_id": "gardeners", "member_id": "m-colleague"}],
    }
    import_document(api.database, account)
    booking = await api.book(member_id="m-agent", organisation_id="city-hall", cost_centre_id="parks")
    path = f"/bookings/{booking['id']}"
    driven = await api.patch(path, {"driver_ids": ["m-colleague", "m-agent"]})
    assert (driven["driver_ids"], driven["cost_centre_id"]) == (["m-colleague"], "parks")
    pooled = await api.patch(path, {"pool_id": "gardeners"})
    assert (pooled["driver_ids"], pooled["pool_id"]) == ([], "gardeners")
    both = await api.patch(path, {"pool_id": "gardeners", "driver_ids": ["m-colleague"]}, 422)
    assert _fields(both) == ["pool_id"]
    both = await api.book(422, pool_id="gardeners", driver_ids=["m-colleague"])
    assert _fields(both) == ["pool_id"]
    history = await api.get(f"{path}/history")
    assert history["items"][1]["detail"]["after"]["drivers"] == 1
    assert "m-" not in str(history["items"])
