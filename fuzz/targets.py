"""All that can be fuzzed, by name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from fuzz.documents import DOCUMENTS
from fuzz.line import Subject
from fuzz.script import play, seeds
from fuzz.subjects import SUBJECTS

SCRIPT_BYTES_MAX: Final = 512  # forty operations with a few bytes each
DOCUMENT_BYTES_MAX: Final = 4096  # twice a tracker's largest message
DRIVERS: Final = "station_agent.drivers"
LOCK_BUS: Final = tuple(f"{DRIVERS}.{name}" for name in ("lock_bus", "belief", "bus_rest", "owed", "rounds"))
OSDP: Final = tuple(f"{DRIVERS}.osdp.{name}" for name in ("framing", "link", "messages", "panel", "secure"))


@dataclass(frozen=True, slots=True)
class Target:
    """One codec."""

    check: Callable[[bytes], object]
    """Feeds one input; raises for what must not be."""
    seeds: tuple[bytes, ...]
    """Inputs to begin with."""
    bytes_max: int
    """Of an input."""
    modules: tuple[str, ...]
    """Whose lines are counted as covered or not."""


MODBUS: Final = tuple(f"{DRIVERS}.modbus.{name}" for name in ("frames", "cabinet", "contacts"))
MODULES: Final = {
    "modbus": (*MODBUS, *LOCK_BUS),
    "modbus-echo": (*MODBUS, *LOCK_BUS),
    "kerong": (f"{DRIVERS}.kerong.frames", f"{DRIVERS}.kerong.cabinet", *LOCK_BUS),
    "osdp": OSDP,
    "rdm6300": (f"{DRIVERS}.rdm6300",),
    "teltonika": tuple(f"{DRIVERS}.teltonika.{name}" for name in ("frames", "receiver", "signals")),
    "codec-json": (f"{DRIVERS}.teltonika.codec_json", f"{DRIVERS}.teltonika.signals", f"{DRIVERS}.trackers"),
    "vss": (f"{DRIVERS}.vss", f"{DRIVERS}.trackers"),
    "envelope": ("contract.envelope", "contract.messages"),
    "fact": ("contract.facts",),
    "http": ("runtime.small_http",),
}


def _line(make: Callable[[], Subject], data: bytes) -> object:
    return play(make(), data)


def _targets() -> Iterable[tuple[str, Target]]:
    for name, make in SUBJECTS.items():
        yield name, Target(partial(_line, make), tuple(seeds(make())), SCRIPT_BYTES_MAX, MODULES[name])
    for name, (check, examples) in DOCUMENTS.items():
        yield name, Target(check, examples, DOCUMENT_BYTES_MAX, MODULES[name])


TARGETS: Final[dict[str, Target]] = dict(_targets())
