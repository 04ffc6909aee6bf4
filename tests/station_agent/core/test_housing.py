"""The cabinet itself: mains, battery, housing, and the mechanical key that opens everything."""

import pytest

from contract.facts import CabinetInput, CabinetInputChanged, InventoryDue
from station_agent.core.device_events import CabinetLost, CabinetSeen, InputSeen, SlotSeen
from station_agent.core.devices import CABINET
from tests.station_agent.core.box import Box


def shows(box: Box, **inputs: bool) -> None:
    """A look at the whole cabinet, with the inputs that are wired."""
    slots = tuple(SlotSeen(slot, key, door) for slot, (key, door) in sorted(box.contacts.items()))
    seen = tuple(InputSeen(CabinetInput(name), active) for name, active in inputs.items())
    box.handle(CabinetSeen(slots, seen))


def told(box: Box) -> list[tuple[str, bool]]:
    return [(fact.input.value, fact.active) for fact in box.new() if isinstance(fact, CabinetInputChanged)]


@pytest.mark.parametrize("name", [*CabinetInput])
def test_each_input_is_told_when_it_begins_and_when_it_is_over(name: CabinetInput) -> None:
    box = Box()
    for active in (False, True, True, False):
        shows(box, **{name.value: active})
    assert told(box) == [(name.value, True), (name.value, False)]


def test_an_input_that_is_active_at_its_first_sight_is_told() -> None:
    box = Box()
    shows(box, mains_lost=True, battery_low=False)
    assert told(box) == [("mains_lost", True)]


def test_what_changed_while_the_box_was_off_is_told_as_late() -> None:
    box = Box()
    shows(box, mains_lost=False, tampered=True)
    box.reboot()
    box.forget()
    shows(box, mains_lost=True, tampered=True)
    fact = box.last(CabinetInputChanged)
    assert (fact.input, fact.active, fact.seen_late) == (CabinetInput.MAINS_LOST, True, True)
    assert told(box) == [("mains_lost", True)]


def test_a_cabinet_that_is_silent_keeps_what_was_last_seen() -> None:
    box = Box()
    shows(box, tampered=True)
    box.event(CabinetLost("cable"))
    box.forget()
    shows(box, tampered=True)
    assert told(box) == []


def test_the_report_says_what_the_cabinet_says_of_itself() -> None:
    box = Box()
    state = {state.device: state for state in box.station.device_reports()}[CABINET]
    assert (state.tampered, state.power_failed) == (None, None)
    shows(box, mains_lost=True, tampered=False)
    state = {state.device: state for state in box.station.device_reports()}[CABINET]
    assert (state.tampered, state.power_failed) == (False, True)


def test_after_the_mechanical_key_an_inventory_is_due_and_no_tag_counts_as_read() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.tag("tag-1")
    box.opens(1)
    box.hang(1)
    box.shut(1)
    shows(box, override=False)
    assert box.station.slot_reports()[0].identity == "read"
    box.forget()
    shows(box, override=True)
    assert box.kinds() == ["cabinet_input_changed"]
    box.contacts[2] = (False, False)
    shows(box, override=False)
    assert box.kinds() == ["cabinet_input_changed", "key_taken", "cabinet_input_changed", "inventory_due"]
    assert box.last(InventoryDue).keys_present == 2
    assert box.station.slot_reports()[0].identity == "presumed"


def test_the_keys_home_is_lit_again_for_a_tag_that_was_doubted() -> None:
    box = Box()
    shows(box, override=True)
    shows(box, override=False)
    box.take(1)
    box.forget()
    box.tag("tag-1")
    assert box.released() == [1]
