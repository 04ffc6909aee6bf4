"""What a box says of a vehicle has to be what its tracker told, and every incident what a box said."""

from typing import Any

import pytest

from contract.facts import Identity, KeyReturned, VehicleNoticed, VehicleSign
from dispatcher.core.rules import FleetRules
from simulator.verdict.evidence import Incident
from tests.simulator.verdict.story import KEY, START_MS, Story, good_rental, only_broken

RULES = FleetRules()
SHOWN: dict[VehicleSign, dict[str, Any]] = {
    VehicleSign.MOVED_AFTER_RETURN: {"ignition": True},
    VehicleSign.DOORS_OPEN_AT_RETURN: {"doors_open": True},
    VehicleSign.UNPLUGGED_AT_RETURN: {"plugged_in": False},
    VehicleSign.PLUGGED_IN: {"plugged_in": True},
    VehicleSign.CHARGING: {"charging": True},
    VehicleSign.LOW_VOLTAGE: {"low_voltage_mv": RULES.low_voltage_mv - 1},
    VehicleSign.LOW_ENERGY: {"energy_percent": RULES.low_energy_percent - 1},
}
OTHERWISE: dict[VehicleSign, dict[str, Any]] = {
    VehicleSign.PLUGGED_IN: {"plugged_in": False},
    VehicleSign.LOW_VOLTAGE: {"low_voltage_mv": RULES.low_voltage_mv},
    VehicleSign.LOW_ENERGY: {"energy_percent": RULES.low_energy_percent},
}
RETURNED_S = 2001.2
END_S = 6000


def noticed(story: Story, sign: VehicleSign, at_s: float = 3000, *, active: bool = True) -> Story:
    story.is_told(at_s, VehicleNoticed, vehicle=KEY.vehicle, sign=sign, active=active)
    return story


def wrong(story: Story) -> str:
    (text,) = only_broken(story.verdict(END_S), "picture_converges")
    return text


@pytest.mark.parametrize("sign", VehicleSign)
def test_a_sign_that_a_tracker_showed_is_believed_and_its_incident_explained(sign: VehicleSign) -> None:
    story = good_rental()
    story.tracker_tells(2900, **SHOWN[sign])
    noticed(story, sign)
    assert story.verdict(END_S).held


@pytest.mark.parametrize("sign", VehicleSign)
def test_a_sign_that_nothing_showed_is_named(sign: VehicleSign) -> None:
    story = good_rental()
    story.tracker_tells(2900, **OTHERWISE.get(sign, {}))
    story.tracker_tells(2900, timed=False, **SHOWN[sign])  # nobody knows when that was
    story.tracker_tells(3010, **SHOWN[sign])
    assert f"{sign} of {KEY.vehicle}" in wrong(noticed(story, sign))


def test_a_car_that_drove_while_its_key_was_out_is_no_doubtful_return() -> None:
    story = good_rental()
    story.tracker_tells(1900, ignition=True)
    assert "which nothing showed" in wrong(noticed(story, VehicleSign.MOVED_AFTER_RETURN))


def test_what_is_told_again_in_a_new_epoch_needs_nothing_new() -> None:
    story = good_rental()
    story.tracker_tells(2900, energy_percent=3)
    noticed(story, VehicleSign.LOW_ENERGY)
    noticed(story, VehicleSign.LOW_ENERGY, 3000 + 3 * 3600)
    fields = {"vehicle": KEY.vehicle, "sign": VehicleSign.CHARGING, "active": True}
    story.is_told(3001 + 3 * 3600, VehicleNoticed, again=True, **fields)  # by a box that was put back
    assert story.verdict(END_S + 3 * 3600).held
    noticed(story, VehicleSign.LOW_ENERGY, 3100 + 3 * 3600, active=False)
    noticed(story, VehicleSign.LOW_ENERGY, 3200 + 3 * 3600)
    found = story.verdict(END_S + 3 * 3600)
    assert len(only_broken(found, "picture_converges")) == 1


@pytest.mark.parametrize("kind", ["vehicle_low_energy", "return_doubtful", "car_outside_bay"])
def test_an_incident_that_no_box_told_of_is_named(kind: str) -> None:
    story = good_rental()
    story.incidents.append(Incident(kind, KEY.vehicle, START_MS + 3_000_000, is_open=True, seen="?"))
    assert f"incident {kind} of {KEY.vehicle}, nothing explains it" in wrong(story)


def test_an_incident_that_a_box_told_of_is_explained() -> None:
    story = good_rental()
    story.tracker_tells(2900, ignition=True)
    noticed(story, VehicleSign.MOVED_AFTER_RETURN)
    story.incidents.append(Incident("return_doubtful", KEY.vehicle, START_MS + 3_001_000, is_open=True, seen=""))
    assert story.verdict(END_S).held


def returned(*, at_home: bool, outside: bool, told_s: float = 1990) -> Story:
    """The rental whose return says where the car stands."""
    story = good_rental()
    story.tracker_tells(told_s, outside=outside)
    for index, row in enumerate(story.ledger):
        if isinstance(row.fact, KeyReturned):
            assert row.fact.identity is Identity.READ
            fact = row.fact.model_copy(update={"at_home": at_home})
            story.ledger[index] = type(row)(row.position, row.cabinet, row.epoch, row.seq, fact)
    return story


@pytest.mark.parametrize("outside", [True, False])
def test_where_a_car_stands_at_its_return_is_where_its_tracker_told(outside: bool) -> None:
    assert returned(at_home=not outside, outside=outside).verdict(END_S).held
    assert "and it was not" in wrong(returned(at_home=outside, outside=outside))
    assert "and it was not" in wrong(returned(at_home=not outside, outside=outside, told_s=RETURNED_S - 1000))


def test_a_car_outside_its_bay_explains_its_incident() -> None:
    story = returned(at_home=False, outside=True)
    story.incidents.append(Incident("car_outside_bay", KEY.vehicle, START_MS + 2_002_000, is_open=True, seen=""))
    assert story.verdict(END_S).held
