"""Which drivers there are: those of this program, and those that other packages declare as entry points.

    [project.entry-points."carshare.station_drivers"]
    acme = "acme_station:DRIVER"

A driver's module is imported when a configuration names the driver, not before: of the others an agent holds their
names alone. What is wrong with one is told with its package and its entry point.
"""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from station_agent.drivers.declaration import AnyDriver, Driver, Kind

GROUP = "carshare.station_drivers"
DEFAULTS = {
    Kind.KEY_CABINET: "modbus-io",
    Kind.READERS: "osdp",
    Kind.TAG_READER: "rdm6300",
    Kind.VEHICLE: "teltonika",
}
"""Where a table names none."""
BUILT_IN = tuple(
    EntryPoint(name, f"station_agent.drivers.built_in.{module}:DRIVER", GROUP)
    for name, module in (
        ("modbus-io", "modbus_io"),
        ("kerong-cu16", "kerong_cu16"),
        ("osdp", "osdp"),
        ("rdm6300", "rdm6300"),
        ("teltonika", "teltonika"),
        ("vss", "vss"),
    )
)


class UnknownDriver(LookupError):
    """No driver has this name."""


class BadDriver(Exception):
    """A driver cannot be used. The text, for the operator, names its package and its entry point."""


class Drivers:
    """All drivers by name, each loaded when it is first asked for."""

    def __init__(self, others: Iterable[EntryPoint] = ()) -> None:
        """`others`: of installed packages. Raises BadDriver where two drivers have one name."""
        self._points: dict[str, EntryPoint] = {}
        self._loaded: dict[str, AnyDriver] = {}
        for point in (*BUILT_IN, *others):
            first = self._points.setdefault(point.name, point)
            if first is not point:
                raise BadDriver(
                    f"two drivers are named {point.name!r}: {_origin(first)} and {_origin(point)}; "
                    "uninstall one of them"
                )

    @classmethod
    def installed(cls) -> "Drivers":
        """Those of this program and of every package that is installed beside it."""
        return cls(entry_points(group=GROUP))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._points)

    def load(self, name: str) -> AnyDriver:
        """The driver of this name.

        Raises:
            UnknownDriver: there is none.
            BadDriver: its package is installed, and it cannot be used.
        """
        if name not in self._points:
            raise UnknownDriver(name)
        if name not in self._loaded:
            self._loaded[name] = _load(self._points[name])
        return self._loaded[name]

    def of_kind(self, kind: Kind) -> str:
        """Names of all drivers of one kind, those of other packages with their package, for an error's text.

        Loads them all. One that cannot be used is named too: it may be the one that was meant.
        """
        return ", ".join(words for point in self._points.values() if (words := self._words(point, kind)))

    def _words(self, point: EntryPoint, kind: Kind) -> str:
        origin = "" if point.dist is None else f" (from {_package(point)})"
        try:
            return f"{point.name!r}{origin}" if self.load(point.name).KIND is kind else ""
        except BadDriver:
            return f"{point.name!r}{origin[:-1]}, which cannot be loaded)"


def _load(point: EntryPoint) -> AnyDriver:
    try:
        loaded = point.load()
    except Exception as error:  # a module of somebody else may raise anything while it is imported
        raise BadDriver(f"{_origin(point)}: cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(loaded, Driver):
        raise BadDriver(
            f"{_origin(point)}: expected one of the declarations of station_agent.drivers.declaration, "
            f"found {type(loaded).__name__}"
        )
    if loaded.name != point.name:
        raise BadDriver(f"{_origin(point)}: expected the entry point to be named as its driver, {loaded.name!r}")
    return loaded


def _origin(point: EntryPoint) -> str:
    return f"entry point {point.name!r} of {_package(point)} ({point.value})"


def _package(point: EntryPoint) -> str:
    return "this program" if point.dist is None else f"{point.dist.name} {point.dist.version}"
