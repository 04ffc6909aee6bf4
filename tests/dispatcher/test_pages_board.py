"""The board and the page of an incident, on a database in which something is wrong."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, insert

from contract.facts import AccessGranted, DoorOpened, Identity, KeyTaken, Purpose
from dispatcher.api.scopes import Scope
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.silence import storm_text
from dispatcher.pages.board import board_text
from dispatcher.pages.incidents import incident_text
from dispatcher.pages.looks import Look, Theme
from dispatcher.pages.views.map import network_map
from dispatcher.pages.views.network import Heard, network, stale_after_ms
from dispatcher.pages.views.slots import Shown
from dispatcher.pages.views.strips import SHOWN_MAX, STRIPS_MAX, open_strips
from dispatcher.pages.words.catalogue import Language
from dispatcher.store.incident_desk import acknowledge, comment
from dispatcher.store.incidents import all_incidents, open_incident
from dispatcher.store.schema import blocks
from tests.dispatcher.scene import UNDER_1, Scene
from tests.dispatcher.small_fleet import CABINET, HOUR, MINUTE, NOW_MS, OTHER_CABINET, RULES, book

STALE_MS = stale_after_ms(RULES)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.database.close()


def look(scene: Scene, language: Language = Language.EN, *, without: Scope | None = None) -> Look:
    scopes = frozenset(Scope) - {without}
    return Look(language, Theme.AUTO, scene.now_ms, "/", "night-desk", scopes, "c5f" * 10)


def board(scene: Scene, language: Language = Language.EN, *, without: Scope | None = None) -> str:
    """The board's words, one space between them."""
    seen = look(scene, language, without=without)
    return plain(scene.database.read_now(lambda connection: board_text(connection, seen, STALE_MS, 0)))


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def wrong(scene: Scene, kind: IncidentKind, subject: str = CABINET, **ids: str) -> None:
    found = Discrepancy(kind, subject, "as it should be", ids.pop("seen", "otherwise"), **ids)
    scene.write(open_incident, found, scene.now_ms)


def take_key(scene: Scene) -> None:
    """Key 1 leaves slot 1 under booking 1."""
    scene.tell(AccessGranted, reader="reader-1", slot=1, purpose=Purpose.TAKE, key="key-1", **UNDER_1)
    scene.tell(DoorOpened, slot=1, released=True)
    scene.tell(KeyTaken, slot=1, key="key-1", identity=Identity.READ, **UNDER_1)


# --- incidents


def test_the_most_urgent_comes_first_then_the_newest(scene: Scene) -> None:
    wrong(scene, IncidentKind.KEY_IN_WRONG_SLOT, "key-1")
    wrong(scene, IncidentKind.CABINET_TAMPERED, CABINET, cabinet_id=CABINET)
    wrong(scene, IncidentKind.MAINS_LOST, CABINET, cabinet_id=CABINET)
    wrong(scene, IncidentKind.BATTERY_LOW, CABINET, cabinet_id=CABINET)
    strips = scene.database.read_now(lambda c: open_strips(c, NOW_MS, with_bookings=True))
    assert [strip.kind for strip in strips.strips] == [
        IncidentKind.BATTERY_LOW,
        IncidentKind.CABINET_TAMPERED,
        IncidentKind.MAINS_LOST,
        IncidentKind.KEY_IN_WRONG_SLOT,
    ]
    assert dict(strips.counts) == {"urgent": 2, "warning": 1, "info": 1}
    assert (strips.strips[0].place and strips.strips[0].place.station) == "Station a"


def test_a_strip_says_what_where_for_whom_what_the_system_does_and_what_to_do(scene: Scene) -> None:
    book(scene.database, 1, start_ms=NOW_MS + 2 * HOUR)
    wrong(scene, IncidentKind.LOCK_STUCK, f"{CABINET}/1", cabinet_id=CABINET)
    said = board(scene, Language.FR)
    for words in (
        "Serrure bloquée",
        "Station a , Lille · emplacement 1",
        "Prochaine réservation : ",
        "dans 2 h, Car 1",
        "Le boîtier a proposé un autre emplacement",
        "Aider l'adhérent à prendre un autre véhicule",
        "vue par personne · confiée à personne",
        "Prendre acte",
    ):
        assert words.replace("'", "&#39;") in said, words


def test_a_storm_is_one_strip_that_names_its_stations_and_counts_everybodys_bookings(scene: Scene) -> None:
    book(scene.database, 1, start_ms=NOW_MS + HOUR)
    book(scene.database, 2, vehicle_id="car-3", key_id="key-3", cabinet_id=OTHER_CABINET, station_id="st-b")
    book(scene.database, 3, start_ms=NOW_MS + 4 * HOUR)
    wrong(scene, IncidentKind.CABINETS_SILENT_STORM, "network", seen=storm_text([OTHER_CABINET, CABINET]))
    (strip,) = scene.database.read_now(lambda c: open_strips(c, NOW_MS - 1, with_bookings=True)).strips
    assert [place.station for place in strip.storm] == ["Station a", "Station b"]
    assert (len(strip.soon), strip.soon_count) == (SHOWN_MAX, 3)
    assert [each.vehicle for each in strip.soon] == ["Car 3", "Car 1"]
    assert "the network: Station a , Station b" in board(scene)


def test_an_incident_about_a_vehicle_names_that_vehicles_bookings_alone_and_its_own_apart(scene: Scene) -> None:
    book(scene.database, 1, state=BookingState.ACTIVE, taken_ms=NOW_MS)
    book(scene.database, 2, start_ms=NOW_MS + 3 * HOUR)
    book(scene.database, 3, start_ms=NOW_MS + 3 * HOUR, vehicle_id="car-2", key_id="key-2")
    wrong(scene, IncidentKind.KEY_OVERDUE, "b", cabinet_id=CABINET, vehicle_id="car-1", booking_id="booking-1")
    (strip,) = scene.database.read_now(lambda c: open_strips(c, NOW_MS, with_bookings=True)).strips
    assert strip.own is not None
    assert (strip.own.id, strip.own.state) == ("booking-1", BookingState.ACTIVE)
    assert [each.id for each in strip.soon] == ["booking-2"]


def test_more_than_can_be_looked_at_is_counted_and_not_laid_out(scene: Scene) -> None:
    for number in range(STRIPS_MAX + 5):
        wrong(scene, IncidentKind.VEHICLE_SILENT, f"v-{number}")
    strips = scene.database.read_now(lambda c: open_strips(c, NOW_MS, with_bookings=True))
    assert (len(strips.strips), strips.more) == (STRIPS_MAX, 5)


def test_without_an_incident_the_board_says_so(scene: Scene) -> None:
    assert "Nothing is wrong that the system knows of." in board(scene)


def test_who_may_not_see_bookings_or_keys_sees_none_on_the_board(scene: Scene) -> None:
    book(scene.database, 1, start_ms=NOW_MS + 2 * HOUR)
    wrong(scene, IncidentKind.LOCK_STUCK, f"{CABINET}/1", cabinet_id=CABINET)
    assert "in 2 h" not in board(scene, without=Scope.BOOKINGS_READ)
    assert "free for returns" in board(scene)
    assert "free for returns" not in board(scene, without=Scope.FLEET_READ)
    assert "Acknowledge" not in board(scene, without=Scope.OPERATIONS)


def test_the_page_of_an_incident_has_its_history_and_the_manual(scene: Scene) -> None:
    wrong(scene, IncidentKind.CABINET_SILENT, CABINET, cabinet_id=CABINET)
    (found,) = scene.database.read_now(all_incidents)
    scene.write(acknowledge, found.ref, "api/night-desk", NOW_MS)
    scene.write(comment, found.ref, "the <router> is dark", "api/night-desk", NOW_MS)
    seen = look(scene)
    text = scene.database.read_now(lambda c: incident_text(c, seen, found.ref))
    assert text is not None
    assert "the &lt;router&gt; is dark" in text
    assert "When to escalate" in plain(text)
    assert "seen by api/night-desk" in plain(text)
    assert scene.database.read_now(lambda c: incident_text(c, seen, "nothing")) is None


# --- stations


def shown(scene: Scene, now_ms: int = NOW_MS) -> list[Shown]:
    first, _ = scene.database.read_now(lambda c: network(c, STALE_MS, now_ms))
    return [slot.shown for slot in first.cabinets[0].slots]


def test_slots_follow_the_facts_of_their_cabinet(scene: Scene) -> None:
    assert shown(scene) == [Shown.UNKNOWN] * 3
    book(scene.database)
    take_key(scene)
    assert shown(scene)[0] is Shown.OUT
    assert shown(scene, NOW_MS + 2 * HOUR)[0] is Shown.OVERDUE


def test_a_cabinet_is_fresh_until_its_report_is_overdue_and_silent_once_it_is_offline(scene: Scene) -> None:
    def heard(now_ms: int) -> list[Heard]:
        return [each.heard for each in scene.database.read_now(lambda c: network(c, STALE_MS, now_ms))]

    assert heard(NOW_MS + STALE_MS) == [Heard.FRESH, Heard.NEVER]
    assert heard(NOW_MS + STALE_MS + 1) == [Heard.STALE, Heard.NEVER]
    scene.presence(scene.box, online=False)
    assert heard(NOW_MS) == [Heard.SILENT, Heard.NEVER]


def test_a_blocked_vehicle_is_marked_and_not_free(scene: Scene) -> None:
    def block(connection: Connection) -> None:
        row = {"id": "b", "vehicle_id": "car-1", "kind": "damage", "start_ms": NOW_MS, "begun": True, "author": "a"}
        connection.execute(insert(blocks).values(**row, created_ms=NOW_MS, changed_ms=NOW_MS, version=1))

    scene.database.write_now(block)
    first, _ = scene.database.read_now(lambda c: network(c, STALE_MS, NOW_MS + MINUTE))
    assert [slot.is_blocked for slot in first.cabinets[0].slots] == [True, False, False]
    assert (first.cars, first.free) == (2, 0)


def test_the_map_has_every_station_once_and_no_circle_covers_another(scene: Scene) -> None:
    stations = scene.database.read_now(lambda c: network(c, STALE_MS, NOW_MS))  # both at one point
    plan = network_map(stations)
    assert plan is not None
    first, second = plan.dots
    assert abs(first.x - second.x) + abs(first.y - second.y) >= 22
    assert [label.text for label in plan.labels] == ["Lille"]
    assert network_map(()) is None
