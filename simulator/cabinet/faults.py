"""Faults of devices and lines that are switched on and off while they run.

    faults.begin("entrance", "mute", ["for", "3"])      # a reader that is silent for three seconds
    faults.clear("entrance")                            # and sound again at once

What each device can suffer from is the menu (`simulator.cabinet.menu`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from simulator.cabinet.words import BadCommand, decimal, fitting, one_of

SECONDS_MAX = 86_400.0  # a day: whoever wants longer leaves the time out
FOR = "for"

End = Callable[[], None]
Begin = Callable[[list[str]], End | None]
"""Takes the words after the fault's name; None: it is over at once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can be wrong with a device."""

    name: str
    what: str
    """What the device does then, for a person."""
    begin: Begin
    takes: str = ""
    """Words after the name, as in a usage: `<ms>`, `<slot> [contact]`."""
    each: bool = False
    """Its words say what it is about: it can be on once for each of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fault in the list of all."""

    device: str
    fault: Fault
    active: tuple[str, ...]
    """The words it was begun with, once for each that is on."""


@dataclass(slots=True)
class _Active:
    words: str
    end: End
    timer: End
    """Cancels the end that was set for later."""


class Faults:
    """All faults of a cabinet.

    Args:
        menu: what each device or line can suffer from.
        later: calls something after so many seconds; answers what takes that back.
        on_over: told (device, fault) of one that ended because its time was over.
    """

    def __init__(
        self,
        menu: Mapping[str, tuple[Fault, ...]],
        later: Callable[[float, End], End],
        on_over: Callable[[str, str], None],
    ) -> None:
        self._menu = {device: {fault.name: fault for fault in faults} for device, faults in menu.items()}
        self._later = later
        self._on_over = on_over
        self._active: dict[tuple[str, str, str], _Active] = {}

    def begin(self, device: str, name: str, words: list[str]) -> str:
        """Switches a fault on; one that is on already begins anew. Answers what was done. Raises BadCommand."""
        faults = self._menu[one_of("device", device, self._menu)]
        fault = faults[one_of(f"fault of {device}", name, faults)]
        words, seconds = _duration(words)
        fitting(f"{name} {fault.takes}".strip(), words)
        key = (device, name, " ".join(words) if fault.each else "")
        self._end(key)
        end = fault.begin(words)
        if end is None:
            return f"{device}: {fault.what}, done"
        timer = self._later(seconds, lambda: self._over(key)) if seconds is not None else _nothing
        self._active[key] = _Active(" ".join(words), end, timer)
        return f"{device}: {fault.what}{'' if seconds is None else f', for {seconds:g} s'}"

    def clear(self, device: str | None = None, name: str | None = None) -> int:
        """Ends all faults, those of a device, or one of these. Answers how many were on. Raises BadCommand."""
        if device is not None:
            faults = self._menu[one_of("device", device, self._menu)]
            if name is not None:
                one_of(f"fault of {device}", name, faults)
        keys = [key for key in self._active if device in {None, key[0]} and name in {None, key[1]}]
        for key in keys:
            self._end(key)
        return len(keys)

    def rows(self) -> Iterator[Row]:
        """Every fault of every device, and whether it is on."""
        for device, faults in self._menu.items():
            for fault in faults.values():
                on = (one.words for key, one in self._active.items() if key[:2] == (device, fault.name))
                yield Row(device, fault, tuple(on))

    def _end(self, key: tuple[str, str, str]) -> None:
        active = self._active.pop(key, None)
        if active is not None:
            active.timer()
            active.end()

    def _over(self, key: tuple[str, str, str]) -> None:
        self._end(key)
        self._on_over(key[0], key[1])


def _nothing() -> None:
    pass


def _duration(words: list[str]) -> tuple[list[str], float | None]:
    """Splits `for <seconds>` off the end."""
    if FOR not in words:
        return words, None
    at = words.index(FOR)
    if len(words) != at + 2:
        raise BadCommand(f"{FOR}: expected a number of seconds after it, and nothing more")
    return words[:at], decimal("seconds", words[at + 1], 0.1, SECONDS_MAX)
