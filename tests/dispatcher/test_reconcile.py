"""Discrepancies: found from a picture, opened once, closed once."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from contract.facts import AgentStarted, ClockTrustChanged, Identity, KeyReturned, KeyTaken
from dispatcher.core.booking_states import BookingState
from dispatcher.core.hearing import Hearing
from dispatcher.core.incidents import KINDS, IncidentKind
from dispatcher.core.patience import Patience
from dispatcher.core.picture import BookingView, CabinetView, KeyView, Picture
from dispatcher.core.reconcile import CLOCK_PATIENCE_S, DESIRED_PATIENCE_S, of_desired, reconcile
from dispatcher.core.silence import REPORT_EVERY_S
from dispatcher.store.database import Database
from dispatcher.store.desired import DesiredMaker, mark_unknown_dirty, told
from dispatcher.store.incidents import all_incidents, open_subjects
from dispatcher.store.links import keep_presence, keep_reported
from dispatcher.store.schema import cabinets
from dispatcher.store.timed import run_timed
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import dispatcher_signer
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    book,
    incidents,
    new_database,
    take,
)

END_MS = NOW_MS + 2 * HOUR
SILENT_S = RULES.cabinet_silent_s
OUT = BookingView("booking-1", CABINET, "car-1", "key-1", BookingState.ACTIVE, END_MS)
CLOCK_OPEN = frozenset({IncidentKind.CABINET_CLOCK_NOT_TRUSTED})
DESIRED_OPEN = frozenset({IncidentKind.DESIRED_NOT_TAKEN})
AT_HOME = KeyView("key-1", "car-1", (CABINET, 1), "in_slot", (CABINET, 1))
WELL = CabinetView(CABINET, online=True, heard=True, offline_s=0, quiet_s=1)


def kinds(picture: Picture, now_ms: int = NOW_MS) -> list[IncidentKind]:
    return [found.kind for found in reconcile(picture, RULES, now_ms)]


def of_key(key: KeyView) -> list[IncidentKind]:
    return kinds(Picture((key,), (), (), listening=True))


def of_cabinet(cabinet: CabinetView, *, listening: bool = True) -> list[IncidentKind]:
    return kinds(Picture((), (), (cabinet,), listening=listening))


def test_a_fleet_at_rest_and_members_who_behave_show_nothing() -> None:
    taken = replace(AT_HOME, state="taken", grant_id="grant-1", booking=OUT)
    assert kinds(Picture((AT_HOME, taken), (OUT,), (WELL,), listening=True), END_MS) == []


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (replace(AT_HOME, place=(CABINET, 2)), IncidentKind.KEY_IN_WRONG_SLOT),
        (replace(AT_HOME, place=(OTHER_CABINET, 1)), IncidentKind.KEY_AT_WRONG_STATION),
        (replace(AT_HOME, state="missing"), IncidentKind.KEY_MISSING),
        (replace(AT_HOME, state="taken"), IncidentKind.KEY_OUT_WITHOUT_RIGHT),
        (replace(AT_HOME, state="taken", grant_id="of-mars"), IncidentKind.KEY_OUT_WITHOUT_RIGHT),
        (
            replace(AT_HOME, state="taken", grant_id="g", booking=replace(OUT, state=BookingState.CANCELLED)),
            IncidentKind.KEY_OUT_WITHOUT_RIGHT,
        ),
        (
            replace(AT_HOME, state="taken", grant_id="g", booking=replace(OUT, key_id="key-2")),
            IncidentKind.WRONG_KEY_TAKEN,
        ),
    ],
)
def test_each_thing_that_can_be_wrong_with_a_key_has_its_kind(key: KeyView, found: IncidentKind) -> None:
    assert of_key(key) == [found]


def test_a_key_out_under_a_command_of_ours_is_no_discrepancy() -> None:
    under = replace(AT_HOME, state="taken", command_id="order-1")
    assert of_key(replace(under, ordered_by="operators")) == []
    assert of_key(under) == [IncidentKind.KEY_OUT_WITHOUT_RIGHT]


def test_a_key_of_no_fleet_has_no_wrong_slot() -> None:
    assert of_key(replace(AT_HOME, home=None, vehicle_id=None)) == []


def test_a_key_declared_elsewhere_is_no_discrepancy() -> None:
    assert of_key(replace(AT_HOME, state="elsewhere")) == []


@pytest.mark.parametrize(("late_ms", "overdue"), [(0, False), (600_000, False), (600_001, True)])
def test_a_key_is_overdue_when_the_grace_is_over(late_ms: int, *, overdue: bool) -> None:
    found = kinds(Picture((), (OUT,), (), listening=True), END_MS + late_ms)
    assert found == ([IncidentKind.KEY_OVERDUE] if overdue else [])


def test_only_a_key_that_is_out_is_overdue() -> None:
    back = replace(OUT, state=BookingState.RETURNED)
    assert kinds(Picture((), (back,), (), listening=True), END_MS + 9 * HOUR) == []


@pytest.mark.parametrize(
    ("cabinet", "silent"),
    [
        (WELL, False),
        (replace(WELL, quiet_s=SILENT_S + REPORT_EVERY_S), False),
        (replace(WELL, quiet_s=SILENT_S + REPORT_EVERY_S + 1), True),
        (replace(WELL, online=False, offline_s=SILENT_S), False),
        (replace(WELL, online=False, offline_s=SILENT_S + 1), True),
        (replace(WELL, online=None, heard=False, quiet_s=SILENT_S), False),  # just after our start
        (replace(WELL, online=None, heard=False, quiet_s=SILENT_S + 1), True),
        (replace(WELL, heard=False, quiet_s=SILENT_S + 1), False),  # known online before our restart
        (replace(WELL, heard=False, quiet_s=SILENT_S + REPORT_EVERY_S + 1), True),
    ],
)
def test_a_cabinet_is_silent_when_its_word_is_overdue(cabinet: CabinetView, *, silent: bool) -> None:
    assert of_cabinet(cabinet) == ([IncidentKind.CABINET_SILENT] if silent else [])


def test_who_does_not_listen_calls_nobody_silent() -> None:
    long_gone = replace(WELL, online=False, offline_s=9e9, quiet_s=9e9)
    assert of_cabinet(long_gone, listening=False) == []


def test_a_silence_lasts_until_a_word_comes_and_over_our_own_restart() -> None:
    silent = replace(WELL, online=False, heard=False, open_already=frozenset({IncidentKind.CABINET_SILENT}))
    assert of_cabinet(silent, listening=False) == [IncidentKind.CABINET_SILENT]
    assert of_cabinet(silent) == [IncidentKind.CABINET_SILENT]
    assert of_cabinet(replace(silent, heard=True)) == [IncidentKind.CABINET_SILENT]  # still "offline"
    assert of_cabinet(replace(silent, online=True, heard=True)) == []


@pytest.mark.parametrize(
    ("cabinet", "open_now"),
    [
        (WELL, False),
        (replace(WELL, untrusted_s=CLOCK_PATIENCE_S), False),  # a boot
        (replace(WELL, untrusted_s=CLOCK_PATIENCE_S + 1), True),
        (replace(WELL, untrusted_s=0, open_already=CLOCK_OPEN), True),  # after a restart of ours, or offline
        (replace(WELL, untrusted_s=None, open_already=CLOCK_OPEN), False),
    ],
)
def test_a_clock_that_nobody_vouches_for_is_named_after_five_minutes(
    cabinet: CabinetView, *, open_now: bool
) -> None:
    assert of_cabinet(cabinet) == ([IncidentKind.CABINET_CLOCK_NOT_TRUSTED] if open_now else [])


BEHIND = replace(WELL, told_version=8, held_version=7)


@pytest.mark.parametrize(
    ("cabinet", "open_now"),
    [
        (replace(BEHIND, held_version=8, unlike_s=9e9), False),
        (replace(BEHIND, held_version=None, unlike_s=9e9), False),  # it has not reported yet
        (replace(BEHIND, told_version=0, unlike_s=9e9), False),  # nothing was ever computed
        (replace(BEHIND, unlike_s=DESIRED_PATIENCE_S), False),
        (replace(BEHIND, unlike_s=DESIRED_PATIENCE_S + 1), True),
        (replace(BEHIND, open_already=DESIRED_OPEN), True),
        (replace(BEHIND, held_version=8, open_already=DESIRED_OPEN), False),
    ],
)
def test_a_box_that_does_not_take_what_it_is_told_is_named_after_two_minutes(
    cabinet: CabinetView, *, open_now: bool
) -> None:
    assert of_cabinet(cabinet) == ([IncidentKind.DESIRED_NOT_TAKEN] if open_now else [])


@pytest.mark.parametrize(("held", "which"), [(7, "an older one, 7"), (9, "a newer one, 9")])
def test_it_says_whether_the_box_holds_an_older_or_a_newer_one(held: int, which: str) -> None:
    (found,) = of_desired(replace(BEHIND, held_version=held, unlike_s=200))
    assert (found.expected, found.seen) == ("version 8 within 120 s", f"it holds {which}")


def test_every_kind_says_what_a_person_can_do() -> None:
    assert set(KINDS) == set(IncidentKind)
    assert all(rule.advice.endswith(".") for rule in KINDS.values())


def hearing(*, listening: bool = True, listening_s: float = 1, **quiet_s: float) -> Hearing:
    named = {name.replace("_", "-"): value for name, value in quiet_s.items()}
    return Hearing(listening, NOW_MS, listening_s, named)


def run(database: Database, now_ms: int, ears: Hearing | None = None) -> None:
    ears = ears or hearing(cab_a=1, cab_b=1)
    database.write_now(lambda connection: run_timed(connection, RULES, ears, now_ms))


def reported(database: Database, box: FakeBox, now_ms: int) -> None:
    box.now_ms = now_ms
    database.write_now(lambda connection: keep_reported(connection, box.report(), now_ms))


def online(database: Database, box: FakeBox, *, now_ms: int = NOW_MS, is_online: bool = True) -> None:
    database.write_now(lambda connection: keep_presence(connection, box.presence(online=is_online), now_ms))


def test_an_overdue_key_is_opened_once_and_closed_when_it_is_back() -> None:
    database, box = new_database(), FakeBox()
    book(database)
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-1", badge="ref-1")
    take(database, box.batch())
    late_ms = END_MS + 11 * MINUTE
    for moment_ms in (END_MS, late_ms, late_ms + 1000, late_ms + 2000):
        reported(database, box, moment_ms)
        run(database, moment_ms)
    assert incidents(database) == [(IncidentKind.KEY_OVERDUE, "booking-1", True)]
    box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1")
    take(database, box.batch(), now_ms=late_ms + 3000)
    run(database, late_ms + 3000)
    run(database, late_ms + 4000)
    assert incidents(database) == [(IncidentKind.KEY_OVERDUE, "booking-1", False)]
    (incident,) = database.read_now(all_incidents)
    assert (incident.opened_ms, incident.closed_ms) == (late_ms, late_ms + 3000)
    assert (incident.booking_id, incident.vehicle_id, incident.severity) == ("booking-1", "car-1", "warning")


def test_a_key_is_not_overdue_while_its_cabinet_may_have_a_return_to_tell() -> None:
    database, box = new_database(), FakeBox()
    book(database)
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-1", badge="ref-1")
    take(database, box.batch())
    late_ms = END_MS + 11 * MINUTE
    awaited = database.write_now(lambda c: run_timed(c, RULES, hearing(cab_a=1, cab_b=1), late_ms))
    assert (awaited.by_decisions, incidents(database)) == (frozenset({CABINET}), [])
    reported(database, box, late_ms)
    run(database, late_ms)
    assert incidents(database) == [(IncidentKind.KEY_OVERDUE, "booking-1", True)]


def test_a_cabinet_that_stays_offline_is_silent_once_until_it_speaks() -> None:
    database, box = new_database(), FakeBox()
    online(database, box)
    online(database, box, is_online=False)
    for after_s in (1, SILENT_S + 1, SILENT_S + 2):
        run(database, NOW_MS + after_s * 1000)
    assert incidents(database) == [(IncidentKind.CABINET_SILENT, CABINET, True)]
    box.connection = 2
    online(database, box, now_ms=NOW_MS + HOUR)
    run(database, NOW_MS + HOUR)
    assert incidents(database) == [(IncidentKind.CABINET_SILENT, CABINET, False)]


def test_nobody_is_silent_just_after_our_first_start() -> None:
    database = new_database()
    run(database, NOW_MS, hearing(listening_s=SILENT_S))
    assert incidents(database) == []
    run(database, NOW_MS, hearing(listening_s=SILENT_S + 1))
    assert {subject for _, subject, _ in incidents(database)} == {CABINET, OTHER_CABINET}


def test_a_cabinet_that_is_not_in_service_may_be_silent() -> None:
    database = new_database()
    retire = update(cabinets).values(life_cycle="retired")
    database.write_now(lambda connection: connection.execute(retire))
    run(database, NOW_MS, hearing(listening_s=9e9))
    assert incidents(database) == []


def test_what_facts_opened_the_reconciler_leaves_alone() -> None:
    database, box = new_database(), FakeBox()
    box.note(KeyTaken, slot=3, identity=Identity.UNKNOWN)
    take(database, box.batch())
    run(database, NOW_MS)
    assert database.read_now(lambda c: open_subjects(c, IncidentKind.UNIDENTIFIED_KEY_OUT)) == {"cab-a/3"}


def test_an_incident_that_changes_is_brought_up_to_date_and_not_opened_again() -> None:
    database, box = new_database(), FakeBox()
    for slot, at_ms in ((2, NOW_MS), (3, NOW_MS + 1)):
        box.note(KeyReturned, slot=slot, identity=Identity.READ, key="key-1")
        take(database, box.batch(), now_ms=at_ms)
        run(database, at_ms)
    (incident,) = database.read_now(all_incidents)
    assert (incident.seen, incident.updated_ms, incident.opened_ms) == ("slot 3 of cab-a", NOW_MS + 1, NOW_MS)


class Watch:
    """A database and one box that is online; timed work runs every two seconds of the line clock."""

    def __init__(self) -> None:
        self.database = new_database()
        self.box = FakeBox()
        self.patience = Patience()
        self.line_s = 1000.0
        online(self.database, self.box)

    def report(self) -> None:
        self.database.write_now(lambda connection: keep_reported(connection, self.box.report(), NOW_MS))

    def tell(self, kind: type[Any], **fields: Any) -> None:
        seq = self.box.note(kind, **fields)
        take(self.database, self.box.batch(seq))

    def make_desired(self, now_ms: int) -> int:
        """The version of the desired state that is made now, with whatever is new."""
        maker = DesiredMaker(RULES, b"m" * 32, dispatcher_signer().sign)
        self.database.write_now(mark_unknown_dirty)
        self.database.write_now(lambda connection: maker.refresh(connection, now_ms, now_ms + 1, 9))
        return next(state.version for state in self.database.read_now(told) if state.cabinet_id == CABINET)

    def pass_s(self, seconds: float, *, listening: bool = True) -> list[tuple[str, str, bool]]:
        """Let time pass, in small steps at its two ends; the incidents after it."""
        began_s, ends_s = self.line_s, self.line_s + seconds
        while self.line_s < ends_s:
            self.line_s += 20 if self.line_s > began_s and ends_s - self.line_s > 40 else 2
            ears = Hearing(
                listening,
                NOW_MS,
                self.line_s,
                {CABINET: 1.0, OTHER_CABINET: 1.0} if listening else {},
                line_s=self.line_s,
                patience=self.patience,
            )
            run(self.database, NOW_MS, ears)
        return incidents(self.database)


CLOCK, DESIRED = IncidentKind.CABINET_CLOCK_NOT_TRUSTED, IncidentKind.DESIRED_NOT_TAKEN


def test_a_boot_that_has_the_time_within_minutes_is_no_incident() -> None:
    watch = Watch()
    watch.box.clock_trusted = False
    watch.tell(AgentStarted, boot_nonce="b1" * 16, version="1")
    watch.report()
    assert watch.pass_s(298) == []
    watch.tell(ClockTrustChanged, source="dispatcher")
    assert watch.pass_s(600) == []


@pytest.mark.parametrize("by", ["fact", "report"])
def test_a_clock_that_stays_untrusted_is_one_incident_until_it_is_trusted(by: str) -> None:
    watch = Watch()
    for trusted, seconds, expected in (
        (False, 310, [(CLOCK, CABINET, True)]),
        (False, 600, [(CLOCK, CABINET, True)]),
        (True, 2, [(CLOCK, CABINET, False)]),
    ):
        watch.box.clock_trusted = trusted
        if by == "report":
            watch.report()
        else:
            watch.tell(ClockTrustChanged, source="kernel" if trusted else "none")
        assert watch.pass_s(seconds) == expected


def test_a_clock_is_not_judged_while_the_box_or_we_are_away() -> None:
    watch = Watch()
    watch.box.clock_trusted = False
    watch.report()
    watch.pass_s(200)
    assert watch.pass_s(400, listening=False) == []
    assert watch.pass_s(200) == [], "the time begins anew"
    online(watch.database, watch.box, is_online=False)
    assert watch.pass_s(200) == []
    watch.box.connection = 2
    online(watch.database, watch.box)
    assert watch.pass_s(310) == [(CLOCK, CABINET, True)]
    assert watch.pass_s(100, listening=False) == [(CLOCK, CABINET, True)], "nobody says that it is better"


def test_a_box_that_keeps_an_old_desired_state_is_one_incident_until_it_takes_ours() -> None:
    watch = Watch()
    watch.box.desired_version = watch.make_desired(NOW_MS)
    watch.report()
    assert watch.pass_s(600) == []
    book(watch.database)
    version = watch.make_desired(NOW_MS + 5)
    assert watch.pass_s(118) == []
    assert watch.pass_s(10) == [(DESIRED, CABINET, True)]
    book(watch.database, 2, start_ms=END_MS)
    version = watch.make_desired(NOW_MS + 9)
    assert watch.pass_s(10) == [(DESIRED, CABINET, True)]
    watch.box.desired_version = version
    watch.report()
    assert watch.pass_s(2) == [(DESIRED, CABINET, False)]


def test_a_box_that_is_told_anew_every_minute_and_takes_each_version_is_no_incident() -> None:
    watch = Watch()
    watch.box.desired_version = watch.make_desired(NOW_MS)
    for number in range(1, 6):
        book(watch.database, number, start_ms=NOW_MS + number * 3 * HOUR)
        following = watch.make_desired(NOW_MS + number)
        watch.report()
        assert watch.pass_s(100) == [], "always one behind, never the same one for long"
        watch.box.desired_version = following


def test_a_box_that_holds_a_newer_state_than_ours_is_named_where_that_lasts() -> None:
    watch = Watch()
    watch.box.desired_version = watch.make_desired(NOW_MS) + 1
    watch.report()
    assert watch.pass_s(200) == [(DESIRED, CABINET, True)]
    (incident,) = watch.database.read_now(all_incidents)
    assert incident.seen == f"it holds a newer one, {watch.box.desired_version}"
