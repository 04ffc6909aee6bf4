"""What a planted bug is, and how it is put into a program and taken out again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Restore = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Bug:
    """What somebody got wrong, and how it is put in: the programs have no switch for it."""

    name: str
    mistake: str
    put_in: Callable[[], Restore]


def replaced(owner: Any, name: str, new: Any) -> Restore:
    """Put `new` in the place of a function; returns how to undo it."""
    old = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, new)
    return lambda: setattr(owner, name, old)


def both(*restores: Restore) -> Restore:
    """Undo all of them."""

    def restore() -> None:
        for one in restores:
            one()

    return restore
