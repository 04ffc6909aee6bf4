"""Marked values of a person in every column that may hold some: then everything is asked, and the answers searched.

Names, numbers of badges and tags, PINs, plates, and what people wrote are answered where the table below says so,
and nowhere else: in no header, log line, metric, event or problem.
"""

import re
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Text, select, update
from sqlalchemy.types import String
from structlog.testing import capture_logs

from dispatcher.api.examples import EXAMPLES
from dispatcher.api.route_table import Route
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.incidents import open_incident
from dispatcher.store.schema import bookings, key_states, metadata, outbox
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, at, import_document, set_booking, set_key
from tests.dispatcher.test_api_scopes import walked

NAME, HOLDER, THIRD_PARTY = "Zenobie Marquee", "Ulysse Garagiste", "Xanthippe Preteuse"
COMMENT, ASSIGNEE, NOTE = "quasimodo comment", "yolande assignee", "wilhelmine note"
BADGE, TAG, PLATE, PIN = "00000000DEADBEE5", "01DEADBEE7", "ZZ987YX", "8091"
MARKS = (NAME, HOLDER, THIRD_PARTY, COMMENT, ASSIGNEE, NOTE, BADGE, TAG, PLATE)
SOUGHT = re.compile("|".join(map(re.escape, MARKS)), re.IGNORECASE)

ANSWERS = {
    "/api/v1/members/{member_id}": {NAME},
    "/api/v1/vehicles": {PLATE, HOLDER},
    "/api/v1/vehicles/{vehicle_id}": {PLATE},
    "/api/v1/orders": {THIRD_PARTY},
    "/api/v1/orders/{order_id}": {THIRD_PARTY},
    "/api/v1/orders/{order_id}/history": {NOTE},
    "/api/v1/orders/{order_id}/custody": {THIRD_PARTY, NOTE},
    "/api/v1/blocks": {NOTE},
    "/api/v1/blocks/{block_id}": {NOTE},
    "/api/v1/incidents": {ASSIGNEE},
    "/api/v1/incidents/{incident_id}": {ASSIGNEE, COMMENT},
    "/": {ASSIGNEE, COMMENT},
    "/bookings/{booking_id}": {NAME},
    "/caller/{member_id}": {NAME},
    "/caller/stations/{station_id}": {NAME},
    "/incidents": {ASSIGNEE},
    "/incidents/{incident_id}": {ASSIGNEE, COMMENT},
    "/api/v1/shift-notes": {COMMENT},
    "/api/v1/shift-notes/{note_id}": {COMMENT},
}
"""By route that reads: the marked values that it is there to answer. Every other answers none."""

STREAM = "/live"
"""Never ends; what it says are topics, which name nothing but cabinets (test_pages_live)."""

KEPT = {
    "badges": {BADGE},
    "blocks": {NOTE},
    "booking_history": {NOTE},
    "custody": {THIRD_PARTY, NOTE},
    "incident_history": {COMMENT, ASSIGNEE},
    "incidents": {ASSIGNEE},
    "key_states": {HOLDER},
    "key_tags": {TAG},
    "members": {NAME},
    "shift_notes": {COMMENT},
    "vehicles": {PLATE},
}
"""By table, as `docs/privacy.md` has them: events, answers kept for a day, audit and the rest hold none."""


@dataclass
class Searched:
    api: Api
    ids: dict[str, str]
    """Of things that exist, by the name of the parameter in the path."""
    logged: list[MutableMapping[str, Any]]

    def reads(self) -> Iterator[tuple[Route, str]]:
        """Every route that reads, with a path that finds something."""
        for route in walked(self.api.app):
            if route.methods == {"GET"} and route.template != STREAM:
                path = re.sub(r"\{(\w+)\}", lambda match: self.ids[match[1]], route.template)
                yield route, "/api/v1/cabinets/mairie-1/theft" if path.endswith("/theft") else path

    def writes(self) -> Iterator[tuple[str, str, str]]:
        """Method, path and the name of the body of every route that takes one."""
        for template, methods in self.api.app.openapi()["paths"].items():
            for method, operation in methods.items():
                body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                reference = body.get("schema", {}).get("$ref", "")
                if reference:
                    path = re.sub(r"\{(\w+)\}", lambda match: self.ids[match[1]], template)
                    yield method.upper(), path, reference.rpartition("/")[2]


@asynccontextmanager
async def searched() -> AsyncIterator[Searched]:
    with capture_logs() as logged:
        async with running_api() as api:
            yield Searched(api, await _filled(api), logged)


async def _filled(api: Api) -> dict[str, str]:
    """Write marked values through every door that takes them; the ids of what there is then."""
    person = {"id": "m-z", "name": NAME, "role": "staff"}
    badge = {"id": "b-z", "member_id": "m-z", "credential": f"calypso:{BADGE}", "pin": PIN[:4]}
    import_document(api.database, {"members": [person], "badges": [badge]}, seed=2)
    await api.patch("/vehicles/v-city-1", {"plate": PLATE})
    await api.post("/keys/k-city-1/tag", {"credential": f"em4100:{TAG}"}, 200)
    made = await api.post("/members", {"name": NAME})
    await api.post(f"/members/{made['id']}/badges", {"credential": "calypso:00000000DEADBEE6"})
    set_key(api.database, "k-city-1", "in_slot")
    booking = await api.book(member_id="m-z", driver_ids=["m-alix"])
    command = await api.post("/cabinets/gare-1/commands", {"slot": 2, "reason": "badge broken"})
    await api.post("/cabinets/gare-1/release-codes", {"slot": 2, "reason": "badge broken"})
    ends = at(ELEVEN_MS + HOUR_MS)
    order = await api.post(
        "/orders",
        {"holder_id": "m-z", "vehicle_id": "v-mairie", "purpose": "cleaning", "end": ends, "note": NOTE},
    )
    set_booking(api.database, order["id"], state=BookingState.ACTIVE, taken_ms=NOW_MS)
    await api.post(f"/orders/{order['id']}/custody", {"to_name": THIRD_PARTY, "note": NOTE})
    over = await api.book(vehicle_id="v-family", member_id="m-z")
    set_key(api.database, "k-family", "taken")
    out = select(bookings.c.grant_id).where(bookings.c.id == over["id"]).scalar_subquery()
    api.database.write_now(
        lambda c: c.execute(update(key_states).where(key_states.c.key_id == "k-family").values(grant_id=out))
    )
    set_booking(api.database, over["id"], state=BookingState.ACTIVE, taken_ms=NOW_MS)
    await api.post(f"/bookings/{over['id']}/complete", {"reason": "cabinet full", "key_held_by": HOLDER}, 200)
    block = await api.post("/blocks", {"vehicle_id": "v-city-2", "kind": "damage", "note": NOTE})
    found = Discrepancy(IncidentKind.KEY_OVERDUE, "k-city-1", "it is back", "it is out", booking_id=booking["id"])
    api.database.write_now(lambda connection: open_incident(connection, found, NOW_MS))
    incident = (await api.get("/incidents"))["items"][0]
    await api.post(f"/incidents/{incident['id']}/assign", {"assignee": ASSIGNEE}, 200)
    await api.post(f"/incidents/{incident['id']}/comments", {"text": COMMENT})
    note = await api.post("/shift-notes", {"text": COMMENT})
    hook = await api.post("/webhooks", {"url": "https://bookings.example/hook"})
    question = {"vehicle_id": "v-city-1", "at": at(NOW_MS - HOUR_MS), "case": "PV 1", "reason": "a fine"}
    await api.post("/reports/who-held", question, 200)
    await api.post("/badges/b-z/revoke", {"reason": "lost"}, 200)
    await api.post("/cabinets/mairie-1/theft", {"case": "PV 2", "reason": "gone"})
    return {
        "station_id": "gare", "cabinet_id": "gare-1", "vehicle_id": "v-city-1", "key_id": "k-city-1",
        "member_id": "m-z", "badge_id": "b-z", "organisation_id": "city-hall", "booking_id": booking["id"],
        "order_id": order["id"], "block_id": block["id"], "incident_id": incident["id"], "note_id": note["id"],
        "webhook_id": hook["id"], "command_id": command["id"], "slot": "2",
        "municipality_id": "lille", "pool_id": "archivists", "cost_centre_id": "archives",
    }  # fmt: skip


async def test_no_answer_has_more_of_a_person_than_its_route_is_there_for() -> None:
    async with searched() as here:
        found, empty = dict[str, set[str]](), []
        for route, path in here.reads():
            answer = await here.api.http.get(path, params=QUERIES.get(path))
            if answer.status_code != 200:
                empty.append((route.template, answer.status_code, answer.text))
            assert not SOUGHT.search(str(answer.headers) + str(answer.url)), route.template
            found[route.template] = set(SOUGHT.findall(answer.text))
        assert empty == []
        assert {t: f for t, f in found.items() if f} == ANSWERS


WEEK = {"from": at(NOW_MS - 7 * 24 * HOUR_MS), "until": at(NOW_MS)}
QUERIES = {
    "/api/v1/availability": {"from": at(ELEVEN_MS), "until": at(ELEVEN_MS + HOUR_MS), "station": "gare"},
    "/api/v1/reports/utilisation": {**WEEK, "by": "vehicle", "format": "csv"},
    "/api/v1/reports/fleet": WEEK,
    "/api/v1/changes": {"what": "vehicles", "subject": "v-city-1"},
}


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/members/search", {"name": "zenobie"}, {NAME}),
        ("/vehicles/search", {"plate": PLATE}, {PLATE}),
        ("/badges/search", {"credential": f"calypso:{BADGE}"}, set[str]()),
        ("/members/m-z/export", {"reason": "asked for", "case": "2026-17"}, {NAME, BADGE, COMMENT, NOTE}),
    ],
)
async def test_what_is_sought_is_told_in_the_body_alone(path: str, body: Any, told: set[str]) -> None:
    async with searched() as here:
        answer = await here.api.http.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 200, answer.text
        assert set(SOUGHT.findall(answer.text)) == told
        assert not SOUGHT.search(f"{answer.headers} {answer.url} {here.logged}")


async def test_no_problem_log_line_or_metric_repeats_what_a_request_says_of_a_person() -> None:
    """Every field of every body in turn holds too long a text with a mark, then one too many has it."""
    async with searched() as here:
        asked, schemas = 0, here.api.app.openapi()["components"]["schemas"]
        for method, path, body in here.writes():
            example = dict(EXAMPLES[body])
            properties = schemas[body]["properties"]
            texts = [name for name in properties if name in NUMBERS or _takes_words(name, properties[name])]
            for name in [*texts, "phone_of_somebody"]:
                wrong = {**example, name: f"{NAME} {BADGE} {PLATE} {THIRD_PARTY} " * 100}
                answer = await here.api.http.request(method, path, json=wrong)
                asked += 1
                assert answer.status_code in {400, 404, 409, 412, 413, 422}, (path, name, answer.status_code)
                assert not SOUGHT.search(f"{answer.headers} {answer.text}"), (path, name, answer.text[:400])
        assert asked > 60
        assert not SOUGHT.search(str(here.logged))
        assert not SOUGHT.search((await here.api.http.get("/metrics")).text)


NUMBERS = {"credential", "plate", "pin"}
PATTERNED = {"enum", "format", "const", "pattern"}
OF_NOBODY = {"cursor", "url"}


def _takes_words(name: str, schema: Any) -> bool:
    if name in OF_NOBODY:
        return False
    kinds = [schema, *schema.get("anyOf", [])]
    return any(kind.get("type") == "string" and not kind.keys() & PATTERNED for kind in kinds)


async def test_what_is_marked_lies_in_the_tables_that_are_there_for_it_and_in_no_event() -> None:
    async with searched() as here:

        def lying(connection: Connection) -> dict[str, set[str]]:
            found = {}
            for table in metadata.sorted_tables:
                texts = [column for column in table.columns if isinstance(column.type, String | Text)]
                if texts:
                    said = str([tuple(row) for row in connection.execute(select(*texts))])
                    found[table.name] = set(SOUGHT.findall(said))
            return {name: marks for name, marks in found.items() if marks}

        found = here.api.database.read_now(lying)
        events = here.api.database.read_now(lambda connection: connection.execute(select(outbox)).all())
        assert len(events) > 10
        assert found == KEPT
