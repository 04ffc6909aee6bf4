"""What somebody in front of a cabinet would see, and how its lines and devices fare. No clock and no I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from simulator.cabinet.any_bench import AnyBench
from simulator.cabinet.faults import Row as FaultRow
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.osdp_values import Light
from simulator.network.model import Key
from station_agent.core.device_events import ReaderSignal
from station_agent.drivers.osdp.signals import LOOKS, Colour

PULLED: Final = "pulled"
STUCK: Final = "stuck"

MEANS: Final = {
    ReaderSignal.TAKEN: "yes: the slot is open",
    ReaderSignal.ANOTHER_SLOT: "yes: look around, another slot is open",
    ReaderSignal.WAIT: "wait: working on it",
    ReaderSignal.AGAIN: "again: show it once more",
    ReaderSignal.CALL: "no: call the number beside the reader",
    ReaderSignal.PIN: "key in your PIN",
}
"""What each signal says to a member."""


@dataclass(frozen=True, slots=True)
class SlotSeen:
    slot: int
    is_open: bool
    is_stuck: bool
    key: str | None
    vehicle: str | None
    """What people call the vehicle of the key that hangs there."""
    tag: str | None
    """Of that key, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class ReaderSeen:
    name: str
    has_keypad: bool
    in_session: bool
    """A panel asks it in its secure channel. A reader that only sends has none."""
    colour: str
    on_ds: int
    off_ds: int
    """Tenths of a second, in turns with `on_ds`; 0: steady."""
    signal: str | None
    """None: at rest."""
    means: str
    beeps: int
    """Of the last row of beeps."""
    buzzes: int
    """Rows of beeps since it was switched on: one more, and it has just beeped."""


@dataclass(frozen=True, slots=True)
class LineSeen:
    name: str
    is_plugged: bool
    devices: tuple[str, ...]
    path: str
    baud_rate: int


@dataclass(frozen=True, slots=True)
class FaultOn:
    device: str
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class KeyHeld:
    """A key in the hand of whoever stands at the page."""

    key: str
    vehicle: str
    tag: str
    home_slot: int | None


@dataclass(frozen=True, slots=True)
class AroundSeen:
    """What lies beyond the cabinet; None: nothing of the kind can be moved from here."""

    network: str | None = None
    """`connected`, `waiting` or `cut`."""
    agent: str | None = None
    """`running` or `stopped`, where it is a process."""
    forgets: bool = False
    """The broker can be made to forget."""
    jumps: bool = False
    """The clock can be moved on."""


@dataclass(frozen=True, slots=True)
class Picture:
    at_ms: int
    has_power: bool
    slots: tuple[SlotSeen, ...]
    readers: tuple[ReaderSeen, ...]
    lines: tuple[LineSeen, ...]
    faults: tuple[FaultOn, ...]
    holding: tuple[KeyHeld, ...]
    around: AroundSeen

    def to_document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture is made of."""

    bench: AnyBench
    faults: tuple[FaultRow, ...]
    holding: tuple[Key, ...]
    vehicles: Mapping[str, str]
    """What people call a key's vehicle, by key."""
    around: AroundSeen


def picture_of(seen: Seen) -> Picture:
    """The cabinet as it is now."""
    bench, now = seen.bench, seen.bench.now()
    stuck = {words for row in seen.faults if row.fault.name == STUCK for words in row.active}
    return Picture(
        at_ms=now.at_ms,
        has_power=bench.has_power,
        slots=tuple(_slot(seen, slot, stuck) for slot in bench.cabinet.slots),
        readers=tuple(_readers(bench, now.line_us)),
        lines=tuple(_lines(bench)),
        faults=tuple(FaultOn(row.device, row.fault.name, words) for row in seen.faults for words in row.active),
        holding=tuple(_held(seen, key) for key in seen.holding),
        around=seen.around,
    )


def signal_of(light: Light) -> ReaderSignal | None:
    """What a light that will end by itself says; None: the reader is at rest, or shows what nobody agreed on."""
    if light.until_us is None:
        return None
    shown = (light.on_colour, light.on_ds, light.off_ds)
    return next((signal for signal, look in LOOKS.items() if (look.colour, look.on_ds, look.off_ds) == shown), None)


def _slot(seen: Seen, slot: int, stuck: set[str]) -> SlotSeen:
    cabinet = seen.bench.cabinet
    key = cabinet.key_in(slot)
    return SlotSeen(
        slot=slot,
        is_open=cabinet.is_open(slot),
        is_stuck=str(slot) in stuck,
        key=key.id if key else None,
        vehicle=_vehicle(seen, key) if key else None,
        tag=key.tag.data.hex().upper() if key else None,
    )


def _held(seen: Seen, key: Key) -> KeyHeld:
    return KeyHeld(key.id, _vehicle(seen, key), key.tag.data.hex().upper(), key.home_slot or None)


def _vehicle(seen: Seen, key: Key) -> str:
    return seen.vehicles.get(key.id, key.vehicle)


def _readers(bench: AnyBench, now_us: int) -> Iterator[ReaderSeen]:
    for name in bench.reader_names:
        reader = bench.readers.get(name)
        yield _osdp(name, reader, now_us, has_power=bench.has_power) if reader is not None else _sender(name)


def _osdp(name: str, reader: OsdpReader, now_us: int, *, has_power: bool) -> ReaderSeen:
    light = reader.light(now_us)
    signal = signal_of(light)
    dark = not has_power or reader.mute
    colour = "dark" if dark or light.on_colour not in set(Colour) else Colour(light.on_colour).name.lower()
    means = "dark" if dark else MEANS[signal] if signal is not None else "at rest"
    return ReaderSeen(
        name=name,
        has_keypad=True,
        in_session=reader.in_session and not dark,
        colour=colour,
        on_ds=light.on_ds,
        off_ds=light.off_ds,
        signal=signal.name.lower() if signal is not None else None,
        means=means,
        beeps=reader.last_beeps.count if reader.last_beeps is not None else 0,
        buzzes=reader.buzzes,
    )


def _sender(name: str) -> ReaderSeen:
    return ReaderSeen(
        name=name,
        has_keypad=False,
        in_session=False,
        colour="dark",
        on_ds=1,
        off_ds=0,
        signal=None,
        means="has no light",
        beeps=0,
        buzzes=0,
    )


def _lines(bench: AnyBench) -> Iterator[LineSeen]:
    for name, port in bench.ports.items():
        yield LineSeen(name, port.is_plugged, bench.on_line(name), str(port.link), port.baud_rate)
