"""One badge at two stations faster than travel: an alert, by the times of clocks that somebody vouches for."""

from typing import Any

import pytest
from sqlalchemy import select, update

from contract.facts import AccessGranted, AccessRefused, Purpose
from contract.reasons import Reason
from dispatcher.core.hearing import Hearing
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.windows import DAY_MS
from dispatcher.store.database import Database
from dispatcher.store.incidents import all_incidents
from dispatcher.store.schema import badge_sightings, stations
from dispatcher.store.timed import run_timed
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    incidents,
    new_database,
    take,
)

KIND = IncidentKind.BADGE_AT_TWO_STATIONS
APART_MS = 667_170  # 0.1 degrees of latitude, 11,119.5 m, at 60 km/h
DEAF = Hearing(listening=False, listening_since_ms=NOW_MS, listening_s=0, quiet_s={})


class Town:
    """Two stations 11 km apart, whose boxes tell at once what is shown to them."""

    def __init__(self) -> None:
        self.database: Database = new_database()
        north = update(stations).where(stations.c.id == "st-b").values(latitude=50.7)
        self.database.write_now(lambda connection: connection.execute(north))
        self.boxes = {cabinet: FakeBox(cabinet) for cabinet in (CABINET, OTHER_CABINET)}

    def show(self, cabinet: str, at_ms: int, badge: str | None = "ref-1", **more: Any) -> None:
        """The badge is shown and refused."""
        box = self.boxes[cabinet]
        box.now_ms = at_ms
        box.clock_trusted = more.pop("trusted", True)
        seq = box.note(AccessRefused, reader="entrance", reason=Reason.NO_BOOKING, badge=badge)
        take(self.database, box.batch(seq), now_ms=more.pop("heard_ms", at_ms))

    def sighting(self) -> tuple[str, int]:
        statement = select(badge_sightings.c.station_id, badge_sightings.c.at_ms)
        station, at_ms = self.database.read_now(lambda connection: connection.execute(statement).one())
        return station, at_ms

    def timed(self, now_ms: int) -> None:
        self.database.write_now(lambda connection: run_timed(connection, RULES, DEAF, now_ms))


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.mark.parametrize(("after_ms", "alert"), [(1, True), (APART_MS - 10, True), (APART_MS + 10, False)])
def test_a_badge_that_is_faster_than_sixty_an_hour_is_an_alert(town: Town, after_ms: int, *, alert: bool) -> None:
    town.show(CABINET, NOW_MS)
    town.show(OTHER_CABINET, NOW_MS + after_ms)
    assert incidents(town.database) == ([(KIND, "ref-1", True)] if alert else [])


def test_it_counts_what_is_granted_too(town: Town) -> None:
    town.show(CABINET, NOW_MS)
    other = town.boxes[OTHER_CABINET]
    other.note(AccessGranted, reader="entrance", slot=1, purpose=Purpose.TAKE, grant="g-1234", badge="ref-1")
    take(town.database, other.batch(), now_ms=NOW_MS)
    (incident,) = town.database.read_now(all_incidents)
    assert (incident.kind, incident.cabinet_id) == (KIND, OTHER_CABINET)
    assert incident.expected == "667 s or more for 11119 m"
    assert incident.seen.startswith("at st-a at 20")


def test_a_sight_that_is_told_late_is_compared_by_its_own_time(town: Town) -> None:
    town.show(OTHER_CABINET, NOW_MS + 2 * HOUR)
    town.show(CABINET, NOW_MS, heard_ms=NOW_MS + 2 * HOUR)
    assert incidents(town.database) == []
    assert town.sighting() == ("st-b", NOW_MS + 2 * HOUR)
    town.show(CABINET, NOW_MS + 2 * HOUR - MINUTE, heard_ms=NOW_MS + 3 * HOUR)
    assert incidents(town.database) == [(KIND, "ref-1", True)]


def test_a_clock_that_nobody_vouches_for_accuses_nobody(town: Town) -> None:
    town.show(CABINET, NOW_MS)
    town.show(OTHER_CABINET, NOW_MS + 1, trusted=False)
    assert incidents(town.database) == []
    assert town.sighting() == ("st-a", NOW_MS)


def test_two_taps_at_one_station_two_badges_and_unknown_cards_are_no_alert(town: Town) -> None:
    town.show(CABINET, NOW_MS)
    town.show(CABINET, NOW_MS + 1)
    town.show(OTHER_CABINET, NOW_MS + 2, badge="ref-2")
    town.show(OTHER_CABINET, NOW_MS + 2, badge=None)
    assert incidents(town.database) == []


def test_it_closes_by_itself_after_a_day_without_another(town: Town) -> None:
    town.show(CABINET, NOW_MS)
    town.show(OTHER_CABINET, NOW_MS + 1000)
    town.timed(NOW_MS + DAY_MS)
    assert incidents(town.database) == [(KIND, "ref-1", True)]
    town.show(CABINET, NOW_MS + HOUR)
    town.show(OTHER_CABINET, NOW_MS + HOUR + 1000)
    town.timed(NOW_MS + DAY_MS + 1000)
    assert incidents(town.database) == [(KIND, "ref-1", True)], "there was another within the day"
    town.timed(NOW_MS + HOUR + DAY_MS + 1000)
    assert incidents(town.database) == [(KIND, "ref-1", False)]
