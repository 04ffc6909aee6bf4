"""A pass over what was touched gives what a pass over everything gives; where it does not, that is counted."""

import pytest
from sqlalchemy import update

from contract.facts import DoorClosed, Identity, KeyReturned
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.schema import key_states
from dispatcher.store.scope import Scope
from tests.dispatcher.scene import Scene
from tests.dispatcher.small_fleet import OTHER_CABINET, incidents
from tests.dispatcher.test_incident_kinds import CASES

TOUCHED, CHECKED = Scope(frozenset()), Scope(frozenset(), is_checked=True)


def differences(scene: Scene) -> int:
    assert scene.awaited is not None
    return scene.awaited.differences


@pytest.mark.parametrize("kind", IncidentKind)
def test_what_was_touched_is_enough_for_every_kind(kind: IncidentKind) -> None:
    scene = Scene()
    scene.pass_s(1)
    scene.scope = CHECKED
    for _ in CASES[kind](scene):
        for _ in range(2):
            scene.pass_s(1)
            assert differences(scene) == 0
    told = scene.pass_s(1)
    assert differences(scene) == 0
    assert [is_open for each, _, is_open in told if each == kind] == [False]


def test_a_row_that_was_changed_past_the_facts_is_found_by_the_check_and_counted() -> None:
    scene = Scene()
    scene.tell(KeyReturned, slot=1, identity=Identity.READ, key="key-1")
    scene.pass_s(1)
    scene.execute(update(key_states).values(cabinet_id=OTHER_CABINET))
    scene.scope = TOUCHED
    assert scene.pass_s(1) == []
    scene.scope = CHECKED
    assert scene.pass_s(1) == [(IncidentKind.KEY_AT_WRONG_STATION, "key-1", True)]
    assert differences(scene) == 1
    scene.pass_s(1)
    assert differences(scene) == 0


def test_an_incident_of_a_cabinet_that_says_nothing_new_stays_as_it_was() -> None:
    scene = Scene()
    scene.tell(KeyReturned, slot=3, identity=Identity.READ, key="key-1")
    scene.scope = TOUCHED
    for _ in range(3):
        scene.pass_s(1)
    assert incidents(scene.database) == [(IncidentKind.KEY_IN_WRONG_SLOT, "key-1", True)]
    scene.tell(DoorClosed, slot=3)
    assert scene.pass_s(1) == [(IncidentKind.KEY_IN_WRONG_SLOT, "key-1", True)]
