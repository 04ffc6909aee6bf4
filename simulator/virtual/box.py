"""One station's computer in virtual time: its agent lives, is killed, loses power, and starts again."""

import json
from collections.abc import Callable
from itertools import accumulate, islice, pairwise

from contract.chain import next_hash
from contract.topics import Author
from simulator.network.draws import stream
from simulator.virtual.broker import Account
from simulator.virtual.clocks import BoxClock
from simulator.virtual.computer import Computer
from simulator.virtual.disk import MemoryDisk
from simulator.virtual.line import VirtualLine
from simulator.virtual.premises import NAMESPACE
from simulator.virtual.site import VirtualSite
from simulator.virtual.stage import Stage
from simulator.virtual.switch import SwitchedExecutor
from station_agent.agent import Agent, Opened, Surroundings
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import Line, RestfulCodec
from station_agent.emergency import EmergencyJournal, Known

POWER_BOOT_US = 25_000_000  # from mains to agent


class VirtualBox(Computer):
    """One box. `boot` starts its agent; what it has on disk stays."""

    def __init__(self, cabinet: str, site: VirtualSite, stage: Stage, name: str | None = None) -> None:
        """`name`: whose randomness it has, where it is not the cabinet's one box."""
        super().__init__(stage)
        self.cabinet = cabinet
        self._name = name or cabinet
        self.site = site
        self.clock = BoxClock(stage.timers, stage.clock.start_ms)
        self.disk = MemoryDisk(f"disk of {cabinet}")
        self.agent: Agent | None = None
        self._lines: list[Line] = []

    @property
    def opened(self) -> Opened | None:
        """What its agent has, for the checkers."""
        return self.agent.opened if self.agent is not None else None

    def boot(self) -> None:
        if self.is_alive:
            return
        life = self._begin_life()
        rng = stream(self._stage.seed, f"agent/{self._name}/{self.fate.boots}")
        self._lines = []
        config = self._stage.premises.station_configs[self.cabinet]

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
            make_link=self._linking(self._account(), life, rng),
            make_line=make_line,
            make_storage=lambda _file: self.disk,
        )
        self.agent = Agent(config, self._stage.premises.station_keys[self.cabinet], around)
        self._stage.runner.start(self.agent, life, self._own_link(), self._lines)

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

    def facts_on_disk(self) -> dict[str, dict[int, str]]:
        """By epoch and number, the hash after each fact that counts: the world's own look, not the agent's word.

        Of an epoch that ended count those that the next one goes on from; none, where that names no epoch.
        """
        found: dict[str, dict[int, str]] = {}
        goes_on_from: dict[str, tuple[str | None, int]] = {}
        epochs = [name for (name,) in self.disk.read("SELECT epoch FROM epochs ORDER BY number")]
        for epoch, seq, after, text in self.disk.read(
            "SELECT epochs.epoch, facts.seq, facts.hash, facts.text FROM facts "
            "JOIN epochs ON epochs.number = facts.epoch ORDER BY facts.epoch, facts.seq"
        ):
            found.setdefault(epoch, {})[seq] = after
            if seq == 1:
                first = json.loads(text)
                goes_on_from[epoch] = first.get("after_epoch"), first.get("after_seq", 0)
        for ended, successor in pairwise(epochs):
            named, counting = goes_on_from.get(successor, (None, 0))
            until = counting if named == ended else 0
            found[ended] = {seq: after for seq, after in found.get(ended, {}).items() if seq <= until}
        return found

    def hashes_on_disk(self) -> dict[str, int]:
        """All facts, counting or not: when each was noted by the box's clock, by the hash after it."""
        found = {after: int(at_ms) for at_ms, after in self.disk.read("SELECT at_ms, hash FROM facts")}
        newest = self.disk.read(
            "SELECT epochs.epoch, facts.seq, facts.hash FROM facts JOIN epochs ON epochs.number = facts.epoch "
            "ORDER BY facts.epoch DESC, facts.seq DESC LIMIT 1"
        )
        for epoch, seq, last in newest:  # the emergency journal continues the last of them
            texts = EmergencyJournal(self.disk.emergency).load(Known(epoch, seq, 0)).texts
            hashes = islice(accumulate(texts, next_hash, initial=last), 1, None)
            times_ms = (int(json.loads(text)["at_ms"]) for text in texts)
            found |= dict(zip(hashes, times_ms, strict=True))
        return found

    def _put_away(self) -> None:
        super()._put_away()
        for line in self._lines:
            if isinstance(line, VirtualLine):  # a real one goes with its task
                line.stop()
        self.disk.kill()  # a program that is gone closes nothing, and syncs nothing

    def _account(self) -> Account:
        vehicles = frozenset(
            vehicle.id for vehicle in self._stage.premises.network.vehicles if vehicle.key.cabinet == self.cabinet
        )
        return Account(f"{NAMESPACE}-{self.cabinet}", Author.AGENT, self.cabinet, vehicles)
