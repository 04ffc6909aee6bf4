"""Builds the drivers that a configuration names, each on its line, and passes the core's orders to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from runtime.clocks import SystemLineClock
from runtime.config import ConfigError
from station_agent.config import StationConfig
from station_agent.core.device_events import DeviceEvent, ReaderSignal
from station_agent.core.devices import CABINET
from station_agent.drivers.annotation import Annotator
from station_agent.drivers.base import Codec, Line, LineStatistics, MakeLine, RestfulCodec
from station_agent.drivers.declaration import (
    AnyDriver,
    CabinetCodec,
    CabinetDriver,
    ReadersCodec,
    ReadersDriver,
    TagReaderDriver,
    Tools,
    VehicleDriver,
    lacking,
)
from station_agent.drivers.probing import Prober
from station_agent.drivers.tables import LinePlace, ReadersTable, Table, TagReaderTable, VehicleTable
from station_agent.drivers.trackers import TrackerCodec
from station_agent.secrets_on_disk import StationKeys
from station_agent.serial_line import SerialLine

CodecT = TypeVar("CodecT", bound=RestfulCodec)


@dataclass(frozen=True, slots=True)
class AboutLine:
    """What a person's tools know of a line."""

    driver: str
    annotator: Callable[[], Annotator]
    """Makes what reads along in words."""
    devices: tuple[str, ...]
    """Those on it, as events and facts name them; none: a tracker, which is no part of the cabinet."""
    when_seen: str = "answers"
    """Of a device that is seen."""
    prober: Prober | None = None
    """What can be asked where nothing answers; None: its devices cannot be asked anything."""
    addresses: tuple[int, ...] = ()
    """As configured."""


class Hardware:
    """All lines of one cabinet. Raises ConfigError, naming the table, for what a driver cannot be made of."""

    def __init__(
        self,
        config: StationConfig,
        keys: StationKeys,
        *,
        random_bytes: Callable[[int], bytes],
        make_line: MakeLine,
        on_event: Callable[[DeviceEvent], None],
    ) -> None:
        self._config = config
        self._tools = Tools(random_bytes, keys.of_devices)
        self._make_line = make_line
        self._on_event = on_event
        self.lines: dict[str, Line] = {}
        self.about: dict[str, AboutLine] = {}
        self.statistics: dict[str, LineStatistics] = {}
        self._shows: dict[str, tuple[ReadersCodec, Line]] = {}
        """Readers that can show a signal, by name."""
        self.receivers: dict[str, TrackerCodec] = {}
        """Trackers that speak on a line, by vehicle."""
        self._add_cabinet()
        for number, table in enumerate(config.readers, 1):
            self._add_readers(f"readers-{number}", table)
        for number, reader in enumerate(config.tag_readers, 1):
            self._add_tag_reader(f"tags-{number}", reader)
        with_line = (vehicle for vehicle in config.vehicles if vehicle.line is not None)
        for number, vehicle in enumerate(with_line, 1):
            self._add_tracker(f"tracker-{number}", vehicle)

    def release(self, slot: int, *, again: bool) -> None:
        """Pulse a slot's lock once, now; `again`: after a look that shows it as it was."""
        self._lock_line.give(partial(self._cabinet.release, slot, again=again))

    def indicate(self, reader: str, signal: ReaderSignal) -> None:
        """Show a signal at a reader; one that only sends has nothing to show it with."""
        if reader in self._shows:
            codec, line = self._shows[reader]
            line.give(partial(codec.indicate, reader, signal))

    def _add_cabinet(self) -> None:
        table = self._config.locks
        driver = self._config.driver_of(table)
        assert isinstance(driver, CabinetDriver), "the configuration holds each driver to its kind"
        with _naming("locks"):
            self._cabinet = _complete(driver.codec(table, self._tools), CabinetCodec)
        self._lock_line = self._add("locks", table, table.line, self._cabinet, (CABINET,))

    def _add_readers(self, name: str, table: ReadersTable) -> None:
        driver = self._config.driver_of(table)
        assert isinstance(driver, ReadersDriver), "the configuration holds each driver to its kind"
        with _naming(name):
            codec = _complete(driver.codec(table, self._tools), ReadersCodec)
        readers = tuple(reader for reader, _role in table.roles)
        line = self._add(name, table, table.line, codec, readers)
        self._shows |= dict.fromkeys(readers, (codec, line))

    def _add_tag_reader(self, name: str, table: TagReaderTable) -> None:
        driver = self._config.driver_of(table)
        assert isinstance(driver, TagReaderDriver), "the configuration holds each driver to its kind"
        with _naming(name):
            codec = _complete(driver.codec(table, self._tools), RestfulCodec)
        self._add(name, table, table.line, codec, (table.name,))

    def _add_tracker(self, name: str, table: VehicleTable) -> None:
        driver = self._config.driver_of(table)
        assert isinstance(driver, VehicleDriver), "the configuration holds each driver to its kind"
        assert table.line is not None, "chosen so"
        assert driver.codec is not None, "the configuration was checked"
        with _naming(name):
            codec = self.receivers[table.id] = _complete(driver.codec(table), TrackerCodec)
        self._add(name, table, table.line, codec, ())

    def _add(
        self, name: str, table: Table, place: LinePlace, codec: RestfulCodec, devices: tuple[str, ...]
    ) -> Line:
        driver: AnyDriver = self._config.driver_of(table)
        self.about[name] = AboutLine(
            driver=driver.name,
            annotator=driver.annotator,
            devices=devices,
            when_seen=driver.when_seen,
            prober=driver.prober,
            addresses=driver.addresses(table),
        )
        self.statistics[name] = codec.statistics
        line = self.lines[name] = self._make_line(place.device, place.baud_rate, codec, self._on_event)
        return line


@contextmanager
def _naming(line: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"{line}: {error}") from error


def _complete(codec: CodecT, protocol: type) -> CodecT:
    absent = lacking(codec, protocol)
    if absent:
        raise ValueError(f"{type(codec).__name__}: expected a {protocol.__name__}, it lacks {', '.join(absent)}")
    return codec


def check_drivers(config: StationConfig, keys: StationKeys) -> None:
    """Make every driver once, open nothing. Raises ConfigError, naming the line, for one that cannot be made."""

    def make_line(url: str, baud_rate: int, codec: Codec, on_event: Callable[[DeviceEvent], None]) -> SerialLine:
        return SerialLine(url, baud_rate, codec, SystemLineClock(), on_event)

    Hardware(config, keys, random_bytes=bytes, make_line=make_line, on_event=lambda _event: None)
