from dataclasses import replace

import pytest

from station_agent.drivers.bus_timing import SLOTS_MAX
from station_agent.drivers.kerong.wiring import CabinetWiring, SlotWiring
from tests.station_agent.drivers.kerong.virtual_bus import wired

FIRST, SECOND = wired(2).slots


@pytest.mark.parametrize(
    ("slots", "complaint"),
    [
        ((), "slots: expected 1 to 128, found 0"),
        ((FIRST, replace(SECOND, slot=1)), "slot 1 is wired twice"),
        ((FIRST, replace(SECOND, lock=0)), "slots 1 and 2 share board 0, lock 0"),
        ((replace(FIRST, board=16),), "slot 1: no such place: board 16, lock 0"),
        ((replace(FIRST, lock=16),), "slot 1: no such place: board 0, lock 16"),
        ((replace(FIRST, lock=-1),), "slot 1: no such place: board 0, lock -1"),
    ],
)
def test_wiring_that_cannot_be_names_the_slot(slots: tuple[SlotWiring, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CabinetWiring(slots=slots)


def test_durations_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="baud_rate"):
        replace(wired(), baud_rate=0)
    with pytest.raises(ValueError, match="answer_timeout_ms"):
        replace(wired(), answer_timeout_ms=0)
    with pytest.raises(ValueError, match="scan_ms"):
        replace(wired(), scan_ms=-1)


def test_largest_cabinet_is_taken_and_one_more_slot_is_not() -> None:
    slots = tuple(SlotWiring(slot=n + 1, board=n // 16, lock=n % 16) for n in range(SLOTS_MAX + 1))
    assert len(CabinetWiring(slots=slots[:-1]).slots) == SLOTS_MAX
    with pytest.raises(ValueError, match="slots"):
        CabinetWiring(slots=slots)


def test_line_is_as_the_boards_come_from_the_factory() -> None:
    assert wired().baud_rate == 19200
    assert wired().gap_us == 1823
