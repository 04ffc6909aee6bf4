"""Reads the words of a command: one that cannot be meant is refused with a sentence that says what was expected."""

import difflib
from collections.abc import Iterable

MANY = 4  # names: fewer are seen at a glance
NEAR = 0.6  # difflib's own default: `pul-cable` finds `pull-cable`


class BadCommand(Exception):
    """A command that cannot be carried out. The text names the word and what was expected."""


def one_of(what: str, word: str, known: Iterable[str]) -> str:
    """The word, if it is known."""
    names = sorted(known)
    if word in names:
        return word
    near = difflib.get_close_matches(word, names, n=1, cutoff=NEAR) if len(names) >= MANY else []
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadCommand(f"{what} {word!r}: {hint}expected one of {', '.join(names) or 'none: there is nothing here'}")


def whole(what: str, word: str, low: int, high: int) -> int:
    """A whole number within bounds."""
    if not word.isascii() or not word.isdecimal() or not low <= int(word) <= high:
        raise BadCommand(f"{what} {word!r}: expected a whole number from {low} to {high}")
    return int(word)


def decimal(what: str, word: str, low: float, high: float) -> float:
    """A number within bounds."""
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:  # so is no NaN
        raise BadCommand(f"{what} {word!r}: expected a number from {low:g} to {high:g}")
    return value


def octets(what: str, word: str, low: int, high: int) -> bytes:
    """So many bytes in hexadecimal."""
    try:
        data = bytes.fromhex(word)
    except ValueError:
        data = b""
    if not low <= len(data) <= high:
        span = f"{2 * low}" if low == high else f"{2 * low} to {2 * high}"
        raise BadCommand(f"{what} {word!r}: expected {span} hexadecimal digits, two for each byte")
    return data


def fitting(usage: str, words: list[str]) -> None:
    """Refuses too few and too many words for a usage such as `noise <percent> [line]`."""
    name, *places = usage.split()
    least = sum(place.startswith("<") for place in places)
    most = None if places and places[-1].endswith("...]") else len(places)
    if len(words) < least or (most is not None and len(words) > most):
        found = f"{len(words)} words" if len(words) != 1 else "1 word"
        raise BadCommand(
            f"{name}: expected `{usage}`, found {found} after it" if places else f"{name}: takes no words"
        )
