"""Agents of other versions: for a while one says less than the contract has, as one that is not upgraded yet."""

from contract.facts import ClockTrustChanged, DeviceBack, Fact, KeyReturned, KeyTaken, UnknownFact
from contract.messages import AgentMessage, Reported
from runtime.link import Publication
from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.virtual.spells import Touches
from simulator.virtual.timers import SECOND_US
from station_agent.agent import Agent, Opened

NOBODY = frozenset[Touches]()
LOOK_US = 5 * SECOND_US  # an agent that was started anew meanwhile is as old as the one before
LEFT_OUT = DeviceBack | ClockTrustChanged
"""Kinds that an older agent does not have: what they tell is in its reports as well."""


def _older_agent(cast: Cast) -> End:
    """Lacks two kinds of facts, and in others and in its reports what a vehicle said and which slot was lit."""
    lasts = [True]

    def look() -> None:
        agent = cast.box.agent
        if lasts[0]:
            if agent is not None and agent.opened is not None:
                _make_older(agent, agent.opened)
            cast.later(LOOK_US, look)

    def end() -> None:
        lasts[0] = False
        agent = cast.box.agent
        if agent is not None and agent.opened is not None:
            vars(agent.opened.journal).pop("append", None)
            vars(agent.outgoing).pop("publication", None)

    look()
    return end


def _make_older(agent: Agent, opened: Opened) -> None:
    """Between what the agent does and what it writes down and says: the program has no switch for it."""
    journal, outgoing = opened.journal, agent.outgoing
    if "append" in vars(journal):
        return
    append, publication = journal.append, outgoing.publication

    def older_append(facts: tuple[Fact, ...], picture: str) -> bool:
        return append(tuple(_older_fact(fact) for fact in facts), picture)  # type: ignore[misc]  # unknown kinds

    def older_publication(message: AgentMessage) -> Publication:
        return publication(
            message.model_copy(update={"vehicles": ()}) if isinstance(message, Reported) else message
        )

    vars(journal)["append"] = older_append
    vars(outgoing)["publication"] = older_publication


def _older_fact(fact: Fact) -> Fact | UnknownFact:
    if isinstance(fact, LEFT_OUT):
        return UnknownFact(seq=fact.seq, at_ms=fact.at_ms, clock_trusted=fact.clock_trusted, kind="older_kind")
    if isinstance(fact, KeyTaken):
        return fact.model_copy(update={"vehicle": None})
    if isinstance(fact, KeyReturned):
        return fact.model_copy(update={"vehicle": None, "lit_slot": None})
    return fact


VERSIONS = (Fault("older_agent", NOBODY, 6, (300, 3600), _older_agent),)
