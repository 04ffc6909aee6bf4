"""Members, organisations, badges and PINs through the API; how far a revocation has come."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Connection, Update, select, update

from contract.credentials import cabinet_digest_key, credential_digest, pin_digest
from contract.messages import Desired
from dispatcher.core.rules import FleetRules
from dispatcher.store.desired import DesiredMaker
from dispatcher.store.schema import badge_pins, badges, cabinet_links, desired_states, members
from dispatcher.store.spread import settle_spread
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import HOUR_MS, NOW_MS, set_link

CREDENTIAL = "calypso:0000000000000C01"


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


class Boxes:
    """Two boxes that hold what they are told when the test says so."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.told: dict[str, Desired] = {}
        self._maker = DesiredMaker(FleetRules(), b"m" * 32, self._keep)
        for cabinet in ("gare-1", "mairie-1"):
            set_link(api.database, cabinet, heard_ms=NOW_MS)

    def _keep(self, desired: Desired) -> bytes:
        self.told[desired.cabinet] = desired
        return b"signed"

    def compute(self) -> Desired:
        self._api.database.write_now(lambda c: self._maker.refresh(c, self._api.clock.now_ms(), 0, 10))
        return self.told["gare-1"]

    def take(self, *cabinets: str, held_ms: int = NOW_MS) -> None:
        """These boxes report that they hold what they were told."""
        for cabinet in cabinets:
            version = self.told[cabinet].version
            link = update(cabinet_links).where(cabinet_links.c.cabinet_id == cabinet)
            self._api.database.write_now(partial(_run, statement=link.values(desired_version_held=version)))
        self._api.database.write_now(lambda c: settle_spread(c, held_ms))

    def dirty(self) -> set[str]:
        statement = select(desired_states.c.cabinet_id).where(desired_states.c.dirty)
        return set(self._api.database.read_now(lambda c: c.execute(statement).scalars().all()))


def _run(connection: Connection, statement: Update) -> None:
    connection.execute(statement)


@pytest.fixture
def boxes(api: Api) -> Boxes:
    boxes = Boxes(api)
    boxes.compute()
    boxes.take("gare-1", "mairie-1")
    return boxes


# --- members and organisations


async def test_a_new_member_with_a_badge_books_and_opens(api: Api, boxes: Boxes) -> None:
    firm = await api.post("/organisations", {"name": "Boulangerie Nord"})
    member = await api.post("/members", {"name": "Nora Neuf", "organisation_id": firm["id"]})
    assert (member["standing"], member["role"], member["badges"]) == ("active", "member", [])
    badge = await api.post(f"/members/{member['id']}/badges", {"credential": CREDENTIAL})
    assert (badge["kind"], badge["state"], badge["member_id"]) == ("calypso", "active", member["id"])
    assert "0C01" not in str(badge)
    booking = await api.book(member_id=member["id"], organisation_id=firm["id"])
    (grant,) = boxes.compute().grants
    assert grant.badges == (badge["ref"],)
    assert (await api.get(f"/organisations/{firm['id']}"))["drivers"] == 1
    assert (await api.get(f"/members/{member['id']}"))["badges"][0]["id"] == badge["id"]
    assert booking["member_id"] == member["id"]


async def test_a_suspension_takes_booked_rights_off_the_box_and_is_kept_on_record(api: Api, boxes: Boxes) -> None:
    booking = await api.book()
    assert len(boxes.compute().grants) == 1
    suspended = await api.patch("/members/m-alix", {"standing": "suspended", "reason": "unpaid"})
    assert suspended["standing"] == "suspended"
    assert boxes.dirty() == {"gare-1"}
    told = boxes.compute()
    assert told.grants == ()
    assert len(told.suspended) == 2
    told_what = [entry["what"] for entry in (await api.get(f"/bookings/{booking['id']}/history"))["items"]]
    assert told_what == ["created", "rights_withheld"]
    (change,) = (await api.get("/changes", what="members", subject="m-alix"))["items"]
    assert (change["reason"], change["after"]) == ("unpaid", {"standing": "suspended"})


async def test_a_member_changes_name_role_and_organisation(api: Api, boxes: Boxes) -> None:
    changed = await api.patch("/members/m-colleague", {"name": "Anne", "organisation_id": None, "role": "staff"})
    assert (changed["name"], changed["organisation_id"], changed["role"]) == ("Anne", None, "staff")
    assert boxes.dirty() == set()
    renamed = await api.patch("/organisations/city-hall", {"name": "Lille"})
    assert renamed["name"] == "Lille"
    kept = str(await api.get("/changes", what="members", subject="m-colleague"))
    assert "Anne" not in kept


@pytest.mark.parametrize(
    ("path", "body", "reason", "status"),
    [
        ("/members/m-alix", {"organisation_id": "nothing"}, "no_such_organisation", 422),
        ("/members/m-agent", {"organisation_id": None}, "in_pool", 409),
        ("/members/m-alix", {"standing": None}, "invalid_request", 422),
        ("/members/m-alix", {"reason": "nothing else"}, "invalid_request", 422),
        ("/members/nobody", {"name": "N"}, "not_found", 404),
        ("/organisations/nothing", {"name": "N"}, "not_found", 404),
    ],
)
async def test_a_change_that_cannot_be_says_why(
    api: Api, path: str, body: dict[str, Any], reason: str, status: int
) -> None:
    assert (await api.patch(path, body, status))["reason"] == reason


async def test_a_member_whose_row_somebody_wrote_is_not_signed(api: Api) -> None:
    forged = update(members).where(members.c.id == "m-suspended").values(standing="active")
    api.database.write_now(lambda c: c.execute(forged))
    problem = await api.patch("/members/m-suspended", {"name": "Sam"}, 409)
    assert problem["reason"] == "not_our_row"


# --- badges and PINs


async def test_a_credential_is_given_once_and_never_repeated(api: Api) -> None:
    taken = "calypso:00000000075BCD15"
    problem = await api.post("/members/m-brahim/badges", {"credential": taken}, 409)
    assert problem["reason"] == "credential_in_use"
    assert taken not in str(problem)
    malformed = await api.post("/members/m-brahim/badges", {"credential": "calypso:99abcde"}, 422)
    assert "99abcde" not in str(malformed)
    await api.post("/members/nobody/badges", {"credential": CREDENTIAL}, 404)


async def test_a_pin_is_set_sealed_told_to_the_box_as_a_digest_and_taken_away(api: Api, boxes: Boxes) -> None:
    await api.book()
    answer = await api.post("/badges/b-alix/pin", {"pin": "4711"}, 200)
    assert "4711" not in str(answer)
    assert boxes.dirty() == {"gare-1"}
    key = cabinet_digest_key(b"m" * 32, "gare-1")
    digest = credential_digest(key, "calypso:00000000075BCD15")
    told = {entry.digest: entry.pin_digest for entry in boxes.compute().badges}
    assert told[digest] == pin_digest(key, digest, "4711")
    kept = api.database.read_now(lambda c: c.execute(select(badge_pins.c.sealed)).scalars().all())
    assert len(kept) == 1
    assert "4711" not in kept[0]
    await api.post("/badges/b-alix/pin", {"pin": None}, 200)
    assert {entry.pin_digest for entry in boxes.compute().badges if entry.digest == digest} == {None}
    assert "4711" not in str(await api.get("/changes", what="badge_pins", subject="b-alix"))


async def test_a_pin_of_another_length_is_refused_and_not_repeated(api: Api) -> None:
    for pin, status in (("471199", 422), ("47x1", 422)):
        problem = await api.post("/badges/b-alix/pin", {"pin": pin}, status)
        assert pin not in str(problem)


async def test_a_revoked_badge_opens_nothing_and_stays_revoked(api: Api, boxes: Boxes) -> None:
    await api.book()
    (grant,) = boxes.compute().grants
    revoked = await api.post("/badges/b-alix/revoke", {"reason": "lost in the tram"}, 200)
    assert (revoked["state"], revoked["revoked_at"]) == ("revoked", "2026-10-04T10:07:00Z")
    told = boxes.compute()
    assert told.grants == ()
    assert grant.badges[0] in told.revoked
    again = await api.post("/badges/b-alix/revoke", {"reason": "twice"}, 409)
    assert again["reason"] == "badge_revoked"
    assert (await api.post("/badges/b-alix/pin", {"pin": "4711"}, 409))["reason"] == "badge_revoked"
    await api.post("/badges/b-alix/revoke", {}, 422)
    await api.post("/badges/nothing/revoke", {"reason": "none"}, 404)


async def test_a_badge_whose_row_somebody_wrote_is_not_signed(api: Api) -> None:
    forged = update(badges).where(badges.c.id == "b-brahim").values(member_id="m-alix")
    api.database.write_now(lambda c: c.execute(forged))
    assert (await api.post("/badges/b-brahim/revoke", {"reason": "lost"}, 409))["reason"] == "not_our_row"


# --- spread


async def test_how_far_a_revocation_has_come_is_counted_by_what_boxes_hold(api: Api, boxes: Boxes) -> None:
    await api.get("/badges/b-alix/spread", 404)
    await api.book()
    boxes.compute()
    boxes.take("gare-1", "mairie-1")
    await api.post("/badges/b-alix/revoke", {"reason": "lost"}, 200)
    spread = await api.get("/badges/b-alix/spread")
    assert (spread["boxes"], spread["held"], spread["took_s"]) == (2, 1, None)  # mairie-1 never knew the badge
    assert spread["oldest"] == {"cabinet_id": "gare-1", "since": "2026-10-04T10:07:00Z"}
    assert spread["missing"] == [spread["oldest"]]
    boxes.compute()
    assert (await api.get("/badges/b-alix/spread"))["held"] == 1  # told, and not heard to hold it
    boxes.take("gare-1", held_ms=NOW_MS + 90_000)
    spread = await api.get("/badges/b-alix/spread")
    assert (spread["held"], spread["oldest"], spread["took_s"]) == (2, None, 90)


async def test_a_box_that_holds_an_older_state_does_not_have_a_revocation(api: Api, boxes: Boxes) -> None:
    booking = await api.book()
    boxes.compute()
    boxes.take("gare-1")
    await api.post(f"/bookings/{booking['id']}/cancel", status=200)
    api.clock.at_ms += HOUR_MS
    boxes.compute()  # without the badge; the box is cut off and holds the one before
    await api.post("/badges/b-alix/revoke", {"reason": "lost"}, 200)
    spread = await api.get("/badges/b-alix/spread")
    assert (spread["held"], [box["cabinet_id"] for box in spread["missing"]]) == (1, ["gare-1"])
    boxes.take("gare-1")
    assert (await api.get("/badges/b-alix/spread"))["held"] == 2
