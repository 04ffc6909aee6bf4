"""Kills programs of a demo at random instants and starts them again: in the middle of a release, while starting.

Nothing is told to them before. What each kill may explain, and for how long, is written down as a spell.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final

import httpx

from runtime.clocks import LineClock
from simulator.demo.programs import DISPATCHER, Child, ProgramEnded
from simulator.virtual.spells import FOREVER_US, Spell, Spells, Touches
from simulator.world.record import PhysicalFact, What

PAUSE_S: Final = (0.0, 2.0)  # between two kills: somebody is handed a key in between
DARK_S: Final = (0.0, 0.5)  # until it is started again: systemd waits 100 ms
AGAIN: Final = 0.25  # of all kills: the same agent once more, soon after its start
START_S: Final = (0.0, 1.5)  # an agent is ready about a second after its start, here
AT_A_HANDOVER: Final = 0.65  # of the others: right after something was done at a cabinet
SOON_S: Final = (0.0, 0.15)  # decision, commit and pulse follow a card within 0.1 s
LATER_S: Final = (0.0, 1.5)  # hands take longer
NOBODY_S: Final = 5.0  # nobody does anything: any agent, then
CARD_US: Final = 2_000_000  # a kill this soon after something was done there counts as in the middle of it
READY_S: Final = 30.0  # on a loaded machine; a second elsewhere
LOOK_S: Final = 0.05
DISPATCHER_EVERY, BROKER_EVERY = 15, 23  # kills: often enough to show, rarely enough for bookings to go on


class Moment(StrEnum):
    """When an agent was killed."""

    STARTING = "while starting"
    HANDOVER = "in a handover"
    REST = "at rest"


class Killer:
    """`run` kills so many agents; `spells` and `killed` say what became of it."""

    def __init__(
        self,
        children: Mapping[str, Child],
        ports: Mapping[str, int],
        line_clock: LineClock,
        rng: random.Random,
        restart_broker: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`ports`: where each agent's health answers. `restart_broker`: kill dispatcher and broker as well."""
        self.spells = Spells()
        self.killed: Counter[Moment] = Counter()
        self.killed_besides: Counter[str] = Counter()
        """Dispatcher and broker."""
        self._children = children
        self._ports = ports
        self._line_clock = line_clock
        self._rng = rng
        self._restart_broker = restart_broker
        self._acts: asyncio.Queue[str] = asyncio.Queue()
        self._acted_us: dict[str, int] = {}
        self._is_stopping = False
        self._dark: dict[str, tuple[Spell, asyncio.Task[None]]] = {}

    def on_fact(self, fact: PhysicalFact) -> None:
        """Hears of everything that is done at a cabinet."""
        self._acted_us[fact.cabinet] = fact.moment.line_us
        if fact.deed.what is not What.DOOR_CLOSED:
            self._acts.put_nowait(fact.cabinet)

    async def run(self, kills: int) -> None:
        """Returns when so many agents were killed and all of them are ready again. Raises ProgramEnded."""
        cabinet = ""
        for number in range(1, kills + 1):
            if self._is_stopping:
                break
            if cabinet and self._rng.random() < AGAIN:
                await asyncio.sleep(self._rng.uniform(*START_S))
            else:
                await asyncio.sleep(self._rng.uniform(*PAUSE_S))
                cabinet = await self._next()
            await self._kill(cabinet)
            if self._restart_broker is not None and number % DISPATCHER_EVERY == 0:
                await self._kill_dispatcher()
            if self._restart_broker is not None and number % BROKER_EVERY == 0:
                await self._kill_broker(self._restart_broker)
        await asyncio.gather(*(task for _, task in self._dark.values()))

    def stop(self) -> None:
        """`run` ends soon, with whatever was killed running again."""
        self._is_stopping = True

    async def _next(self) -> str:
        if self._rng.random() < AT_A_HANDOVER:
            while not self._acts.empty():
                self._acts.get_nowait()
            with suppress(TimeoutError):
                async with asyncio.timeout(NOBODY_S):
                    cabinet = await self._acts.get()
                    await asyncio.sleep(self._rng.uniform(*self._rng.choice((SOON_S, LATER_S))))
                    return cabinet
        return self._rng.choice(sorted(self._ports))

    async def _kill(self, cabinet: str) -> None:
        now_us = self._line_clock.now_us()
        self.killed[self._moment(cabinet, now_us)] += 1
        child = self._children[cabinet]
        before = self._dark.pop(cabinet, None)
        if before is not None:
            before[1].cancel()
            before[0].until_us = min(before[0].until_us, now_us)
        touches = frozenset({Touches.BOX, Touches.LOCKS, Touches.READERS, Touches.WAY})
        spell = self.spells.add(Spell("agent_kill", touches, frozenset({cabinet}), now_us))
        await child.kill()
        await asyncio.sleep(self._rng.uniform(*DARK_S))
        await child.start()
        self._dark[cabinet] = spell, asyncio.create_task(self._until_ready(child, self._ports[cabinet], spell))

    def _moment(self, cabinet: str, now_us: int) -> Moment:
        dark = self._dark.get(cabinet)
        if dark is not None and dark[0].until_us == FOREVER_US:
            return Moment.STARTING
        acted_us = self._acted_us.get(cabinet)
        return Moment.HANDOVER if acted_us is not None and now_us - acted_us <= CARD_US else Moment.REST

    async def _kill_dispatcher(self) -> None:
        child = self._children[DISPATCHER]
        spell = self._everywhere("centre_kill", Touches.CENTRE)
        await child.kill()
        await child.start()
        spell.until_us = self._line_clock.now_us()
        self.killed_besides[DISPATCHER] += 1

    async def _kill_broker(self, restart: Callable[[], Awaitable[None]]) -> None:
        spell = self._everywhere("broker_kill", Touches.WAY)
        await restart()
        spell.until_us = self._line_clock.now_us()
        self.killed_besides["broker"] += 1

    def _everywhere(self, fault: str, touches: Touches) -> Spell:
        return self.spells.add(Spell(fault, frozenset({touches}), None, self._line_clock.now_us()))

    async def _until_ready(self, child: Child, port: int, spell: Spell) -> None:
        """A kill explains nothing any more once every device of the box answers it again."""
        try:
            async with asyncio.timeout(READY_S), httpx.AsyncClient() as client:
                while not await _is_ready(client, port):  # noqa: ASYNC110  # another process tells when it is asked
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            child.must_run()
            raise ProgramEnded(f"{child.name} was not ready within {READY_S:g} s of its start") from None
        spell.until_us = self._line_clock.now_us()


async def _is_ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success
    except httpx.TransportError:
        return False
