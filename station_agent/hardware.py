"""Builds the drivers that a configuration names, each on its line, and passes the core's orders to them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from station_agent.config import (
    Contact,
    KerongBusConfig,
    LockBusConfig,
    ReaderBusConfig,
    StationConfig,
    TagReaderConfig,
)
from station_agent.core.device_events import DeviceEvent, ReaderSignal
from station_agent.core.devices import CABINET
from station_agent.drivers.annotation import Annotator
from station_agent.drivers.base import Line, LineStatistics, MakeLine, RestfulCodec
from station_agent.drivers.kerong.annotate import KerongAnnotator
from station_agent.drivers.kerong.cabinet import KerongCabinet
from station_agent.drivers.kerong.probe import KerongProber
from station_agent.drivers.kerong.wiring import CabinetWiring as KerongWiring
from station_agent.drivers.kerong.wiring import SlotWiring as KerongSlotWiring
from station_agent.drivers.modbus.annotate import ModbusAnnotator
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.probe import ModbusProber
from station_agent.drivers.modbus.wiring import CabinetWiring, Place, SlotWiring
from station_agent.drivers.osdp.annotate import OsdpAnnotator
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel
from station_agent.drivers.osdp.probe import OsdpProber
from station_agent.drivers.probing import Prober
from station_agent.drivers.rdm6300 import Rdm6300Reader
from station_agent.drivers.talkers import TalkerAnnotator
from station_agent.drivers.teltonika.receiver import TeltonikaReceiver
from station_agent.secrets_on_disk import StationKeys


@dataclass(frozen=True, slots=True)
class AboutLine:
    """What a person's tools know of a line."""

    driver: str
    annotator: Callable[[], Annotator]
    """Makes what reads along in words."""
    devices: tuple[str, ...]
    """Those on it, as events and facts name them; none: a tracker, which is no part of the cabinet."""
    prober: Prober | None = None
    """What can be asked where nothing answers; None: its devices cannot be asked anything."""
    addresses: tuple[int, ...] = ()
    """As configured."""


class Hardware:
    """All lines of one cabinet."""

    def __init__(
        self,
        config: StationConfig,
        keys: StationKeys,
        *,
        random_bytes: Callable[[int], bytes],
        make_line: MakeLine,
        on_event: Callable[[DeviceEvent], None],
    ) -> None:
        self._make_line = make_line
        self._on_event = on_event
        self.lines: dict[str, Line] = {}
        self.about: dict[str, AboutLine] = {}
        self.statistics: dict[str, LineStatistics] = {}
        self._panels: dict[str, tuple[OsdpPanel, Line]] = {}
        self.receivers: dict[str, TeltonikaReceiver] = {}
        """Trackers that speak on a line, by vehicle."""
        self._cabinet, about = _cabinet(config.locks)
        self._lock_line = self._add("locks", config.locks.device, config.locks.baud_rate, self._cabinet, about)
        for number, bus in enumerate(config.readers, 1):
            self._add_panel(f"readers-{number}", bus, keys, random_bytes)
        for number, reader in enumerate(config.tag_readers, 1):
            self._add_tag_reader(f"tags-{number}", reader)
        with_line = [vehicle for vehicle in config.vehicles if vehicle.device is not None]
        for number, vehicle in enumerate(with_line, 1):
            assert vehicle.device is not None, "chosen so"
            receiver = self.receivers[vehicle.id] = TeltonikaReceiver(vehicle.id, vehicle.model)
            talks = AboutLine("teltonika", partial(TalkerAnnotator, "tracker"), ())
            self._add(f"tracker-{number}", vehicle.device, vehicle.baud_rate, receiver, talks)

    def _add(self, name: str, device: str, baud_rate: int, codec: RestfulCodec, about: AboutLine) -> Line:
        line = self.lines[name] = self._make_line(device, baud_rate, codec, self._on_event)
        self.about[name] = about
        self.statistics[name] = codec.statistics
        return line

    def _add_panel(
        self, name: str, bus: ReaderBusConfig, keys: StationKeys, random_bytes: Callable[[int], bytes]
    ) -> None:
        panel = OsdpPanel(reader_configs(bus, keys.scbks), baud_rate=bus.baud_rate, random_bytes=random_bytes)
        about = AboutLine(
            "osdp",
            OsdpAnnotator,
            tuple(reader.name for reader in bus.readers),
            OsdpProber(),
            tuple(reader.address for reader in bus.readers),
        )
        line = self._add(name, bus.device, bus.baud_rate, panel, about)
        for reader in bus.readers:
            self._panels[reader.name] = (panel, line)

    def _add_tag_reader(self, name: str, reader: TagReaderConfig) -> None:
        about = AboutLine("rdm6300", partial(TalkerAnnotator, "tag reader"), (reader.name,))
        self._add(name, reader.device, reader.baud_rate, Rdm6300Reader(reader.name), about)

    def release(self, slot: int, *, again: bool) -> None:
        """Pulse a slot's lock once, now; `again`: after a look that shows it as it was."""
        self._lock_line.give(partial(self._cabinet.release, slot, again=again))

    def indicate(self, reader: str, signal: ReaderSignal) -> None:
        """Show a signal at a reader; one that only sends has nothing to show it with."""
        if reader in self._panels:
            panel, line = self._panels[reader]
            line.give(partial(panel.indicate, reader, signal))


def _cabinet(config: LockBusConfig | KerongBusConfig) -> tuple[ModbusCabinet | KerongCabinet, AboutLine]:
    if isinstance(config, KerongBusConfig):
        boards = tuple(sorted({slot.board for slot in config.slots}))
        about = AboutLine("kerong-cu16", KerongAnnotator, (CABINET,), KerongProber(), boards)
        return KerongCabinet(kerong_wiring(config)), about
    about = AboutLine("modbus-io", ModbusAnnotator, (CABINET,), ModbusProber(), _units(config))
    return ModbusCabinet(cabinet_wiring(config)), about


def check_wiring(config: LockBusConfig | KerongBusConfig) -> None:
    """Raises ValueError, naming the slot, for a cabinet that cannot be wired like this."""
    _cabinet(config)


def kerong_wiring(config: KerongBusConfig) -> KerongWiring:
    """The configuration's wiring in the codec's terms: locks count from 0, as on the wire."""
    return KerongWiring(
        slots=tuple(
            KerongSlotWiring(
                slot=slot.slot,
                board=slot.board,
                lock=slot.lock - 1,
                hook_inverted=slot.hook_inverted,
                infrared_inverted=slot.infrared_inverted,
            )
            for slot in config.slots
        ),
        baud_rate=config.baud_rate,
        answer_timeout_ms=config.answer_timeout_ms,
    )


def _units(config: LockBusConfig) -> tuple[int, ...]:
    contacts = (contact for slot in config.slots for contact in (slot.lock, slot.key, slot.door))
    return tuple(sorted({contact.unit for contact in contacts}))


def cabinet_wiring(config: LockBusConfig) -> CabinetWiring:
    """The configuration's wiring in the codec's terms: places count from 0, as on the wire."""
    return CabinetWiring(
        slots=tuple(
            SlotWiring(
                slot=slot.slot,
                lock=_place(slot.lock),
                key=_place(slot.key),
                key_inverted=slot.key.inverted,
                door=_place(slot.door),
                door_inverted=slot.door.inverted,
            )
            for slot in config.slots
        ),
        baud_rate=config.baud_rate,
        pulse_ms=config.pulse_ms,
        answer_timeout_ms=config.answer_timeout_ms,
        local_echo=config.local_echo,
    )


def reader_configs(bus: ReaderBusConfig, scbks: dict[str, bytes]) -> tuple[OsdpReaderConfig, ...]:
    return tuple(
        OsdpReaderConfig(reader.name, reader.address, scbks[reader.name], reader.poll_ms) for reader in bus.readers
    )


def _place(contact: Contact) -> Place:
    return (contact.unit, contact.channel - 1)
