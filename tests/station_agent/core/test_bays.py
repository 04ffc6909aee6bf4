"""A position is held for one question, and shown only where the answer is no (domain.md, P1 and P2)."""

import json
from typing import Any

import pytest

from contract.facts import KeyReturned, VehicleReading
from contract.messages import Reported
from contract.places import Bay, Position
from station_agent.core import model
from station_agent.core.bays import HELD_MS
from tests.station_agent.core.box import MINUTE_MS, Box

BAY = Bay(latitude=50.6366, longitude=3.0706, radius_m=150)
IN_BAY = Position(latitude=50.6372, longitude=3.0706)  # 67 m north of it
ELSEWHERE = Position(latitude=50.6416, longitude=3.0706)  # 556 m
MARKS = ("50.6416", "50.6372", "3.0706")


def rented() -> Box:
    """Ann has the key of car-1."""
    box = Box(bay=BAY)
    box.grant("booking-1", badge="ann", hours=8)
    box.badge("ann")
    for step in (box.opens, box.take, box.shut):
        step(1)
    return box


def parks(box: Box, position: Position | None, age_ms: int = 0, **signals: Any) -> None:
    reading = VehicleReading(age_s=0, **{"ignition": False, **signals})
    box.handle(model.VehicleRead("car-1", reading, box.now_ms - age_ms, position))


def bring_back(box: Box, slot: int = 1) -> bool | None:
    """What the fact says of the bay."""
    box.tag("tag-1")
    for step in (box.opens, box.hang, box.shut):
        step(slot)
    return box.last(KeyReturned).at_home


def shown(box: Box) -> Position | None:
    (state,) = box.station.vehicle_reports(box.now)
    return state.position


@pytest.mark.parametrize(("position", "at_home"), [(IN_BAY, True), (ELSEWHERE, False), (None, None)])
def test_whether_a_car_is_at_home_is_asked_when_its_key_comes_home(
    position: Position | None, at_home: bool | None
) -> None:
    box = rented()
    parks(box, position)
    assert shown(box) is None
    assert bring_back(box) is at_home
    assert shown(box) == (ELSEWHERE if at_home is False else None)


def test_where_it_was_left_is_shown_until_the_next_take() -> None:
    box = rented()
    parks(box, ELSEWHERE)
    bring_back(box)
    box.elapse_within(60 * MINUTE_MS)
    assert shown(box) == ELSEWHERE
    box.badge("ann")
    box.opens(1)
    box.take(1)
    assert shown(box) is None


def test_a_position_is_in_no_fact_and_in_nothing_that_is_written() -> None:
    box = rented()
    parks(box, ELSEWHERE)
    bring_back(box)
    written = [effect for effect in box.effects if isinstance(effect, model.Journal)]
    assert written
    text = repr(box.effects) + box.picture + json.dumps([fact.to_json() for fact in box.facts])
    assert not any(mark in text for mark in MARKS)


def test_a_car_that_drove_on_is_not_where_it_stood() -> None:
    for signals in ({"ignition": True}, {"ignition": None, "moving": None}, {"moving": True}):
        box = rented()
        parks(box, ELSEWHERE)
        parks(box, None, **signals)
        assert bring_back(box) is None


@pytest.mark.parametrize(("driven_m", "at_home"), [(199, False), (200, None)])
def test_a_car_whose_odometer_grew_has_left_though_nobody_heard_its_engine(
    driven_m: int, at_home: bool | None
) -> None:
    box = rented()
    parks(box, ELSEWHERE, odometer_m=10_000)
    parks(box, None, odometer_m=10_000 + driven_m)  # in an underground car park, without a fix
    assert bring_back(box) is at_home


def test_an_old_fix_and_one_that_became_old_say_nothing() -> None:
    box = rented()
    parks(box, ELSEWHERE, age_ms=HELD_MS)
    assert bring_back(box) is None
    box = rented()
    parks(box, IN_BAY, age_ms=MINUTE_MS)
    box.elapse_within(HELD_MS - MINUTE_MS)
    assert bring_back(box) is None


def test_a_position_without_a_time_worth_believing_is_not_held() -> None:
    box = rented()
    box.handle(model.VehicleRead("car-1", VehicleReading(age_s=0, ignition=False), None, ELSEWHERE))
    assert bring_back(box) is None


def test_a_parked_car_whose_key_hangs_at_home_tells_nobody_where_it_is() -> None:
    box = rented()
    bring_back(box)
    parks(box, ELSEWHERE)
    box.badge("ann")
    for step in (box.opens, box.take, box.shut):
        step(1)
    assert bring_back(box) is None


def test_where_no_bay_is_told_nobody_asks() -> None:
    box = rented()
    box.bay = None
    box.desire()
    parks(box, ELSEWHERE)
    assert bring_back(box) is None
    assert shown(box) is None


def test_a_reboot_forgets_where_a_car_stands() -> None:
    box = rented()
    parks(box, ELSEWHERE)
    bring_back(box)
    box.reboot()
    box.tells("car-1", ignition=False)
    assert shown(box) is None


def test_a_report_carries_the_position_and_a_fact_has_no_field_for_one() -> None:
    assert "position" in json.dumps(Reported.model_json_schema())
    assert not any("position" in name or "latitude" in name for name in KeyReturned.model_fields)
