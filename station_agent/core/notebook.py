"""What one call of the core has to say: facts with their numbers, then actions, in the order they must happen."""

from typing import Any, TypeVar

from contract.facts import Fact, FactBase
from station_agent.core.model import Effect, Journal, Now
from station_agent.core.picture import Picture

AnyFact = TypeVar("AnyFact", bound=FactBase)


class Notebook:
    """Numbers facts without gaps and puts them, with the picture after them, before every action."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self.clock_trusted = False
        self._remember = False
        self._facts: list[Fact] = []
        self._actions: list[Effect] = []

    def note(self, now: Now, kind: type[AnyFact], **fields: Any) -> AnyFact:
        """Write down a fact of `kind`; it is durable before any action of this call."""
        self.last_seq += 1
        fact = kind(seq=self.last_seq, at_ms=now.wall_ms, clock_trusted=self.clock_trusted, **fields)
        self._facts.append(fact)  # type: ignore[arg-type]  # every FactBase that is noted is one of the union
        return fact

    def repeat(self, fact: Fact) -> None:
        """Write down again, under a new number, what was already written once."""
        self.last_seq += 1
        self._facts.append(fact.model_copy(update={"seq": self.last_seq}))

    def remember(self) -> None:
        """The picture changed without a fact: it is made durable all the same."""
        self._remember = True

    def then(self, *actions: Effect) -> None:
        """Actions to carry out after the facts, in this order."""
        self._actions.extend(actions)

    def close(self, picture: Picture) -> list[Effect]:
        """All that was written since the last call, journal first."""
        effects: list[Effect] = []
        if self._facts or self._remember:
            effects.append(Journal(tuple(self._facts), picture.model_dump_json(exclude_defaults=True)))
        effects.extend(dict.fromkeys(self._actions))
        self._facts, self._actions, self._remember = [], [], False
        return effects
