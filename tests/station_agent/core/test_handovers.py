"""What the contacts mean: keys taken and brought back, by whom, into which slot."""

import pytest

from contract.facts import (
    AccessGranted,
    AccessRefused,
    DeviceLost,
    DoorOpened,
    Identity,
    KeyReturned,
    KeyTaken,
    Purpose,
    ReleaseDropped,
    ReleaseFailed,
    VehicleReading,
)
from contract.reasons import Reason
from station_agent.core import model
from station_agent.core.device_events import (
    CabinetLost,
    LockPulsed,
    PulseResult,
    ReaderLost,
    ReaderSeen,
    ReaderSignal,
)
from station_agent.core.locks import PULSES_MAX
from station_agent.core.slots import MOVEMENTS, SlotState, mermaid
from station_agent.core.wanted import DesiredOutcome
from tests.station_agent.core.box import HOUR_MS, MINUTE_MS, Box


def out(badge: str = "ann", key: str = "key-1", slot: int = 1) -> Box:
    """A box whose `key` is out with `badge`."""
    box = Box()
    box.grant("booking-1", badge=badge, key=key)
    box.badge(badge)
    box.opens(slot)
    box.take(slot)
    box.shut(slot)
    box.pass_time(HOUR_MS)
    box.forget()
    return box


def test_a_handover_is_told_in_order_with_its_right() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.forget()
    box.badge("ann")
    box.opens(1)
    box.take(1)
    box.shut(1)
    assert box.kinds() == ["access_granted", "door_opened", "key_taken", "door_closed"]
    taken = box.last(KeyTaken)
    assert (taken.slot, taken.key, taken.grant, taken.badge) == (1, "key-1", "booking-1", "ref-ann")
    assert taken.identity is Identity.PRESUMED
    assert box.last(DoorOpened).released


def test_numbers_have_no_gaps() -> None:
    box = out()
    box.tag("tag-1")
    box.opens(1)
    box.hang(1)
    assert [fact.seq for fact in box.facts] == list(range(1, len(box.facts) + 1))


def test_two_changes_in_one_scan_are_told_in_the_only_possible_order() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.forget()
    box.move(1, key=False, door=True)
    assert box.kinds() == ["door_opened", "key_taken"]
    box.tag("tag-1")
    box.forget()
    box.move(1, key=True, door=False)
    assert box.kinds() == ["key_returned", "door_closed"]


def test_the_tag_opens_the_keys_own_slot_and_names_the_key() -> None:
    box = out()
    box.tag("tag-1")
    assert box.released() == [1]
    assert box.signals() == [ReaderSignal.TAKEN]
    box.opens(1)
    box.hang(1)
    box.shut(1)
    assert box.kinds() == ["access_granted", "door_opened", "key_returned", "door_closed"]
    fact = box.last(KeyReturned)
    assert (fact.slot, fact.lit_slot, fact.key, fact.grant) == (1, 1, "key-1", "booking-1")
    assert fact.identity is Identity.READ


def test_returning_needs_no_right_and_nobody_hears_too_late() -> None:
    box = out()
    box.pass_time(50 * HOUR_MS)
    box.grants.clear()
    box.badges.clear()
    box.desire(revoked=("ref-ann",))
    box.forget()
    box.badge("ann")
    assert box.released() == [1]
    box.opens(1)
    box.hang(1)
    box.shut(1)
    fact = box.last(KeyReturned)
    assert (fact.key, fact.grant, fact.badge) == ("key-1", "booking-1", "ref-ann")
    assert fact.identity is Identity.PRESUMED


def test_a_key_hung_into_a_slot_left_ajar_is_found_where_it_hangs() -> None:
    box = out()
    box.grant("booking-2", badge="bob", key="key-2")
    box.badge("bob")
    box.opens(2)
    box.take(2)  # and bob leaves the door ajar
    box.tag("tag-1")
    box.opens(1)
    box.forget()
    box.hang(2)
    fact = box.last(KeyReturned)
    assert (fact.slot, fact.lit_slot, fact.key, fact.grant) == (2, 1, "key-1", "booking-1")
    box.shut(1)
    box.shut(2)
    slots = {report.slot: report.key for report in box.station.slot_reports()}
    assert slots == {1: None, 2: "key-1", 3: "key-3", 4: None}
    assert box.station.keys_out() == 1, "bob still has key 2"


def test_with_its_own_slot_taken_a_key_goes_to_another_and_the_member_is_told() -> None:
    box = out()
    box.grant("booking-2", badge="bob", key="key-2")
    box.badge("bob")
    box.opens(2)
    box.take(2)
    box.tag("tag-1")
    box.opens(1)
    box.hang(2)
    box.shut(2)
    box.shut(1)
    box.forget()
    box.tag("tag-2")
    assert box.released() == [1]
    assert box.signals() == [ReaderSignal.ANOTHER_SLOT]


def test_a_key_from_another_station_is_taken_in() -> None:
    box = Box()
    box.tag("tag-9")
    assert box.released() == [4]
    box.opens(4)
    box.hang(4)
    box.shut(4)
    assert box.last(KeyReturned).key == "key-9"


def test_a_full_cabinet_and_foreign_tags_are_refused_by_name() -> None:
    box = Box()
    box.tag("tag-9")
    box.opens(4)
    box.hang(4)
    box.shut(4)
    box.forget()
    box.tag("tag-x")
    assert box.last(AccessRefused).reason is Reason.FOREIGN_TAG
    box.tag("tag-9")
    assert box.last(AccessRefused).reason is Reason.KEY_NOT_OUT
    box.tag("tag-1")
    assert box.last(AccessRefused).reason is Reason.CABINET_FULL
    assert box.released() == []


def test_a_key_put_back_before_the_door_shuts_and_taken_again_is_the_same_right() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.opens(1)
    for _ in range(2):
        box.take(1)
        assert box.last(KeyTaken).grant == "booking-1"
        box.hang(1)
        fact = box.last(KeyReturned)
        assert (fact.key, fact.identity, fact.lit_slot) == ("key-1", Identity.PRESUMED, None)
    box.take(1)
    box.shut(1)
    assert box.last(KeyTaken).grant == "booking-1"


def test_a_key_that_leaves_without_any_release_is_told_without_a_right() -> None:
    box = Box()
    box.move(3, key=False, door=True)
    assert not box.last(DoorOpened).released
    assert box.last(KeyTaken).grant is None
    assert box.last(KeyTaken).key == "key-3"


def test_a_lock_that_does_not_move_is_pulsed_again_then_named() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.forget()
    box.badge("ann")
    for _ in range(PULSES_MAX - 1):
        box.event(LockPulsed(1, PulseResult.UNANSWERED))
        box.elapse()
    assert box.released() == [1] * PULSES_MAX
    box.event(LockPulsed(1, PulseResult.CONFIRMED))
    box.elapse()
    fact = box.last(ReleaseFailed)
    assert (fact.slot, fact.pulses, fact.last_result) == (1, PULSES_MAX, "confirmed")
    assert box.signals()[-1] is ReaderSignal.CALL
    assert box.station.wake_at_line_ms is None
    box.forget()
    box.badge("ann")
    assert box.released() == [1], "the member may try again"


def test_no_answer_is_never_not_opened() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.event(LockPulsed(1, PulseResult.UNANSWERED))
    box.forget()
    box.opens(1)
    assert box.station.wake_at_line_ms is None
    assert box.released() == []


def test_after_a_power_cut_a_decided_release_is_not_done_later_but_what_it_let_out_is_known() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.contacts[1] = (False, True)  # the lock had opened, the key went while the agent was away
    box.reboot()
    box.forget()
    box.see()
    assert box.released() == []
    assert box.kinds() == ["door_opened", "key_taken"]
    fact = box.last(KeyTaken)
    assert (fact.grant, fact.badge, fact.seen_late) == ("booking-1", "ref-ann", True)


def test_after_a_power_cut_a_release_that_never_opened_is_told_and_forgotten() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.reboot()
    box.see()
    dropped = box.last(ReleaseDropped)
    assert (dropped.slot, dropped.purpose, dropped.grant) == (1, Purpose.TAKE, "booking-1")
    box.elapse()
    box.forget()
    assert box.station.wake_at_line_ms is None
    box.badge("ann")
    assert box.released() == [1]


def test_a_taker_is_known_after_a_power_cut() -> None:
    box = out()
    box.reboot()
    box.see()
    box.forget()
    box.badge("ann")
    assert box.kinds() == ["access_granted"]
    assert box.released() == [1]


def test_what_moved_while_the_cabinet_was_silent_is_told_late() -> None:
    box = Box()
    box.event(CabinetLost("cable pulled"))
    box.contacts[2] = (False, False)
    box.forget()
    box.see()
    assert box.kinds() == ["device_back", "key_taken"]
    assert box.last(KeyTaken).seen_late


def test_a_reader_lost_and_back_is_two_facts_and_its_start_is_none() -> None:
    box = Box()
    box.event(ReaderSeen("entrance", tampered=False, power_failed=False))
    assert box.kinds() == []
    box.event(ReaderLost("entrance", "no answer"))
    box.event(ReaderLost("entrance", "no answer"))
    box.event(ReaderSeen("entrance", tampered=False, power_failed=False))
    assert box.kinds() == ["device_lost", "device_back"]


def test_a_device_that_stays_dead_after_a_reboot_is_told_lost_again() -> None:
    box = Box()
    box.reboot()
    box.see()
    box.event(ReaderSeen("entrance", tampered=False, power_failed=False))
    box.forget()
    box.elapse()
    fact = box.last(DeviceLost)
    assert (box.kinds(), fact.device) == (["device_lost"], "returns")
    box.event(ReaderSeen("returns", tampered=False, power_failed=False))
    assert box.kinds() == ["device_lost", "device_back"]


def test_a_handover_carries_the_cars_last_signals_with_their_age() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    reading = VehicleReading(age_s=0, odometer_m=12_000, energy_percent=None)
    box.handle(model.VehicleRead("car-1", reading, box.now_ms - MINUTE_MS))
    box.badge("ann")
    box.opens(1)
    box.take(1)
    vehicle = box.last(KeyTaken).vehicle
    assert vehicle is not None
    assert (vehicle.odometer_m, vehicle.energy_percent, vehicle.age_s) == (12_000, None, 61)


def test_every_pair_of_different_known_states_has_its_movements() -> None:
    known = [state for state in SlotState if state is not SlotState.UNKNOWN]
    pairs = {(before, after) for before in known for after in known if before is not after}
    assert set(MOVEMENTS) == pairs


def test_the_diagram_is_drawn_from_the_table() -> None:
    drawn = mermaid()
    assert drawn.count("-->") == len(MOVEMENTS)
    assert "shut_with_key --> open_with_key: door_opened" in drawn


@pytest.mark.parametrize("outcome", ["older", "conflicting", "repeated"])
def test_only_a_newer_wanted_state_is_taken(outcome: str) -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    arrived = box._arrived(box.version - 1 if outcome == "older" else box.version)
    if outcome == "conflicting":
        arrived = model.DesiredArrived(arrived.desired, arrived.wire, "other")
    held = box.station.wanted.version
    said = [] if outcome == "conflicting" else [model.Report(at_once=True)]  # its sender does not know what is held
    assert box.handle(arrived) == said
    assert box.station.wanted.version == held
    assert box.station.desired_outcomes[DesiredOutcome(outcome)] == 1


def test_a_box_without_a_mark_takes_only_the_echo_of_its_own_boot() -> None:
    box = Box()
    fresh = Box()
    fresh.boot()  # as if its card had been replaced: nothing held
    arrived = box._arrived(7)
    foreign = model.DesiredArrived(
        arrived.desired.model_copy(update={"boot_nonce": "b" * 32}), arrived.wire, arrived.digest
    )
    assert fresh.handle(foreign) == []
    assert fresh.station.wanted.version == 0
    fresh.handle(arrived)
    assert fresh.station.wanted.version == 7


def test_a_new_epoch_tells_again_what_the_ledger_never_took() -> None:
    box = out()
    box.move(3, key=False, door=True)
    carried = tuple(box.new())
    box._carry_out(box.station.start_epoch(box.now, "hash_conflict", carried))
    fresh = box.facts[-3:]
    assert [fact.kind for fact in fresh] == ["epoch_started", "door_opened", "key_taken"]
    assert [fact.seq for fact in fresh] == [1, 2, 3]


def test_a_box_with_an_older_memory_than_the_ledgers_presumes_what_it_had_read() -> None:
    box = out()
    box.tag("tag-1")
    box.opens(1)
    box.hang(1)
    box.shut(1)
    assert box.station.slot_reports()[0].identity == "read"
    box._carry_out(box.station.start_epoch(box.now, "hash_conflict", ()))
    box.reboot()
    box.see()
    assert box.station.slot_reports()[0].identity == "presumed"
    box.forget()
    box.tag("tag-1")  # it had left since, and another key hangs there
    fact = box.last(AccessGranted)
    assert (fact.purpose, fact.slot) == (Purpose.RETURN, 4)
