from dataclasses import replace

import pytest

from contract.facts import CabinetInput
from station_agent.drivers.bus_timing import SLOTS_MAX
from station_agent.drivers.modbus.wiring import CabinetWiring, InputWiring, SlotWiring
from tests.station_agent.drivers.modbus.virtual_bus import wired

FIRST, SECOND = wired(2).slots


@pytest.mark.parametrize(
    ("slots", "complaint"),
    [
        ((), "slots: expected 1 to 128, found 0"),
        ((FIRST, replace(SECOND, slot=1)), "slot 1 is wired twice"),
        ((FIRST, replace(SECOND, lock=FIRST.lock)), "slots 1 and 2 share unit 1, number 0"),
        ((FIRST, replace(SECOND, door=FIRST.key)), "slots 1 and 2 share unit 1, number 0"),
        ((replace(FIRST, door=FIRST.key),), "slots 1 and 1 share unit 1, number 0"),
        ((replace(FIRST, lock=(248, 0)),), "slot 1: no such place: unit 248, number 0"),
        ((replace(FIRST, key=(1, 256)),), "slot 1: no such place: unit 1, number 256"),
    ],
)
def test_wiring_that_cannot_be_names_the_slot(slots: tuple[SlotWiring, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CabinetWiring(slots=slots)


@pytest.mark.parametrize("pulse_ms", [0, 50, 750, 5100])
def test_pulse_that_the_board_cannot_time_or_that_heats_a_solenoid_is_refused(pulse_ms: int) -> None:
    with pytest.raises(ValueError, match="pulse_ms"):
        replace(wired(), pulse_ms=pulse_ms)


def test_durations_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="baud_rate"):
        replace(wired(), baud_rate=0)
    with pytest.raises(ValueError, match="answer_timeout_ms"):
        replace(wired(), answer_timeout_ms=0)
    with pytest.raises(ValueError, match="scan_ms"):
        replace(wired(), scan_ms=-1)


def test_largest_cabinet_is_taken_and_one_more_slot_is_not() -> None:
    slots = tuple(SlotWiring(slot=n, lock=(n, 0), key=(n, 0), door=(n, 1)) for n in range(1, SLOTS_MAX + 2))
    CabinetWiring(slots=slots[:-1])
    with pytest.raises(ValueError, match="slots"):
        CabinetWiring(slots=slots)


def test_gap_between_frames_is_three_and_a_half_characters_but_never_below_1750_us() -> None:
    assert wired().gap_us == 3646
    assert replace(wired(), baud_rate=115200).gap_us == 1750


@pytest.mark.parametrize(
    ("place", "complaint"),
    [((1, 0), "input tampered and slot 1 share unit 1, number 0"), ((0, 1), "input tampered: no such place")],
)
def test_an_input_of_the_cabinet_that_cannot_be_wired_is_named(place: tuple[int, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(wired(1), inputs=(InputWiring(input=CabinetInput.TAMPERED, place=place),))
