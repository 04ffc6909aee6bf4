"""How much a codec holds: the measure by which its memory is bounded."""

from collections import deque
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum

DEPTH_MAX = 12  # a codec is a handful of objects inside each other; deeper is a chain, and is counted as endless
ENDLESS = 1 << 40

_LEAVES = (int, float, Enum, type(None), type)


class Held:
    """What something holds beyond what it held at first: bytes and characters, and one for each other value."""

    def __init__(self, thing: object) -> None:
        self._thing = thing
        seen: dict[int, object] = {}
        _held(thing, seen, 0)
        # what is frozen and was there at first is configuration, and is not walked through again and again
        self._frozen = {key: part for key, part in seen.items() if _is_frozen(part)}
        self._at_first = self._now()

    @property
    def beyond(self) -> int:
        return self._now() - self._at_first

    def _now(self) -> int:
        return _held(self._thing, dict(self._frozen), 0)


def _held(thing: object, seen: dict[int, object], depth: int) -> int:
    if isinstance(thing, bytes | bytearray | str):
        return len(thing)
    if isinstance(thing, _LEAVES) or callable(thing) or id(thing) in seen:
        return 1
    if depth > DEPTH_MAX:
        return ENDLESS
    seen[id(thing)] = thing
    return 1 + sum(_held(part, seen, depth + 1) for part in _parts(thing))


def _parts(thing: object) -> list[object]:
    if isinstance(thing, Mapping):
        return [*thing.keys(), *thing.values()]
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return list(thing)
    names = [*getattr(thing, "__dict__", ()), *(name for kind in type(thing).__mro__ for name in _slots(kind))]
    return [getattr(thing, name) for name in names if hasattr(thing, name)]


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _is_frozen(thing: object) -> bool:
    return isinstance(thing, tuple | frozenset) or (is_dataclass(thing) and type(thing).__hash__ is not None)
