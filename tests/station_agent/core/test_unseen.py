"""What happens between two sights of a cabinet, and who may profit from it: nobody."""

from contract.facts import (
    AccessGranted,
    AccessRefused,
    Identity,
    KeyReturned,
    KeyTaken,
    Purpose,
    ReleaseFailed,
    VehicleReading,
)
from contract.reasons import Reason
from station_agent.core import model
from station_agent.core.device_events import CabinetLost
from station_agent.core.locks import PULSED_UNTIL_MS, PULSES_MAX
from station_agent.core.picture import Picture
from tests.station_agent.core.box import HOUR_MS, MINUTE_MS, Box
from tests.station_agent.core.test_handovers import out


def test_a_slot_that_holds_a_key_again_is_not_pulsed_again() -> None:
    box = out()
    box.tag("tag-1")
    box.forget()
    box.move(1, key=True, door=False)  # opened, hung and shut between two sights
    assert box.last(KeyReturned).key == "key-1"
    assert box.station.wake_at_line_ms is None
    assert box.released() == []


def test_a_key_taken_between_two_sights_is_a_take_and_no_failure() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.forget()
    box.move(1, key=False, door=False)
    assert (box.kinds(), box.last(KeyTaken).grant) == (["key_taken"], "booking-1")
    assert box.station.wake_at_line_ms is None


def test_a_lock_that_opens_while_the_cabinet_is_silent_is_known_when_it_is_back() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.event(CabinetLost("cable pulled"))
    box.forget()
    for _ in range(2 * PULSES_MAX):
        box.elapse()
    assert (box.kinds(), box.released()) == ([], [])
    box.contacts[1] = (False, True)
    box.see()
    assert box.last(KeyTaken).grant == "booking-1"


def test_a_slot_that_is_still_shut_after_a_long_silence_is_given_up_and_not_opened_then() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.event(CabinetLost("no answer"))
    box.forget()
    decided_ms = box.line_ms
    while box.line_ms <= decided_ms + PULSED_UNTIL_MS:
        box.elapse()
    box.see()
    box.elapse()
    assert (box.last(ReleaseFailed).slot, box.last(ReleaseFailed).pulses) == (1, 1)
    assert box.released() == []
    box.badge("ann")  # whoever still waits there taps again
    assert box.released() == [1]


def test_a_tag_read_twice_lights_one_slot() -> None:
    box = out()
    box.tag("tag-1")
    box.opens(1)
    box.forget()
    box.tag("tag-1")
    assert box.last(AccessRefused).reason is Reason.BUSY
    assert box.released() == []
    box.hang(1)
    assert box.last(KeyReturned).identity is Identity.READ


def test_a_key_that_came_home_is_expected_nowhere_else() -> None:
    box = out()
    box.grant("booking-2", badge="bob", key="key-2")
    box.badge("bob")
    box.opens(2)
    box.take(2)  # left ajar
    box.tag("tag-1")
    box.opens(1)
    box.hang(2)  # key 1 came into slot 2; slot 1 still stands open
    box.forget()
    box.hang(1)  # something else is hung there
    assert (box.last(KeyReturned).slot, box.last(KeyReturned).key) == (1, None)


def test_a_door_left_ajar_after_a_return_does_not_keep_the_next_member_out() -> None:
    box = out()
    box.tag("tag-1")
    box.opens(1)
    box.hang(1)  # ann goes, the door stays open
    box.pass_time(5 * HOUR_MS)
    box.grant("booking-2", badge="bob")
    box.forget()
    box.badge("bob")
    assert box.last(AccessGranted).grant == "booking-2"
    box.take(1)
    assert (box.last(KeyTaken).grant, box.last(KeyTaken).badge) == ("booking-2", "ref-bob")


def test_who_has_a_key_and_a_right_to_another_gets_the_other() -> None:
    box = out()
    box.grant("booking-2", badge="ann", key="key-2")
    box.forget()
    box.badge("ann")
    fact = box.last(AccessGranted)
    assert (fact.purpose, fact.slot, fact.grant) == (Purpose.TAKE, 2, "booking-2")


def test_a_blocked_key_is_not_handed_out_again_within_the_hold() -> None:
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
    box.pass_time(MINUTE_MS)
    box.desire(blocked=("key-1",))
    box.forget()
    box.badge("ann")
    assert box.last(AccessRefused).reason is Reason.VEHICLE_BLOCKED


def test_the_first_sight_of_a_cabinet_is_remembered() -> None:
    box = Box()
    remembered = Picture.model_validate_json(box.picture)
    assert {number: slot.state.value for number, slot in remembered.slots.items()} == {
        1: "shut_with_key",
        2: "shut_with_key",
        3: "shut_with_key",
        4: "shut_empty",
    }


def test_a_slot_that_left_the_configuration_is_forgotten_with_its_release() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    remembered = Picture.model_validate_json(box.picture)
    remembered.slots[9] = remembered.slots.pop(1)
    remembered.releases[9] = remembered.releases.pop(1).model_copy(update={"slot": 9})
    box.picture = remembered.model_dump_json()
    box.reboot()
    box.see()
    assert box.handle(model.Elapsed()) == []


def test_an_older_message_of_a_tracker_does_not_replace_a_newer_one() -> None:
    box = Box()
    reading = model.VehicleRead("car-1", box_reading(20_000), box.now_ms)
    box.handle(reading)
    box.handle(model.VehicleRead("car-1", box_reading(10_000), box.now_ms - HOUR_MS))
    (state,) = box.station.vehicle_reports(box.now)
    assert state.reading.odometer_m == 20_000


def box_reading(odometer_m: int) -> VehicleReading:
    return VehicleReading(age_s=0, odometer_m=odometer_m)


def test_what_the_journal_remembers_is_not_reported_as_seen() -> None:
    box = Box()
    assert next((slot.key_present, slot.key) for slot in box.station.slot_reports()) == (True, "key-1")
    box.reboot()
    assert {(slot.key_present, slot.door_open, slot.key) for slot in box.station.slot_reports()} == {
        (None, None, None)
    }
    box.see()
    assert next((slot.key_present, slot.key) for slot in box.station.slot_reports()) == (True, "key-1")
    box.event(CabinetLost("cable pulled"))
    assert box.station.slot_reports()[0].key_present, "what was seen in this boot is the last that is known"
