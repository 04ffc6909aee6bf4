"""One station's computer in virtual time: its agent lives, is killed, loses power, and starts again."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from contract.topics import Author
from runtime.link import Link, LinkOwner
from simulator.network.draws import stream
from simulator.virtual.broker import Account, MemoryLink
from simulator.virtual.clocks import BoxClock
from simulator.virtual.disk import MemoryDisk
from simulator.virtual.line import VirtualLine
from simulator.virtual.premises import NAMESPACE
from simulator.virtual.routes import RouteFaults
from simulator.virtual.site import VirtualSite
from simulator.virtual.stage import Stage
from simulator.virtual.steps import Life
from simulator.virtual.switch import Killed, KillSwitch, SwitchedExecutor
from station_agent.agent import Agent, Opened, Surroundings
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import Line, RestfulCodec

BOOT_US = 4_000_000  # a small computer whose service manager starts an agent that ended
POWER_BOOT_US = 25_000_000  # from mains to agent


@dataclass
class Fate:
    """What a program went through, for the story and for the checkers."""

    boots: int = 0
    kills: int = 0
    crashes: list[str] = field(default_factory=list)
    """What it died of though nobody killed it."""


class VirtualBox:
    """One box. `boot` starts its agent; what it has on disk stays."""

    def __init__(self, cabinet: str, site: VirtualSite, stage: Stage) -> None:
        self.cabinet = cabinet
        self.site = site
        self.clock = BoxClock(stage.timers, stage.clock.start_ms)
        self.way = RouteFaults()
        self.fate = Fate()
        self.agent: Agent | None = None
        self.link: MemoryLink | None = None
        self._stage = stage
        self._timers = stage.timers
        self.disk = MemoryDisk(f"disk of {cabinet}")
        self.switch = KillSwitch()
        self._life: Life | None = None
        self._lines: list[Line] = []

    @property
    def is_alive(self) -> bool:
        return self._life is not None and self._life.is_alive

    @property
    def opened(self) -> Opened | None:
        """What its agent has, for the checkers."""
        return self.agent.opened if self.agent is not None else None

    def boot(self) -> None:
        """The agent starts. Nothing where it runs."""
        if self.is_alive:
            return
        self.fate.boots += 1
        life = self._life = Life(self._broke)
        rng = stream(self._stage.seed, f"agent/{self.cabinet}/{self.fate.boots}")
        self._lines = []
        config = self._stage.premises.station_configs[self.cabinet]

        links: list[MemoryLink] = []

        def make_link(owner: LinkOwner) -> Link:
            links.append(self._link(owner, life, rng))
            return links[0]

        def make_line(url: str, _baud: int, codec: RestfulCodec, on_event: Callable[[DeviceEvent], None]) -> Line:
            cable = self.site.cables[url.rsplit("/", 1)[-1]]
            line = self._stage.runner.line(cable, codec, on_event, life, self.switch)
            self._lines.append(line)
            return line

        around = Surroundings(
            clock=self.clock,
            line_clock=self._timers,
            executor=SwitchedExecutor(self.switch),
            random=rng,
            random_bytes=rng.randbytes,
            steps=self._stage.runner.steps(life),
            make_link=make_link,
            make_line=make_line,
            make_storage=lambda _file: self.disk,
        )
        self.agent = Agent(config, self._stage.premises.station_keys[self.cabinet], around)
        (self.link,) = links
        self._stage.runner.start(self.agent, life, self.link, self._lines)

    def kill(self, back_after_us: int | None = BOOT_US) -> None:
        """The process is gone from one instant to the next; None: whoever kills it boots it again."""
        if self._life is not None and self.is_alive:
            self._life.end()
            self._gone(back_after_us)
            self.fate.kills += 1

    def cut_power(self, back_after_us: int | None = POWER_BOOT_US) -> None:
        """The whole cabinet goes dark: box, boards and readers. Nobody is told; the broker finds out."""
        if self.link is not None:
            self.link.dies_unheard = True
        self.kill(back_after_us)
        self.disk.cut_power()
        now_us = self._timers.now_us()
        for cable in self.site.cables.values():
            cable.wire.clear()
        for board in self.site.devices.boards:
            board.power_cycle(now_us)
        for reader in self.site.devices.readers.values():
            reader.power_cycle()

    def facts_on_disk(self) -> dict[str, list[str]]:
        """By epoch, the hash after each fact, as the disk has them: the world's own look, not the agent's word."""
        found: dict[str, list[str]] = {}
        for epoch, after in self.disk.read(
            "SELECT epochs.epoch, facts.hash FROM facts JOIN epochs ON epochs.number = facts.epoch "
            "ORDER BY facts.epoch, facts.seq"
        ):
            found.setdefault(epoch, []).append(after)
        return found

    def oldest_unacknowledged_ms(self) -> int | None:
        """When, by the box's clock, the oldest fact was noted that the ledger has not confirmed; None: none."""
        ((at_ms,),) = self.disk.read(
            "SELECT min(facts.at_ms) FROM facts JOIN epochs ON epochs.number = facts.epoch "
            "WHERE facts.seq > epochs.acknowledged_seq AND epochs.number = (SELECT max(number) FROM epochs)"
        )
        return None if at_ms is None else int(at_ms)

    def _broke(self, error: BaseException) -> None:
        if isinstance(error, Killed):
            self.fate.kills += 1
        else:
            self.fate.crashes.append(f"{type(error).__name__}: {error}")
        self._gone(BOOT_US)

    def _gone(self, back_after_us: int | None) -> None:
        self.switch.disarm()
        self._put_away()
        if back_after_us is not None:
            self._timers.call_at(self._timers.now_us() + back_after_us, self.boot)

    def _put_away(self) -> None:
        if self.link is not None:
            self.link.kill()
        for line in self._lines:
            if isinstance(line, VirtualLine):  # a real one goes with its task
                line.stop()
        if self.agent is not None and self.agent.opened is not None:
            self.agent.opened.journal.close()

    def _link(self, owner: LinkOwner, life: Life, rng: random.Random) -> MemoryLink:
        vehicles = frozenset(
            vehicle.id for vehicle in self._stage.premises.network.vehicles if vehicle.key.cabinet == self.cabinet
        )
        account = Account(f"{NAMESPACE}-{self.cabinet}", Author.AGENT, self.cabinet, vehicles)
        return MemoryLink(
            self._stage.broker, account, owner, faults=self.way, rng=rng, life=life, switch=self.switch
        )
