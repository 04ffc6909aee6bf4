"""Kills a program between any two of its effects: a commit, a message, an order to a lock."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError

T = TypeVar("T")


class Killed(BaseException):  # a program that catches `Exception` must not survive it
    """The program is gone, as after SIGKILL."""


class KillSwitch:
    """Armed, it kills a program at one of its next effects."""

    def __init__(self) -> None:
        self._left: int | None = None

    def arm(self, after: int) -> None:
        """Kill at the effect after so many more; 0: at the very next."""
        self._left = after

    def disarm(self) -> None:
        self._left = None

    def passes(self) -> None:
        """Between two effects. Raises Killed."""
        if self._left is None:
            return
        if self._left == 0:
            self._left = None
            raise Killed
        self._left -= 1


class SwitchedExecutor:
    """Runs in line, and may be killed before each call (as if nothing had been committed) and after it."""

    def __init__(self, switch: KillSwitch) -> None:
        self._switch = switch
        self.is_locked = False
        """The database is locked by somebody else."""

    async def run(self, function: Callable[[], T]) -> T:
        self._switch.passes()
        if self.is_locked:
            raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))
        result = function()
        self._switch.passes()
        return result

    async def close(self) -> None:
        """Nothing waits."""
