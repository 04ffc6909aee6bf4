"""A cabinet of a network as hands, faults and commands want it: what they do is in the world's own record, too."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from runtime.clocks import Clock, LineClock
from simulator.cabinet.bench import Event
from simulator.cabinet.hands import SOMEBODY
from simulator.cabinet.readers import TagHolder
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.paced_pty import PacedPty
from simulator.devices.rdm6300_reader import Rdm6300Device
from simulator.devices.switched import Switched
from simulator.devices.teltonika_tracker import TeltonikaTracker
from simulator.network.model import CARD_KINDS, Card
from simulator.network.wiring import LOCK_LINE, READER_LINE
from simulator.world.cabinet import Changes, ContactChanged, PhysicalCabinet
from simulator.world.deeds import what_is_shown
from simulator.world.moment import Moment
from simulator.world.record import Deed, What, WorldRecord
from simulator.world.site import Site

BOARDS: Final = ("relays-1", "doors-1")
UNKNOWN_KIND: Final = "unknown"

BookingOf = Callable[[str], str | None]
"""From a credential to the booking that its holder came for."""
PinOf = Callable[[str], str | None]
"""From a credential to the right PIN."""


@dataclass(frozen=True, slots=True)
class SiteLocks:
    """The pair of boards that every cabinet of a network has."""

    boards: Mapping[str, ModbusBoard]
    move: Callable[[Changes], None]
    twins: Mapping[str, Switched] = field(default_factory=dict)

    def apply(self, change: ContactChanged) -> None:
        self.move((change,))


@dataclass(frozen=True, slots=True)
class Known:
    """What the world's record has to know of a card that is shown."""

    booking_of: BookingOf
    pin_of: PinOf


class SiteBench:
    """As `simulator.cabinet.any_bench.AnyBench`; its lines are opened and closed with the world."""

    tag_reader: Rdm6300Device | None = None
    tags: TagHolder | None = None
    tracker: TeltonikaTracker | None = None

    def __init__(
        self,
        site: Site,
        clock: Clock,
        line_clock: LineClock,
        record: WorldRecord,
        known: Known,
        tell: Callable[[Event], None],
    ) -> None:
        self.clock = clock
        self.line_clock = line_clock
        self.has_power = True
        self.moved = asyncio.Event()
        self.cabinet: PhysicalCabinet = site.cabinet
        self.slots = len(site.cabinet.slots)
        self.locks = SiteLocks(dict(zip(BOARDS, site.devices.boards, strict=True)), site.apply)
        self.readers: Mapping[str, OsdpReader] = site.devices.readers
        self.reader_twins: Mapping[str, Switched] = {}
        self.ports: Mapping[str, PacedPty] = dict(zip((LOCK_LINE, READER_LINE), site.lines, strict=True))
        self._site = site
        self._record = record
        self._known = known
        self._tell = tell
        self._last_card: Card | None = None

    @property
    def reader_names(self) -> tuple[str, ...]:
        return tuple(self.readers)

    def on_line(self, line: str) -> tuple[str, ...]:
        return BOARDS if line == LOCK_LINE else self.reader_names

    def now(self) -> Moment:
        return Moment(self.clock.now_ms(), self.line_clock.now_us())

    def apply(self, changes: Changes) -> None:
        self._site.apply(changes)

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        return asyncio.get_running_loop().call_later(seconds, call).cancel

    def tell(self, device: str, what: str, text: str, **more: object) -> None:
        self._tell(Event(device, what, text, more))

    def shown(self, reader: str, bit_count: int, data: bytes) -> None:
        kind = next((kind.name for kind in CARD_KINDS if kind.bits == bit_count), UNKNOWN_KIND)
        card = self._last_card = Card(kind, bit_count, data)
        self._write(what_is_shown(card), reader, card)

    def pressed(self, reader: str, keys: str) -> None:
        if self._last_card is not None:
            is_right = keys.rstrip("#") == self._known.pin_of(self._last_card.credential)
            self._write(What.PIN_KEYED, reader, self._last_card, is_right=is_right)

    def switch_power(self, *, on: bool) -> str:
        now_us = self.line_clock.now_us()
        for board in self._site.devices.boards:
            board.power_cycle(now_us)
        for reader in self.readers.values():
            reader.power_cycle()
        for device in self._site.powered:
            device.is_on = on
        self.has_power = on
        return "power on: boards and readers start" if on else "power off: boards and readers are dark"

    def _write(self, what: What, reader: str, card: Card, *, is_right: bool = False) -> None:
        booking = self._known.booking_of(card.credential)
        deed = Deed(what, SOMEBODY, reader=reader, credential=card.credential, booking=booking, is_right=is_right)
        self._record.write(self.cabinet.name, self.now(), deed)
