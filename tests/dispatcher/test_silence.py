"""A provider's outage is one incident; a cabinet that fails alone, or keeps failing, has its own."""

from dataclasses import replace

import pytest
from sqlalchemy import insert, update

from contract.messages import Presence
from dispatcher.core.hearing import Hearing
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.picture import CabinetView, Picture
from dispatcher.core.reconcile import reconcile
from dispatcher.core.rules import FleetRules
from dispatcher.core.silence import TOGETHER_S, storm_limit, storm_members, storm_text
from dispatcher.store.database import Database
from dispatcher.store.incidents import all_incidents
from dispatcher.store.links import keep_presence
from dispatcher.store.reachability import reachable_cabinets
from dispatcher.store.schema import cabinet_links, cabinets
from dispatcher.store.timed import run_timed
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import NOW_MS, RULES, new_database

SILENT_S = RULES.cabinet_silent_s
OWN = frozenset({IncidentKind.CABINET_SILENT})
FLEET = 30


def cabinet(number: int, offline_s: float | None = None) -> CabinetView:
    """One that is well, or that has been offline for so long."""
    online = offline_s is None
    return CabinetView(f"cab-{number:02}", online=online, heard=True, offline_s=offline_s or 0, quiet_s=1)


def fleet(*offline_s: float) -> tuple[CabinetView, ...]:
    """Thirty cabinets, the first of them offline."""
    gone = [cabinet(number, seconds) for number, seconds in enumerate(offline_s)]
    return (*gone, *(cabinet(number) for number in range(len(gone), FLEET)))


def found(
    cabinets: tuple[CabinetView, ...], storm: frozenset[str] = frozenset(), *, listening: bool = True
) -> list[tuple[str, str]]:
    picture = Picture(keys=(), bookings=(), cabinets=cabinets, storm=storm, listening=listening)
    return [(each.kind, each.seen) for each in reconcile(picture, RULES, NOW_MS)]


def names(*numbers: int) -> str:
    return storm_text([f"cab-{number:02}" for number in numbers])


def test_more_than_five_cabinets_that_fall_silent_together_are_one_incident() -> None:
    assert found(fleet(*[SILENT_S + 1] * 6)) == [("cabinets_silent_storm", names(0, 1, 2, 3, 4, 5))]


def test_five_are_five() -> None:
    assert [kind for kind, _ in found(fleet(*[SILENT_S + 1] * 5))] == ["cabinet_silent"] * 5


def test_the_first_of_a_storm_opens_it_for_those_that_follow_within_two_minutes() -> None:
    soon = [SILENT_S + 1, *[SILENT_S - TOGETHER_S + 1] * 5]
    later = [SILENT_S + 1, *[SILENT_S - TOGETHER_S - 1] * 5]
    assert found(fleet(*soon)) == [("cabinets_silent_storm", names(0))]
    assert [kind for kind, _ in found(fleet(*later))] == ["cabinet_silent"]


def test_cabinets_that_were_silent_before_keep_their_own_and_are_no_part_of_a_storm() -> None:
    old = [replace(each, open_already=OWN) for each in fleet(*[9e9] * 5)[:5]]
    assert [kind for kind, _ in found((*old, *fleet(*[SILENT_S + 1] * 6)[5:]))] == ["cabinet_silent"] * 6


def test_who_falls_silent_during_a_storm_joins_it() -> None:
    storm = frozenset(f"cab-{number:02}" for number in range(6))
    assert found(fleet(*[SILENT_S + 99] * 6, SILENT_S + 1), storm) == [
        ("cabinets_silent_storm", names(0, 1, 2, 3, 4, 5, 6))
    ]


def test_a_storm_lasts_while_more_than_two_are_left_and_these_get_their_own() -> None:
    storm = frozenset(f"cab-{number:02}" for number in range(6))
    assert found(fleet(*[9e9] * 3), storm) == [("cabinets_silent_storm", names(0, 1, 2))]
    assert [kind for kind, _ in found(fleet(*[9e9] * 2), storm)] == ["cabinet_silent"] * 2
    assert found(fleet(), storm) == []


def test_a_storm_stays_as_it_was_while_we_do_not_listen_and_over_our_restart() -> None:
    storm = frozenset(f"cab-{number:02}" for number in range(6))
    assert found(fleet(), storm, listening=False) == [("cabinets_silent_storm", names(0, 1, 2, 3, 4, 5))]
    unheard = tuple(replace(each, heard=False, offline_s=1) for each in fleet(*[1] * 6))
    assert found(unheard, storm) == [("cabinets_silent_storm", names(0, 1, 2, 3, 4, 5))]


@pytest.mark.parametrize(("cabinets", "limit"), [(2, 2), (6, 2), (9, 3), (15, 5), (30, 5), (3000, 5)])
def test_a_third_of_a_small_fleet_is_a_storm_and_two_never_are(cabinets: int, limit: int) -> None:
    assert storm_limit(cabinets, RULES) == limit


def test_the_limit_is_configured() -> None:
    assert storm_limit(300, FleetRules(storm_cabinets=20)) == 20


def test_a_storms_text_names_its_cabinets() -> None:
    assert storm_members(storm_text(["b", "a"])) == {"a", "b"}


NETWORK = 9


def network() -> Database:
    """Nine cabinets, all online."""
    database = new_database()
    row = {"slots": 3, "station_id": "st-a", "life_cycle": "in_service", "public_key": None}
    ids = [f"more-{number}" for number in range(NETWORK - 2)]
    more = insert(cabinets).values([row | {"id": name} for name in ids])
    database.write_now(lambda connection: connection.execute(more))
    for name in ("cab-a", "cab-b", *ids):
        presence(database, FakeBox(name).presence())
    return database


def presence(database: Database, told: Presence) -> None:
    database.write_now(lambda connection: keep_presence(connection, told, NOW_MS))


def pass_to(database: Database, now_ms: int) -> list[tuple[str, str, bool]]:
    heard = dict.fromkeys(("cab-a", "cab-b", *(f"more-{n}" for n in range(NETWORK - 2))), 1.0)
    ears = Hearing(True, NOW_MS, 1.0, heard)
    database.write_now(lambda connection: run_timed(connection, RULES, ears, now_ms))
    return [(each.kind, each.subject, each.closed_ms is None) for each in database.read_now(all_incidents)]


def test_a_storm_is_opened_once_and_closed_once_and_nobody_else_is_named() -> None:
    database = network()
    boxes = [FakeBox(f"more-{number}") for number in range(5)]
    for box in boxes:
        presence(database, box.presence(online=False))
    for after_s in (1, SILENT_S + 1, SILENT_S + 30):
        told = pass_to(database, NOW_MS + after_s * 1000)
    assert told == [(IncidentKind.CABINETS_SILENT_STORM, "network", True)]
    for box in boxes:
        box.connection = 2
        presence(database, box.presence())
    for after_s in (SILENT_S + 40, SILENT_S + 50):
        told = pass_to(database, NOW_MS + after_s * 1000)
    assert told == [(IncidentKind.CABINETS_SILENT_STORM, "network", False)]


def test_the_cabinets_of_a_storm_cannot_be_reached_whatever_their_presence_says() -> None:
    database = network()
    for number in range(5):
        presence(database, FakeBox(f"more-{number}").presence(online=False))
    pass_to(database, NOW_MS + (SILENT_S + 1) * 1000)
    database.write_now(lambda connection: connection.execute(update(cabinet_links).values(online=True)))
    assert database.read_now(reachable_cabinets) == {"cab-a", "cab-b", "more-5", "more-6"}
