"""Showing a card and waiting for what comes of it, with a PIN where one is asked for."""

from simulator.world.acts import KeyIn, Pause, ReaderLight, Script, ShowCard, Watch

PATIENCE_US = 6_000_000  # a lock is pulsed up to three times, 1.5 s apart, before the reader says "call"
KEYS_US = 2_000_000  # four keys in the rain

Seen = int | ReaderLight | None
"""The slot whose door sprang open; the light that says no; nothing."""


def tap_and_watch(tap: ShowCard, digits: str, *, is_right: bool, pace: float = 1.0) -> Script[Seen]:
    """Outcome: what is seen in the end; None also where the reader is dark."""
    shown: bool = yield tap
    if not shown:
        return None
    seen: Seen = yield Watch(PATIENCE_US)
    if seen is not ReaderLight.PIN:
        return seen
    yield Pause(round(KEYS_US * pace))
    yield KeyIn(tap, digits, is_right=is_right)
    seen = yield Watch(PATIENCE_US)
    return seen


def another_pin(pin: str) -> str:
    """A slip of the finger, or a guess that happens to be wrong: the first digit is another one."""
    return f"{(int(pin[0]) + 1) % 10}{pin[1:]}"
