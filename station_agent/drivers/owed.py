"""Answers that did not come in time and may still come: what looks like one of them proves nothing.

The protocols of lock boards have no transaction id, so a late answer differs from the answer to a later
request only if the two requests have different functions or units. A board answers in the order in which it was
asked. Hence:
- while the answer to a function is owed, that function is not asked again, but another one;
- an answer to that other one shows that whatever was owed before it has come or never will.
"""

from typing import Protocol

from station_agent.drivers.base import FOREVER_US


class Question(Protocol):
    """Two questions whose answers could be taken for each other have the same unit and function."""

    @property
    def unit(self) -> int: ...

    @property
    def function(self) -> int: ...


class OwedAnswers:
    """What the boards of one bus still owe, by unit and function; for a limited time or until it is settled."""

    def __init__(self, *, owed_for_us: int) -> None:
        self._owed_for_us = owed_for_us
        self._until_us: dict[tuple[int, int], int] = {}

    def add(self, now_us: int, question: Question, *, until_settled: bool = False) -> None:
        """`until_settled`: it is owed until another answer shows that it is not, however long that takes."""
        until_us = FOREVER_US if until_settled else now_us + self._owed_for_us
        self._until_us[question.unit, question.function] = until_us

    def until_us(self, question: Question) -> int:
        """Before this instant an answer to the question may be an older one's."""
        return self._until_us.get((question.unit, question.function), 0)

    def settle(self, unit: int) -> None:
        """This unit answered something that could not be an older answer."""
        for key in [key for key in self._until_us if key[0] == unit]:
            del self._until_us[key]

    def is_settled(self, now_us: int) -> bool:
        """Whether any answer may be believed now."""
        return all(until_us <= now_us for until_us in self._until_us.values())
