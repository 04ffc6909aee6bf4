"""What a driver says of itself: its name, its configuration, how it is built, what it tells, and how it fails.

One class for each kind of device. The drivers of this program (`built_in/`) and those of other packages (entry
points, `registry.py`) declare themselves in the same way; `docs/drivers.md` shows one from end to end.

    DRIVER = CabinetDriver(
        name="acme", table=AcmeTable, codec=lambda table, tools: AcmeCabinet(table),
        line="RS-485", annotator=AcmeAnnotator, faults=(Fault("board silent", "...", ("tests/...::test_...",)),),
    )
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar, get_args, get_origin

from contract.facts import VehicleReading
from station_agent.core.device_events import (
    CabinetLost,
    CabinetSeen,
    CardRead,
    DeviceEvent,
    KeypadPressed,
    LockPulsed,
    ReaderLost,
    ReaderSeen,
    ReaderSignal,
    VehicleTold,
)
from station_agent.drivers.annotation import Annotator
from station_agent.drivers.base import RestfulCodec
from station_agent.drivers.probing import Prober
from station_agent.drivers.tables import CabinetTable, ReadersTable, Table, TagReaderTable, VehicleTable
from station_agent.drivers.trackers import TrackerCodec, TrackerMessages

TableT = TypeVar("TableT", bound=Table)
CabinetTableT = TypeVar("CabinetTableT", bound=CabinetTable)
ReadersTableT = TypeVar("ReadersTableT", bound=ReadersTable)
TagReaderTableT = TypeVar("TagReaderTableT", bound=TagReaderTable)
VehicleTableT = TypeVar("VehicleTableT", bound=VehicleTable)


class Kind(StrEnum):
    """Kinds of devices, by the name of their table in the configuration."""

    KEY_CABINET = "locks"
    READERS = "readers"
    TAG_READER = "tag_readers"
    VEHICLE = "vehicles"

    @property
    def table(self) -> str:
        """As in the file."""
        return "[locks]" if self is Kind.KEY_CABINET else f"[[{self.value}]]"


class Fault(NamedTuple):
    """One way in which the device or its line fails."""

    name: str
    does: str
    """What the agent does then."""
    tests: tuple[str, ...]
    """Those that show it: `path::function`, from the root of the driver's own repository."""


class Peer(NamedTuple):
    """Something that its authors did not write, and that this driver was run against."""

    name: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a driver is given instead of taking it."""

    random_bytes: Callable[[int], bytes]
    """So many, unpredictable."""
    secrets: Mapping[str, bytes]
    """By device: the content of its table's `secret_files`."""


class CabinetCodec(RestfulCodec, Protocol):
    def release(self, slot: int, *, again: bool) -> None:
        """Pulse this slot's lock once. One `LockPulsed` follows, whatever becomes of it (`lock_bus.py`).

        `again`: an order before it may have opened the slot, so this one needs a look that shows it shut.
        """


class ReadersCodec(RestfulCodec, Protocol):
    def indicate(self, reader: str, signal: ReaderSignal) -> None:
        """Show a signal at a reader, replacing the one before. A reader that cannot show it does nothing."""


def lacking(codec: object, protocol: type) -> tuple[str, ...]:
    """What a codec needs and has not: nobody made a type checker look at another package's."""
    bases = [base for base in protocol.__mro__ if getattr(base, "_is_protocol", False)]
    names = {name for base in bases for name in (*vars(base), *base.__annotations__) if not name.startswith("_")}
    return tuple(sorted(name for name in names if not hasattr(codec, name)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Driver(Generic[TableT]):
    """What all kinds declare. Raises ValueError or TypeError, naming the field, for one that cannot be."""

    KIND: ClassVar[Kind]
    TABLE: ClassVar[type[Table]]
    TELLS_ALWAYS: ClassVar[frozenset[type[DeviceEvent]]]
    TELLS_PERHAPS: ClassVar[frozenset[type[DeviceEvent]]] = frozenset()

    name: str
    """As after `driver =` in the configuration, and as the entry point is called."""
    table: type[TableT]
    """Model of its table; narrows `driver` to `Literal[name]`."""
    line: str
    """What it speaks on, in a word or two: for the manual."""
    annotator: Callable[[], Annotator]
    """Makes what tells the bytes of a line in words, with the codes of cards and PINs masked (`trace`)."""
    tells: frozenset[type[DeviceEvent]]
    """The events it makes."""
    faults: tuple[Fault, ...]
    peers: tuple[Peer, ...] = ()
    when_seen: str = "answers"
    """What its events of a seen device say: for `doctor`."""
    prober: Prober | None = None
    """Questions for a silent line (`doctor`); None: its devices cannot be asked anything."""
    addresses: Callable[[TableT], tuple[int, ...]] = lambda _table: ()
    """The addresses that a table names, for the prober."""

    def __post_init__(self) -> None:
        if not issubclass(self.table, self.TABLE):
            raise TypeError(f"table: expected a {self.TABLE.__name__}, found {self.table.__name__}")
        field = self.table.model_fields["driver"].annotation
        if get_origin(field) is not Literal or get_args(field) != (self.name,):
            raise ValueError(f"table: {self.table.__name__}.driver: expected Literal[{self.name!r}], found {field}")
        absent, foreign = self.TELLS_ALWAYS - self.tells, self.tells - self.TELLS_ALWAYS - self.TELLS_PERHAPS
        if absent or foreign:
            names = ", ".join(sorted(event.__name__ for event in absent or foreign))
            raise ValueError(f"tells: {names}: {'missing' if absent else 'not told'} of {self.KIND.table}")
        if not self.faults:
            raise ValueError("faults: expected at least one: every device fails in some way")

    @property
    def signals(self) -> tuple[str, ...]:
        """What it tells and shows, in words of the code."""
        return tuple(sorted(event.__name__ for event in self.tells))


@dataclass(frozen=True, kw_only=True, eq=False)
class CabinetDriver(Driver[CabinetTableT]):
    """A key cabinet: shows keys and doors, pulses locks."""

    KIND = Kind.KEY_CABINET
    TABLE = CabinetTable
    TELLS_ALWAYS = frozenset({CabinetSeen, CabinetLost, LockPulsed})

    tells: frozenset[type[DeviceEvent]] = TELLS_ALWAYS
    codec: Callable[[CabinetTableT, Tools], CabinetCodec]
    """Makes what speaks on the line. Raises ValueError for a cabinet that cannot be wired so."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadersDriver(Driver[ReadersTableT]):
    """Readers of badges, and perhaps of tags, with a light or a sound."""

    KIND = Kind.READERS
    TABLE = ReadersTable
    TELLS_ALWAYS = frozenset({ReaderSeen, ReaderLost, CardRead})
    TELLS_PERHAPS = frozenset({KeypadPressed})

    tells: frozenset[type[DeviceEvent]] = TELLS_ALWAYS
    shows: frozenset[ReaderSignal] = frozenset(ReaderSignal)
    """The signals that a member can tell apart at it."""
    codec: Callable[[ReadersTableT, Tools], ReadersCodec]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.table.roles is ReadersTable.roles:
            raise ValueError(f"table: {self.table.__name__}.roles: expected the name and role of each reader")

    @property
    def signals(self) -> tuple[str, ...]:
        return (*super().signals, *(f"shows {signal.value}" for signal in ReaderSignal if signal in self.shows))


@dataclass(frozen=True, kw_only=True, eq=False)
class TagReaderDriver(Driver[TagReaderTableT]):
    """A reader of key tags that shows nothing."""

    KIND = Kind.TAG_READER
    TABLE = TagReaderTable
    TELLS_ALWAYS = frozenset({ReaderSeen, ReaderLost, CardRead})

    tells: frozenset[type[DeviceEvent]] = TELLS_ALWAYS
    codec: Callable[[TagReaderTableT, Tools], RestfulCodec]


@dataclass(frozen=True, kw_only=True, eq=False)
class VehicleDriver(Driver[VehicleTableT]):
    """A vehicle's tracker, over MQTT, on a line, or either."""

    KIND = Kind.VEHICLE
    TABLE = VehicleTable
    TELLS_ALWAYS = frozenset({VehicleTold})

    tells: frozenset[type[DeviceEvent]] = TELLS_ALWAYS
    readings: frozenset[str]
    """The fields of `contract.facts.VehicleReading` that it can fill."""
    messages: Callable[[VehicleTableT], TrackerMessages] | None = None
    """Makes what reads its messages from MQTT; None: it never speaks there."""
    codec: Callable[[VehicleTableT], TrackerCodec] | None = None
    """Makes what speaks on its line; None: its table has no line."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = self.readings - VehicleReading.model_fields.keys()
        if unknown:
            raise ValueError(f"readings: {', '.join(sorted(unknown))}: no field of VehicleReading")
        if self.messages is None and self.codec is None:
            raise ValueError("messages, codec: expected one of them or both")

    @property
    def signals(self) -> tuple[str, ...]:
        return (*super().signals, *(name for name in VehicleReading.model_fields if name in self.readings))


AnyDriver = Driver[Any]
