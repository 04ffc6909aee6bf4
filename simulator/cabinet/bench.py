"""One cabinet with its electronics, each line on a port of its own.

    bench = Bench(options, clock, line_clock, os.urandom, tell)
    bench.open()
    bench.switch_power(on=False)
    bench.close()

From `open`, inside a running event loop, to `close` its devices speak with whoever opens the ports.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from runtime.clocks import Clock, LineClock
from simulator.cabinet.locks import KerongLocks, Locks, ModbusLocks
from simulator.cabinet.options import MODBUS, RDM6300, CabinetOptions
from simulator.cabinet.readers import TagHolder, WatchedReader
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.paced_pty import PacedPty
from simulator.devices.rdm6300_reader import Rdm6300Device
from simulator.devices.switched import Switched, SwitchedTalker
from simulator.devices.teltonika_tracker import TeltonikaTracker
from simulator.network.model import EM4100, Card, Key
from simulator.network.wiring import (
    LOCK_LINE,
    READER_ADDRESS,
    READER_BAUD,
    READER_LINE,
    RETURN_READER,
    SCBK_BYTES,
    scbk,
)
from simulator.world.cabinet import Changes, PhysicalCabinet
from simulator.world.moment import Moment
from simulator.world.record import PhysicalFact, WorldRecord

CABINET: Final = "desk-1"
SEED: Final = 1  # of the readers' keys: these readers hang in no street
TAG_LINE: Final = "tags"
TAG_BAUD: Final = 9600
TRACKER_LINE: Final = "vehicle"
TRACKER_BAUD: Final = 115_200
TRACKER: Final = "tracker"
FIRST_TAG: Final = 0x0100000000  # version byte 1, as most EM4100 fobs have

Later = Callable[[float, Callable[[], None]], Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person in front of the cabinet would notice."""

    device: str
    what: str
    text: str
    more: Mapping[str, Any]


class Bench:
    """Everything is made at once; what speaks on lines does so from `open` to `close`."""

    def __init__(
        self,
        options: CabinetOptions,
        clock: Clock,
        line_clock: LineClock,
        random_bytes: Callable[[int], bytes],
        tell: Callable[[Event], None],
    ) -> None:
        self.options = options
        self.slots = options.slots
        self.clock = clock
        self.line_clock = line_clock
        self.has_power = True
        self._tell = tell
        self._random_bytes = random_bytes
        self.moved = asyncio.Event()
        """Set whenever something moved: who waits clears it."""
        keys = {slot: fob(slot) for slot in range(1, max(options.slots, 2))}  # one slot stays spare
        self.cabinet = PhysicalCabinet(CABINET, options.slots, keys, WorldRecord(self._happened))
        make_locks = ModbusLocks if options.locks == MODBUS else KerongLocks
        self.locks: Locks = make_locks(options.slots, self._pulsed)
        self.readers = {name: self._make_reader(name) for name in options.osdp_readers}
        self.reader_twins = {name: self._twin(name) for name in self.readers}
        self.tag_reader = Rdm6300Device() if options.tag_reader == RDM6300 else None
        self.tags = TagHolder(self.tag_reader, self.later) if self.tag_reader is not None else None
        self.tracker = TeltonikaTracker(options.tracker) if options.tracker is not None else None
        self._powered: list[Switched | SwitchedTalker] = []
        self.ports = {port.link.name: port for port in self._make_ports(options.directory.absolute())}
        self.apply(self.cabinet.contacts())

    def _make_reader(self, name: str) -> OsdpReader:
        key = self.remembered(name)
        reader = OsdpReader(
            READER_ADDRESS[name],
            key or self._random_bytes(SCBK_BYTES),
            self._random_bytes,
            install_mode=key is None,
        )
        reader.on_key = partial(self._remember, name)
        return reader

    def remembered(self, reader: str) -> bytes | None:
        """The key of an earlier run, or the one that a reader has from the start; None: it has none yet."""
        if reader in self.options.scbks:
            return self.options.scbks[reader]
        try:
            return bytes.fromhex(self._memory(reader).read_text())
        except (OSError, ValueError):
            return scbk(SEED, CABINET, reader)

    def _remember(self, reader: str, key: bytes) -> None:
        self._memory(reader).write_text(key.hex())
        self.tell(reader, "key", "has a new key")

    def _memory(self, reader: str) -> Path:
        """A reader's own memory outlasts the program, as a real one's does."""
        return self.options.directory.absolute() / f"{reader}.memory"

    def _twin(self, name: str) -> Switched:
        """Another reader that was set to the same address."""
        twin = OsdpReader(READER_ADDRESS[name], self._random_bytes(SCBK_BYTES), self._random_bytes)
        return Switched(twin, is_on=False)

    def _make_ports(self, directory: Path) -> list[PacedPty]:
        readers = [Switched(WatchedReader(reader, self._teller(name))) for name, reader in self.readers.items()]
        boards = [Switched(board) for board in self.locks.on_bus()]
        readers += [Switched(twin) for twin in self.reader_twins.values()]
        self._powered += [*boards, *readers]
        ports = [
            PacedPty(directory / LOCK_LINE, boards, self.line_clock, baud_rate=self.locks.baud_rate),
            PacedPty(directory / READER_LINE, readers, self.line_clock, baud_rate=READER_BAUD),
        ]
        if self.tag_reader is not None:
            talker = SwitchedTalker(self.tag_reader)
            self._powered.append(talker)
            ports.append(PacedPty.of_talker(directory / TAG_LINE, talker, self.line_clock, baud_rate=TAG_BAUD))
        if self.tracker is not None:  # it hangs in a vehicle, with power of its own
            link = directory / TRACKER_LINE
            ports.append(PacedPty.of_talker(link, self.tracker, self.line_clock, baud_rate=TRACKER_BAUD))
        return ports

    def on_line(self, line: str) -> tuple[str, ...]:
        """The devices of a line, by name."""
        tag_reader = (RETURN_READER,) if self.tag_reader is not None else ()
        named = {LOCK_LINE: (*self.locks.boards,), READER_LINE: (*self.readers,), TRACKER_LINE: (TRACKER,)}
        return named.get(line, tag_reader)

    def open(self) -> None:
        for port in self.ports.values():
            port.open()

    def close(self) -> None:
        for port in self.ports.values():
            port.close()

    def switch_power(self, *, on: bool) -> str:
        """Of boards and readers; adapters hang at the box, which has its own."""
        now_us = self.line_clock.now_us()
        for board in self.locks.boards.values():
            board.power_cycle(now_us)
        for reader in self.readers.values():
            reader.power_cycle()
        for device in self._powered:
            device.is_on = on
        self.has_power = on
        if self.tag_reader is not None:
            self.ports[TAG_LINE].changed()
        return "power on: boards and readers start" if on else "power off: boards and readers are dark"

    @property
    def reader_names(self) -> tuple[str, ...]:
        """Of all that read cards or tags."""
        return (*self.readers, *((RETURN_READER,) if self.tag_reader is not None else ()))

    def now(self) -> Moment:
        return Moment(self.clock.now_ms(), self.line_clock.now_us())

    def apply(self, changes: Changes) -> None:
        """Contacts are wires: what moved shows at the boards."""
        for change in changes:
            self.locks.apply(change)

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Calls it then; answers what takes that back."""
        return asyncio.get_running_loop().call_later(seconds, call).cancel

    def tell(self, device: str, what: str, text: str, **more: object) -> None:
        self._tell(Event(device, what, text, more))

    def shown(self, reader: str, bit_count: int, data: bytes) -> None:
        """Nobody keeps a record here of whose card it was."""

    def pressed(self, reader: str, keys: str) -> None:
        """The same."""

    def _pulsed(self, slot: int) -> None:
        self.apply(self.cabinet.pulse(self.now(), slot))

    def _happened(self, fact: PhysicalFact) -> None:
        deed = fact.deed
        self.moved.set()
        words = deed.what.replace("_", " ")
        self.tell("cabinet", deed.what, f"slot {deed.slot}: {words} by {deed.who}", slot=deed.slot, key=deed.key)

    def _teller(self, name: str) -> Callable[[str, str], None]:
        return lambda what, text: self.tell(name, what, f"{what}: {text}" if what != "session" else text)


def fob(slot: int) -> Key:
    """The key that hangs in a slot at first."""
    return a_key(f"key-{slot}", slot, (FIRST_TAG + slot).to_bytes(EM4100.bits // 8))


def a_key(name: str, slot: int, tag: bytes) -> Key:
    return Key(name, f"car-{slot}", CABINET, slot, Card(EM4100.name, EM4100.bits, tag))
