"""What the metrics show of each cabinet and of revocations, from the rows of a real database."""

from sqlalchemy import insert, update

from contract.facts import DoorOpened, Identity, KeyTaken
from contract.messages import SlotState
from dispatcher.store.cabinet_figures import CabinetFigures
from dispatcher.store.figures import Figures, figures
from dispatcher.store.schema import badge_spread, badges, cabinet_links, cabinets, desired_states
from dispatcher.store.spread import settle_spread
from tests.dispatcher.scene import Scene
from tests.dispatcher.small_fleet import CABINET, MINUTE, NOW_MS, OTHER_CABINET, new_database  # noqa: F401  # both databases


def counted(scene: Scene) -> Figures:
    return scene.database.read_now(figures)


def of(scene: Scene, cabinet: str = CABINET) -> CabinetFigures:
    return next(one for one in counted(scene).cabinets if one.cabinet_id == cabinet)


def test_a_cabinet_that_never_spoke_is_counted_with_nothing_known() -> None:
    scene = Scene()
    assert of(scene, OTHER_CABINET) == CabinetFigures(
        cabinet_id=OTHER_CABINET,
        station_id="st-b",
        online=False,
        heard_ms=None,
        clock_trusted=False,
        facts_missing=0,
        desired_since_ms=None,
        desired_refused=False,
        grants_left_out=0,
        slots={"shut_with_key": 0, "open_with_key": 0, "open_empty": 0, "shut_empty": 0, "unknown": 3},
    )
    scene.execute(update(cabinets).where(cabinets.c.id == OTHER_CABINET).values(life_cycle="retired"))
    assert [one.cabinet_id for one in counted(scene).cabinets] == [CABINET]


def test_slots_are_counted_by_the_words_of_the_box() -> None:
    scene = Scene()
    scene.tell(DoorOpened, slot=3, released=True)
    scene.report(
        SlotState(slot=1, key_present=True, door_open=False), SlotState(slot=3, key_present=False, door_open=True)
    )
    scene.pass_s(0)
    found = of(scene)
    assert found.slots == {"shut_with_key": 1, "open_with_key": 0, "open_empty": 1, "shut_empty": 0, "unknown": 1}
    assert (found.online, found.clock_trusted, found.heard_ms) == (True, True, NOW_MS)


def test_what_a_report_has_noted_and_the_ledger_lacks_is_missing_until_it_comes() -> None:
    scene = Scene()
    for _ in range(4):
        scene.box.note(DoorOpened, slot=1, released=True)
    scene.report()
    assert of(scene).facts_missing == 4
    scene.take_all()
    assert of(scene).facts_missing == 0


def test_keys_that_are_out_and_incidents_of_force_are_the_cabinets() -> None:
    scene = Scene()
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1")
    scene.tell(DoorOpened, slot=2, released=False)
    found = of(scene)
    assert (found.keys_out, found.keys_overdue, found.forced) == (1, 0, 1)
    urgent = counted(scene).unacknowledged["urgent"]
    assert (urgent.count >= 1, urgent.oldest_ms) == (True, NOW_MS)


def test_a_desired_state_that_is_not_held_is_as_old_as_its_version() -> None:
    scene = Scene()
    version = NOW_MS - MINUTE
    state = update(desired_states).where(desired_states.c.cabinet_id == CABINET)
    scene.execute(state.values(version=version, grants_left_out=2))
    assert (of(scene).desired_since_ms, of(scene).grants_left_out) == (version, 2)
    assert counted(scene).outdated == (version,)
    scene.execute(update(cabinet_links).values(desired_version_held=version))
    assert of(scene).desired_since_ms is None


def test_a_revocation_is_pending_until_its_last_box_has_it_and_then_says_how_long_it_took() -> None:
    scene = Scene()
    scene.execute(update(badges).where(badges.c.id == "badge-1").values(state="revoked", revoked_ms=NOW_MS))
    for cabinet in (CABINET, OTHER_CABINET):
        row = {"badge_id": "badge-1", "cabinet_id": cabinet, "since_ms": NOW_MS, "version": 7}
        scene.execute(insert(badge_spread).values(**row))
    assert (counted(scene).revocations_pending, counted(scene).revoked_since_ms) == (1, NOW_MS)
    scene.report(desired_version=7)
    assert scene.database.write_now(lambda c: settle_spread(c, NOW_MS + MINUTE)) == ()
    scene.execute(insert(cabinet_links).values(cabinet_id=OTHER_CABINET, desired_version_held=8, **OFFLINE))
    assert scene.database.write_now(lambda c: settle_spread(c, NOW_MS + 2 * MINUTE)) == (2 * MINUTE,)
    assert scene.database.write_now(lambda c: settle_spread(c, NOW_MS + 3 * MINUTE)) == ()
    assert (counted(scene).revocations_pending, counted(scene).revoked_since_ms) == (0, None)


OFFLINE = {"online": False, "reported_applied": True}
