"""The electronics of one cabinet around its mechanics: two boards on the lock bus, two readers on the reader bus.

No I/O and no loop: bytes come to the boards and readers through whatever carries them (a `PacedPty`, or a line
in memory under virtual time). A lock that gets current springs its door, a hand that moves a key moves an input.
"""

from collections.abc import Callable, Mapping

from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.osdp_reader import SESSION_IDLE_US, OsdpReader
from simulator.devices.osdp_values import Light
from simulator.devices.wire import WireDevice
from simulator.network.model import SLOTS, Card, Key
from simulator.network.wiring import (
    DOOR_UNIT,
    LOCK_UNIT,
    READER_ADDRESS,
    reader_randomness,
    scbk,
)
from simulator.world.acts import ReaderLight
from simulator.world.cabinet import Changes, Contact, PhysicalCabinet
from simulator.world.moment import Moment
from simulator.world.record import WorldRecord

RED, AMBER = 1, 3
LIGHTS = {RED: ReaderLight.RED, AMBER: ReaderLight.AMBER}
"""OSDP colour codes (IEC 60839-11-5, LED control) of answers without an open door."""

Seen = int | ReaderLight
"""What a person in front of the cabinet notices: a door that springs open, or a light that says no."""


class CabinetDevices:
    """One cabinet with its electronics. `on_seen` hears what a person standing there would notice."""

    def __init__(
        self,
        name: str,
        keys: Mapping[int, Key],
        *,
        seed: int,
        moment: Callable[[], Moment],
        record: WorldRecord,
        on_seen: Callable[[Seen], None],
        session_idle_us: int | None = SESSION_IDLE_US,
    ) -> None:
        self.cabinet = PhysicalCabinet(name, SLOTS, keys, record)
        self.untimed_pulses = 0
        """Orders to switch a lock on without an end."""
        self._moment = moment
        self._on_seen = on_seen
        self._locks = ModbusBoard(LOCK_UNIT, SLOTS, SLOTS, on_pulse=self._pulsed)
        self._doors = ModbusBoard(DOOR_UNIT, 0, SLOTS)
        self._readers = {
            reader: OsdpReader(
                address,
                scbk(seed, name, reader),
                reader_randomness(seed, name, reader).randbytes,
                session_idle_us=session_idle_us,
            )
            for reader, address in READER_ADDRESS.items()
        }
        self._on_bus = {name: _WatchedReader(reader, self._lit) for name, reader in self._readers.items()}
        self.apply(self.cabinet.contacts())

    @property
    def boards(self) -> tuple[ModbusBoard, ...]:
        """For their faults."""
        return self._locks, self._doors

    @property
    def readers(self) -> Mapping[str, OsdpReader]:
        """By name, for their faults."""
        return self._readers

    @property
    def lock_bus(self) -> tuple[WireDevice, ...]:
        return self._locks, self._doors

    @property
    def reader_bus(self) -> tuple[WireDevice, ...]:
        return tuple(self._on_bus.values())

    def set_mute(self, reader: str, *, mute: bool) -> None:
        """A reader that is dead, or alive again: it hears nothing and shows nothing."""
        self._readers[reader].mute = mute

    def is_dead(self, reader: str) -> bool:
        return self._readers[reader].mute

    def bounce(self, slot: int, contact: Contact, *, is_on: bool) -> None:
        """A contact that rattles: the input changes, the thing itself does not."""
        if contact is Contact.KEY:
            self._locks.set_input(slot - 1, is_on)
        else:
            self._doors.set_input(slot - 1, not is_on)

    def apply(self, changes: Changes) -> None:
        """Contacts are wires: the boards' inputs follow. A door's contact is closed while the door is shut."""
        for change in changes:
            self.bounce(change.slot, change.contact, is_on=change.is_on)

    def is_ready(self, reader: str) -> bool:
        """Whether a panel speaks to it: a reader without one shows it, and nobody holds a card against it."""
        return self._readers[reader].in_session and not self._readers[reader].mute

    def show_card(self, reader: str, card: Card) -> bool:
        """Holds a card to a reader; False: it has not yet told of the last few and ignores this one."""
        return self._readers[reader].show_card(card.bits, card.data)

    def press(self, reader: str, keys: str) -> bool:
        """Keys at a reader; False as for a card."""
        return self._readers[reader].press(keys)

    def energised(self) -> tuple[int, ...]:
        """Slots whose lock has current now."""
        now_us = self._moment().line_us
        return tuple(relay + 1 for relay in range(SLOTS) if self._locks.relay_is_on(now_us, relay))

    def _pulsed(self, relay: int, _start_us: int, end_us: int | None) -> None:
        slot = relay + 1
        self.untimed_pulses += end_us is None
        changes = self.cabinet.pulse(self._moment(), slot)
        self.apply(changes)
        if changes:
            self._on_seen(slot)

    def _lit(self, light: Light) -> None:
        asks = light.on_colour == AMBER and light.on_ds > light.off_ds  # a wink now and then: it waits for keys
        answer = ReaderLight.PIN if asks else LIGHTS.get(light.on_colour)
        if answer is not None:
            self._on_seen(answer)


class _WatchedReader:
    """A reader on the bus, and a look at its light after all that reached it."""

    def __init__(self, reader: OsdpReader, on_light: Callable[[Light], None]) -> None:
        self._reader = reader
        self._on_light = on_light

    def receive(self, now_us: int, data: bytes) -> bytes:
        light_before = self._reader.temporary_light
        answer = self._reader.receive(now_us, data)
        light = self._reader.temporary_light
        if light is not None and light is not light_before:
            self._on_light(light)
        return answer
