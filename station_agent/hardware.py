"""Builds the drivers that a configuration names, each on its line, and passes the core's orders to them."""

from collections.abc import Callable
from functools import partial

from station_agent.config import Contact, LockBusConfig, ReaderBusConfig, StationConfig
from station_agent.core.device_events import DeviceEvent, ReaderSignal
from station_agent.core.devices import CABINET
from station_agent.drivers.annotation import Annotator
from station_agent.drivers.base import Line, LineStatistics, MakeLine
from station_agent.drivers.modbus.annotate import ModbusAnnotator
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.probe import ModbusProber
from station_agent.drivers.modbus.wiring import CabinetWiring, Place, SlotWiring
from station_agent.drivers.osdp.annotate import OsdpAnnotator
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel
from station_agent.drivers.osdp.probe import OsdpProber
from station_agent.drivers.probing import Prober
from station_agent.secrets_on_disk import StationKeys


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
        self._cabinet = ModbusCabinet(cabinet_wiring(config.locks))
        self._lock_line = make_line(config.locks.device, config.locks.baud_rate, self._cabinet, on_event)
        self.lines: dict[str, Line] = {"locks": self._lock_line}
        self.annotators: dict[str, Callable[[], Annotator]] = {"locks": ModbusAnnotator}
        """By line, what reads along in words."""
        self.probers: dict[str, Prober] = {"locks": ModbusProber()}
        """By line, what can be asked where nothing answers."""
        self.addresses: dict[str, tuple[int, ...]] = {"locks": _units(config.locks)}
        """By line, as configured."""
        self.devices: dict[str, tuple[str, ...]] = {"locks": (CABINET,)}
        """By line, the devices on it as events and facts name them."""
        self._panels: dict[str, tuple[OsdpPanel, Line]] = {}
        self.statistics: dict[str, LineStatistics] = {"locks": self._cabinet.statistics}
        for number, bus in enumerate(config.readers, 1):
            panel = OsdpPanel(reader_configs(bus, keys.scbks), baud_rate=bus.baud_rate, random_bytes=random_bytes)
            line = make_line(bus.device, bus.baud_rate, panel, on_event)
            name = f"readers-{number}"
            self.lines[name] = line
            self.annotators[name] = OsdpAnnotator
            self.probers[name] = OsdpProber()
            self.addresses[name] = tuple(reader.address for reader in bus.readers)
            self.devices[name] = tuple(reader.name for reader in bus.readers)
            self.statistics[name] = panel.statistics
            for reader in bus.readers:
                self._panels[reader.name] = (panel, line)

    def release(self, slot: int, *, again: bool) -> None:
        """Pulse a slot's lock once, now; `again`: after a look that shows it as it was."""
        self._lock_line.give(partial(self._cabinet.release, slot, again=again))

    def indicate(self, reader: str, signal: ReaderSignal) -> None:
        """Show a signal at a reader."""
        panel, line = self._panels[reader]
        line.give(partial(panel.indicate, reader, signal))


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
