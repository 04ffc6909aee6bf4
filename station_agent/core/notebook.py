"""What one call of the core has to say: facts with their numbers, then actions, in the order they must happen."""

from typing import Any, TypeVar

from contract.facts import Fact, FactBase, FactsNotDurable
from station_agent.core.model import Effect, Journal, Now
from station_agent.core.picture import Picture

HELD_MAX = 1000  # a few hundred KB of memory; 250 handovers without a disk

AnyFact = TypeVar("AnyFact", bound=FactBase)


class Notebook:
    """Numbers facts without gaps and puts them, with the picture after them, before every action.

    While nothing is durable, facts are held here and go out again with each new one, until they are.
    """

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self.clock_trusted = False
        self.durable = True
        self._remember = False
        self._facts: list[Fact] = []
        self._actions: list[Effect] = []
        self._closed: tuple[list[Fact], list[Effect]] = ([], [])
        self._held: list[Fact] = []
        self._lost = 0

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
        facts, actions = self._facts, list(dict.fromkeys(self._actions))
        to_write = bool(facts) or self._remember
        self._closed = facts, actions
        self._facts, self._actions, self._remember = [], [], False
        if not self.durable:
            self._hold(facts)
            facts = self._held
        journal = Journal(tuple(facts), picture.model_dump_json(exclude_defaults=True))
        return [journal, *actions] if to_write else [*actions]

    # --- while nothing is durable

    def take_back(self) -> tuple[list[Fact], list[Effect]]:
        """What was closed last could not be written: its facts, to be written down again, and its actions.

        Facts noted since then come after them.
        """
        self.durable = False
        facts, actions = [*self._closed[0], *self._facts], self._closed[1]
        self._facts = []
        self.last_seq -= len(facts)
        return facts, actions

    def _hold(self, facts: list[Fact]) -> None:
        room = HELD_MAX - len(self._held)
        self._held += [fact.model_copy(update={"not_durable": True}) for fact in facts[:room]]
        lost = len(facts[room:])
        self.last_seq -= lost
        self._lost += lost

    def written(self, now: Now) -> None:
        """Everything held is durable now: say what was at stake."""
        count = len(self._held) + self._lost
        if count:
            self.note(now, FactsNotDurable, count=count, lost=self._lost)
        self.durable, self._held, self._lost = True, [], 0
