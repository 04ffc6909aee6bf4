"""The hotline's page: who is on the phone, what the cabinet told, what can be done. On both databases."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import dispatcher.pages
from contract.facts import (
    FACT_ADAPTER,
    AccessGranted,
    AccessRefused,
    CabinetInput,
    CabinetInputChanged,
    DoorOpened,
    Identity,
    KeyReturned,
    KeyTaken,
    PinAsked,
    Purpose,
)
from contract.reasons import Reason
from dispatcher.api.scopes import Scope
from dispatcher.core.booking_states import BookingState
from dispatcher.pages.caller import caller_text, station_text
from dispatcher.pages.looks import Look
from dispatcher.pages.views.caller import CallerPage, caller_page
from dispatcher.pages.views.told import _ALWAYS, TOLD_MAX, Caller, Phrase, Signal, told, told_by
from dispatcher.pages.words import WORDS
from dispatcher.pages.words.catalogue import Language
from dispatcher.store.grant_status import GrantStatus
from dispatcher.store.schema import bookings, key_states
from dispatcher.store.upsert import upsert
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, at, set_key
from tests.dispatcher.page_client import running_browser
from tests.dispatcher.scene import UNDER_1, Scene
from tests.dispatcher.small_fleet import CABINET, HOUR, NOW_MS, RULES, book
from tests.dispatcher.test_pages_board import look, plain, take_key


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.database.close()


def hang(scene: Scene, key: str = "key-1", slot: int = 1) -> None:
    row = {"key_id": key, "state": "in_slot", "cabinet_id": CABINET, "slot": slot, "identity": "read"}
    row["since_ms"] = NOW_MS
    scene.write(lambda connection: upsert(connection, key_states, row))


def page(scene: Scene, member: str = "member-1", booking: str | None = None) -> CallerPage:
    found = scene.database.read_now(
        lambda c: caller_page(c, member, booking, RULES, scene.now_ms, with_facts=True, with_incidents=True)
    )
    assert found is not None
    return found


def text(scene: Scene, language: Language = Language.EN, *, without: Scope | None = None) -> str:
    seen: Look = look(scene, language, without=without)
    found = scene.database.read_now(lambda c: caller_text(c, seen, "member-1", None, RULES))
    assert found is not None
    return plain(found)


def test_the_present_booking_is_looked_at_first_with_where_its_key_hangs_and_its_right(scene: Scene) -> None:
    book(scene.database, 1, start_ms=NOW_MS - HOUR)
    book(scene.database, 2, start_ms=NOW_MS + 3 * HOUR, vehicle_id="car-2", key_id="key-2", member_id="member-1")
    hang(scene)
    found = page(scene)
    assert [each.booking.id for each in found.bookings] == ["booking-1", "booking-2"]
    assert found.chosen == found.bookings[0]
    assert (found.chosen.slot, found.chosen.key_state, found.chosen.grant) == (1, "in_slot", GrantStatus.PENDING)
    other = page(scene, booking="booking-2").chosen
    assert other is not None
    assert (other.booking.id, other.slot, other.key_state) == ("booking-2", None, "unknown")
    scene.presence(scene.box, online=False)
    there = page(scene).bookings[0]
    assert (there.grant, there.is_reachable, there.heard_ms) == (GrantStatus.CABINET_UNREACHABLE, False, NOW_MS)


def test_a_driver_of_somebody_elses_booking_finds_it_and_nobody_else_does(scene: Scene) -> None:
    book(scene.database, 1, driver_ids=("member-2",))
    assert [each.booking.id for each in page(scene, "member-2").bookings] == ["booking-1"]
    book(scene.database, 2, state=BookingState.CANCELLED, ended_ms=NOW_MS, vehicle_id="car-2", key_id="key-2")
    assert [each.booking.id for each in page(scene).bookings] == ["booking-1"]
    assert scene.database.read_now(
        lambda c: caller_page(c, "nobody", None, RULES, NOW_MS, with_facts=True, with_incidents=True)
    ) is None  # fmt: skip


def test_other_cars_are_those_free_for_the_window_until_the_key_is_out(scene: Scene) -> None:
    book(scene.database, 1, start_ms=NOW_MS + HOUR)
    hang(scene)
    hang(scene, "key-2", 2)
    assert [other.vehicle.name for other in page(scene).others] == ["Car 2"]
    scene.execute(update(bookings).values(state=BookingState.ACTIVE, taken_ms=NOW_MS))
    assert page(scene).others == ()


def test_what_the_member_saw_at_the_reader_stands_with_its_reason_the_newest_first(scene: Scene) -> None:
    book(scene.database, 1)
    scene.tell(AccessRefused, reader="reader-1", reason=Reason.TOO_EARLY, badge="ref-1", grant="grant-1")
    scene.tell(AccessRefused, reader="reader-1", reason=Reason.UNKNOWN_BADGE, repeats=3)
    scene.tell(PinAsked, reader="reader-1", badge="ref-1")
    take_key(scene)
    said = page(scene).told
    assert [each.phrase for each in said[:3]] == [Phrase.KEY_TAKEN, Phrase.DOOR_OPENED, Phrase.OPENED_TO_TAKE]
    assert [(each.signal, each.is_callers) for each in said[2:6]] == [
        (Signal.TAKEN, True),
        (Signal.PIN, True),
        (Signal.CALL, False),
        (Signal.WAIT, True),
    ]
    assert said[4].repeats == 3
    seen = text(scene)
    assert "The key of Car 1 was taken out of slot 1." in seen
    assert "the reader showed wait because: too early for the booking" in seen
    assert "trop tôt pour la réservation" in text(scene, Language.FR)
    assert "too early" not in text(scene, without=Scope.FACTS_READ)


def test_another_slot_than_the_booked_cars_is_told_so(scene: Scene) -> None:
    book(scene.database, 1)
    scene.tell(AccessGranted, reader="reader-1", slot=2, purpose=Purpose.TAKE, key="key-2", **UNDER_1)
    assert page(scene).told[0].signal is Signal.ANOTHER_SLOT


def test_a_long_story_is_cut_to_what_fits_a_screen(scene: Scene) -> None:
    for _ in range(TOLD_MAX + 3):
        scene.tell(DoorOpened, slot=1, released=False)
    found = scene.database.read_now(lambda c: told_by(c, CABINET, Caller()))
    assert len(found) == TOLD_MAX
    assert found[0].position > found[-1].position
    assert scene.database.read_now(lambda c: told_by(c, "nowhere", Caller())) == ()


SAID: list[tuple[Any, Phrase]] = [
    (
        AccessGranted(seq=1, at_ms=1, clock_trusted=True, reader="reader-1", slot=1, purpose=Purpose.RETAKE),
        Phrase.OPENED_AGAIN,
    ),
    (KeyTaken(seq=1, at_ms=1, clock_trusted=True, slot=1, identity=Identity.UNKNOWN), Phrase.KEY_GONE),
    (
        KeyReturned(seq=1, at_ms=1, clock_trusted=True, slot=1, identity=Identity.READ, lit_slot=2),
        Phrase.KEY_IN_WRONG_SLOT,
    ),
    (
        CabinetInputChanged(seq=1, at_ms=1, clock_trusted=True, input=CabinetInput.MAINS_LOST, active=False),
        Phrase.INPUT_ENDED,
    ),
    (None, Phrase.NOT_KNOWN),
]


@pytest.mark.parametrize(("fact", "phrase"), SAID)
def test_a_fact_is_one_sentence(fact: Any, phrase: Phrase) -> None:
    assert told(1, NOW_MS, fact, {}, Caller()).phrase is phrase


def test_every_kind_of_fact_has_a_sentence_and_every_reason_words() -> None:
    matched = {"access_granted", "command_decided", "door_opened", "key_taken", "key_returned"}
    matched |= {"cabinet_input_changed", "clock_trust_changed"}
    always = {kind.model_fields["kind"].default for kind in _ALWAYS}  # type: ignore[attr-defined]
    kinds = set(FACT_ADAPTER.json_schema()["discriminator"]["mapping"])
    assert matched | always == kinds
    for words in WORDS.values():
        assert set(words.desk.phrases) == set(Phrase)
        assert set(words.desk.signals) == set(Signal)
        assert set(words.desk.station_reasons) == set(Reason)
        assert set(words.desk.inputs) == set(CabinetInput)


def test_who_may_be_calling_from_a_station_is_listed_by_name_and_leads_to_the_caller(scene: Scene) -> None:
    book(scene.database, 1)
    book(scene.database, 2, start_ms=NOW_MS + 13 * HOUR, vehicle_id="car-2", key_id="key-2", member_id="member-2")
    seen = look(scene)
    found = scene.database.read_now(lambda c: station_text(c, seen, "st-a"))
    assert found is not None
    assert "/caller/member-1?booking=booking-1" in found
    assert "booking-2" not in found
    assert scene.database.read_now(lambda c: station_text(c, seen, "nowhere")) is None


def test_nothing_can_be_done_before_the_identity_is_checked(scene: Scene) -> None:
    book(scene.database, 1)
    hang(scene)
    seen = look(scene)
    found = scene.database.read_now(lambda c: caller_text(c, seen, "member-1", None, RULES)) or ""
    checked = [form for form in found.split("<form")[1:] if "data-checked" in form.partition(">")[0]]
    assert len(checked) >= 2
    assert all("disabled>" in form.partition("</form>")[0] for form in checked)
    assert "Open the slot" not in text(scene, without=Scope.OPERATIONS)


async def test_a_caller_is_found_and_shown_and_a_code_is_made_for_a_cabinet_that_is_silent() -> None:
    async with running_browser() as browser:
        await browser.sign_in()
        assert "Who is calling?" in (await browser.open("/caller")).text
        window = {"start": at(ELEVEN_MS), "end": at(ELEVEN_MS + HOUR_MS), "accept_unreachable": True}
        made = await browser.call("/bookings", {"member_id": "m-alix", "vehicle_id": "v-city-1", **window})
        assert made.status_code == 201, made.text
        set_key(browser.api.database, "k-city-1", "in_slot")
        seen = plain((await browser.open("/caller/m-alix")).text)
        for words in (
            "Alix Dumont in good standing",
            "booked",
            "in slot",
            "the cabinet cannot be reached",
            "told nothing",
        ):
            assert words in seen, words
        assert "Alix Dumont" in (await browser.open("/caller/stations/gare")).text
        sent = await browser.call(
            f"/bookings/{made.json()['id']}/release-code", {"reason": "identity checked: badge"}
        )
        assert sent.status_code == 201
        assert (await browser.open("/caller/nobody")).status_code == 404


def test_what_is_typed_into_a_form_never_becomes_an_address() -> None:
    """Not even where it is sent before the page's script is there: a browser would put it into the query."""
    templates = Path(dispatcher.pages.__file__).parent / "templates"
    forms = [form for path in templates.glob("*.html") for form in re.findall(r"<form[^>]*>", path.read_text())]
    assert len(forms) > 20
    assert [form for form in forms if 'method="post"' not in form] == []
