"""What hands, faults and commands need of a cabinet with its electronics.

`simulator.cabinet.bench.Bench` is one that stands alone, with any hardware; `simulator.page.site_bench.SiteBench`
is one of a network's, in front of which members stand too.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from runtime.clocks import Clock, LineClock
from simulator.cabinet.readers import TagHolder
from simulator.devices.kerong_board import KerongBoard
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.paced_pty import PacedPty
from simulator.devices.rdm6300_reader import Rdm6300Device
from simulator.devices.switched import Switched
from simulator.devices.teltonika_tracker import TeltonikaTracker
from simulator.world.cabinet import Changes, ContactChanged, PhysicalCabinet
from simulator.world.moment import Moment


class AnyLocks(Protocol):
    """Lock boards by name."""

    @property
    def boards(self) -> Mapping[str, ModbusBoard | KerongBoard]: ...
    @property
    def twins(self) -> Mapping[str, Switched]:
        """Another board at the same address, which is there while a fault wants it; not every board has one."""

    def apply(self, change: ContactChanged) -> None: ...


class AnyBench(Protocol):
    """Between `open` and `close` its devices speak with whoever opens the ports."""

    has_power: bool

    @property
    def slots(self) -> int: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def line_clock(self) -> LineClock: ...
    @property
    def moved(self) -> asyncio.Event:
        """Set whenever something moved: who waits clears it."""

    @property
    def cabinet(self) -> PhysicalCabinet: ...
    @property
    def locks(self) -> AnyLocks: ...
    @property
    def readers(self) -> Mapping[str, OsdpReader]: ...
    @property
    def reader_twins(self) -> Mapping[str, Switched]:
        """As those of the boards."""

    @property
    def tag_reader(self) -> Rdm6300Device | None: ...
    @property
    def tags(self) -> TagHolder | None: ...
    @property
    def tracker(self) -> TeltonikaTracker | None: ...
    @property
    def ports(self) -> Mapping[str, PacedPty]: ...
    @property
    def reader_names(self) -> tuple[str, ...]:
        """Of all that read cards or tags."""

    def on_line(self, line: str) -> tuple[str, ...]:
        """The devices of a line, by name."""

    def now(self) -> Moment: ...
    def apply(self, changes: Changes) -> None:
        """Contacts are wires: what moved shows at the boards."""

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Calls it then; answers what takes that back."""

    def tell(self, device: str, what: str, text: str, **more: object) -> None:
        """What a person in front of the cabinet would notice."""

    def shown(self, reader: str, bit_count: int, data: bytes) -> None:
        """A card or a fob was held to a reader, which took it."""

    def pressed(self, reader: str, keys: str) -> None:
        """Keys were pressed at a reader, which took them."""

    def switch_power(self, *, on: bool) -> str:
        """Of boards and readers."""
