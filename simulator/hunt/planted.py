"""Bugs put in on purpose, each by replacing one function of a program while a hunt runs.

The programs have no switch for any of them. A hunt must find each within 50 seeds, or the checkers do not bite.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Restore = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug: what somebody got wrong, and how it is put in."""

    name: str
    mistake: str
    put_in: Callable[[], Restore]


BUGS: dict[str, Bug] = {}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """With this bug in the programs, while the block runs; None: as they are."""
    if name is None:
        yield
        return
    restore = BUGS[name].put_in()
    try:
        yield
    finally:
        restore()


def replaced(owner: Any, name: str, new: Any) -> Restore:
    """Put `new` in the place of an attribute; returns how to undo it."""
    old = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, new)
    return lambda: setattr(owner, name, old)
