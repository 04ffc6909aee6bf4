from collections.abc import Callable

import pytest

from simulator.cabinet.faults import End, Fault, Faults
from simulator.cabinet.words import BadCommand


class Device:
    def __init__(self) -> None:
        self.history: list[str] = []

    def begin(self, words: list[str]) -> End:
        self.history.append(f"on {' '.join(words)}".strip())
        return lambda: self.history.append(f"off {' '.join(words)}".strip())

    def flash(self, _words: list[str]) -> None:
        self.history.append("flash")


class Timers:
    """What was asked for later; `pass_time` lets all of it happen."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        one = (seconds, call)
        self.due.append(one)
        return lambda: self.due.remove(one) if one in self.due else None

    def pass_time(self) -> None:
        while self.due:
            self.due.pop()[1]()


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def over() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def faults(device: Device, timers: Timers, over: list[tuple[str, str]]) -> Faults:
    listed = (
        Fault("late", "answers later", device.begin, takes="<ms>"),
        Fault("stuck", "stays shut", device.begin, takes="<slot>", each=True),
        Fault("reset", "starts anew", device.flash),
    )
    return Faults({"board": listed, "other": ()}, timers.later, lambda *one: over.append(one))


def active(faults: Faults) -> dict[str, tuple[str, ...]]:
    return {row.fault.name: row.active for row in faults.rows() if row.active}


def test_a_fault_is_on_until_it_is_cleared(faults: Faults, device: Device) -> None:
    assert faults.begin("board", "late", ["30"]) == "board: answers later"
    assert active(faults) == {"late": ("30",)}
    assert faults.clear("board", "late") == 1
    assert faults.clear("board", "late") == 0
    assert device.history == ["on 30", "off 30"]


def test_one_that_is_on_begins_anew_with_its_new_words(faults: Faults, device: Device) -> None:
    faults.begin("board", "late", ["30"])
    faults.begin("board", "late", ["60"])
    assert active(faults) == {"late": ("60",)}
    assert device.history == ["on 30", "off 30", "on 60"]


def test_one_that_is_about_a_slot_can_be_on_for_several(faults: Faults, device: Device) -> None:
    faults.begin("board", "stuck", ["1"])
    faults.begin("board", "stuck", ["2"])
    assert active(faults) == {"stuck": ("1", "2")}
    assert faults.clear() == 2
    assert device.history == ["on 1", "on 2", "off 1", "off 2"]


def test_one_that_is_over_at_once_is_never_on(faults: Faults, device: Device) -> None:
    assert faults.begin("board", "reset", []) == "board: starts anew, done"
    assert active(faults) == {}
    assert device.history == ["flash"]


def test_one_with_a_duration_ends_by_itself_and_says_so(
    faults: Faults, device: Device, timers: Timers, over: list[tuple[str, str]]
) -> None:
    assert faults.begin("board", "late", ["30", "for", "12"]) == "board: answers later, for 12 s"
    assert [seconds for seconds, _ in timers.due] == [12.0]
    timers.pass_time()
    assert (device.history, over) == (["on 30", "off 30"], [("board", "late")])


def test_one_that_was_cleared_early_does_not_end_a_later_one(
    faults: Faults, timers: Timers, over: list[tuple[str, str]]
) -> None:
    faults.begin("board", "late", ["30", "for", "12"])
    faults.clear("board")
    faults.begin("board", "late", ["60"])
    timers.pass_time()
    assert active(faults) == {"late": ("60",)}
    assert over == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("bord", "late"), "device 'bord': expected one of board, other"),
        (("board", "lat"), "fault of board 'lat': expected one of late, reset, stuck"),
        (("other", "late"), "fault of other 'late': expected one of none: there is nothing here"),
        (("board", "late"), "late: expected `late <ms>`, found 0 words after it"),
        (("board", "late", "3", "4"), "late: expected `late <ms>`, found 2 words after it"),
        (("board", "late", "3", "for"), "for: expected a number of seconds after it, and nothing more"),
        (("board", "late", "3", "for", "0"), "seconds '0': expected a number from 0.1 to 86400"),
        (("board", "reset", "now"), "reset: takes no words"),
    ],
)
def test_what_is_not_in_the_menu_is_refused_and_changes_nothing(
    faults: Faults, device: Device, words: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(BadCommand) as refused:
        faults.begin(words[0], words[1], list(words[2:]))
    assert str(refused.value) == expected
    assert device.history == []
