"""The commands for what lies around a cabinet: people, bookings, network, broker, agent, clock."""

from collections.abc import Awaitable
from typing import Final, TypeVar

from simulator.cabinet.any_bench import AnyBench
from simulator.cabinet.commands import Command, Commands, Run
from simulator.cabinet.words import BadCommand, one_of, whole
from simulator.network.wiring import BADGE_READER
from simulator.page.around import Around
from simulator.page.people import Person

MINUTES_MAX: Final = 7 * 24 * 60  # as far ahead as bookings are sent to a box
MINUTE_MS: Final = 60_000
DEMO: Final = "expected the page of `simulator demo`"

LEVERS: Final = {
    "show <person> [reader]": "hold the card of one of the people to a reader",
    "book <person> [slot]": "book the vehicle whose key hangs there, or the first free one; staff get an order",
    "cut-network": "the agent's connection to the broker ends, and no other comes about",
    "mend-network": "it may connect again",
    "forget": "kill the broker and start it again: it has forgotten what it retained",
    "agent <stop|kill|start>": "of the agent's process: SIGTERM, SIGKILL, or another life",
    "jump <minutes>": "move the wall clock of everybody on",
}
"""Usage, and what it does."""

Thing = TypeVar("Thing")


class Levers:
    """As `Commands` of the cabinet; what is not there is refused with a sentence that says where it is."""

    def __init__(self, name: str, bench: AnyBench, commands: Commands, around: Around) -> None:
        self._name = name
        self._bench = bench
        self._commands = commands
        self._around = around
        run: tuple[Run, ...] = (
            self._show,
            self._book,
            self._cut,
            self._mend,
            self._forget,
            self._agent,
            self._jump,
        )
        made = (Command(usage, what, do) for (usage, what), do in zip(LEVERS.items(), run, strict=True))
        self.known = {command.name: command for command in made}

    def _show(self, words: list[str]) -> str:
        card = self._person(words[0]).card
        return self._commands.hands.show(words[1] if len(words) > 1 else BADGE_READER, card.bits, card.data)

    def _book(self, words: list[str]) -> Awaitable[str]:
        person = self._person(words[0])
        slot = whole("slot", words[1], 1, self._bench.slots) if len(words) > 1 else None
        desk = _there(self._around.desk, f"book: no dispatcher is known here: {DEMO}")
        if not person.books:
            able = ", ".join(person.id for person in self._around.people if person.books)
            raise BadCommand(f"person {person.id!r} may not book: expected one of {able}")
        return desk.book(person, slot)

    def _cut(self, _words: list[str]) -> str:
        uplink = _there(self._around.uplink, f"cut-network: the agent's connection does not pass here: {DEMO}")
        uplink.cut()
        self._bench.tell("network", "cut", "cut")
        return "the network is cut; the cabinet decides alone"

    def _mend(self, _words: list[str]) -> str:
        uplink = _there(self._around.uplink, f"mend-network: the agent's connection does not pass here: {DEMO}")
        uplink.mend()
        self._bench.tell("network", "mended", "whole again")
        return "the network is whole; the agent comes back within 15 s"

    async def _forget(self, _words: list[str]) -> str:
        expected = "expected the page of `simulator demo --broker mosquitto`"
        await _there(self._around.forget, f"forget: this broker cannot be killed from here: {expected}")()
        self._bench.tell("broker", "forgot", "killed and started again: it has forgotten everything")
        return "the broker has forgotten what it retained"

    async def _agent(self, words: list[str]) -> str:
        what = one_of("agent", words[0], ("stop", "kill", "start"))
        expected = "expected the page of `simulator demo --processes`"
        agent = _there(self._around.agent, f"agent: it is no process of its own here: {expected}")
        if agent.is_running == (what == "start"):
            state, able = ("running", "stop or kill") if agent.is_running else ("stopped", "start")
            raise BadCommand(f"agent {what}: it is {state} already: expected {able}")
        await {"stop": agent.stop, "kill": agent.kill, "start": agent.start}[what]()
        done = {"stop": "stopped", "kill": "killed", "start": "started"}[what]
        self._bench.tell("agent", done, done)
        return f"the agent of {self._name} was {done}"

    def _jump(self, words: list[str]) -> str:
        minutes = whole("minutes", words[0], 1, MINUTES_MAX)
        expected = f"{DEMO} without --processes"
        clock = _there(self._around.clock, f"jump: the clock is not this program's: {expected}")
        clock.jump(minutes * MINUTE_MS)
        self._bench.tell("clock", "jumped", f"it is {minutes} min later, for everybody")
        return f"it is {minutes} min later, for everybody"

    def _person(self, word: str) -> Person:
        people = {person.id: person for person in self._around.people}
        return people[one_of("person", word, people)]


def _there(thing: Thing | None, else_: str) -> Thing:
    if thing is None:
        raise BadCommand(else_)
    return thing
