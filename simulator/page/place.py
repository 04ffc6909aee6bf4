"""The place in front of a network's cabinet, where one person stands at a time: the page's hands queue, too."""

import asyncio
from collections.abc import Callable
from typing import Final

from simulator.cabinet.words import BadCommand

WAITS_S: Final = 20.0  # a member is done within ten seconds or so
KEEPS_S: Final = 20.0  # from one click to the next; then members may come


class Place:
    """Taken by the first thing that hands do, left a while after the last."""

    def __init__(
        self, turn: asyncio.Lock, later: Callable[[float, Callable[[], None]], Callable[[], None]]
    ) -> None:
        self._turn = turn
        self._later = later
        self._has_turn = False
        self._forget_leaving: Callable[[], None] = _nothing

    async def step_up(self) -> None:
        """Stands there, or goes on standing. Raises BadCommand where somebody else does not go."""
        if not self._has_turn:
            try:
                async with asyncio.timeout(WAITS_S):
                    await self._turn.acquire()
            except TimeoutError:
                raise BadCommand(
                    f"somebody stands in front of the cabinet for {WAITS_S:g} s: expected it to be free"
                ) from None
            self._has_turn = True
        self._forget_leaving()
        self._forget_leaving = self._later(KEEPS_S, self.leave)

    def leave(self) -> None:
        """Lets the next one come. Nothing where nobody stands."""
        self._forget_leaving()
        if self._has_turn:
            self._has_turn = False
            self._turn.release()


def _nothing() -> None:
    pass
