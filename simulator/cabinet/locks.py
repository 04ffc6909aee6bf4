"""The lock boards of one cabinet: either of two makers' on one bus, wired to as many slots as wanted."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from simulator.devices.kerong_board import KerongBoard
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.switched import Switched
from simulator.devices.wire import WireDevice
from simulator.network.model import SLOTS
from simulator.network.station_toml import TomlValue
from simulator.network.wiring import LOCK_BAUD
from simulator.world.cabinet import Contact, ContactChanged

KERONG_BAUD = 19_200  # as the boards leave the factory
KERONG_LOCKS = 16
PER_PAIR = SLOTS  # one board with relays and key contacts, one with door contacts

Table = tuple[str, Mapping[str, TomlValue]]
OnPulse = Callable[[int], None]
"""A slot's lock got current."""


class ModbusLocks:
    """Pairs of boards for eight slots each: `relays-n` (unit 2n - 1) and `doors-n` (unit 2n)."""

    driver = "modbus-io"
    baud_rate = LOCK_BAUD

    def __init__(self, slots: int, on_pulse: OnPulse) -> None:
        self.boards: dict[str, ModbusBoard] = {}
        self.twins: dict[str, Switched] = {}
        """Another board at the same unit, which is there while a fault wants it."""
        self._slots = slots
        self._on_pulse = on_pulse
        for pair in range(-(-slots // PER_PAIR)):
            relays, doors = 2 * pair + 1, 2 * pair + 2
            pulsed = partial(self._pulsed, pair)
            self._add(f"relays-{pair + 1}", ModbusBoard(relays, PER_PAIR, PER_PAIR, on_pulse=pulsed))
            self._add(f"doors-{pair + 1}", ModbusBoard(doors, 0, PER_PAIR))

    def _add(self, name: str, board: ModbusBoard) -> None:
        self.boards[name] = board
        self.twins[name] = Switched(ModbusBoard(board.unit), is_on=False)

    def on_bus(self) -> tuple[WireDevice, ...]:
        return (*self.boards.values(), *self.twins.values())

    def apply(self, change: ContactChanged) -> None:
        """A door's contact is closed while the door is shut."""
        pair, channel = divmod(change.slot - 1, PER_PAIR)
        if change.contact is Contact.KEY:
            self.boards[f"relays-{pair + 1}"].set_input(channel, change.is_on)
        else:
            self.boards[f"doors-{pair + 1}"].set_input(channel, not change.is_on)

    def tables(self) -> Iterator[Table]:
        """The wiring, as a `station.toml` has it."""
        for slot in range(1, self._slots + 1):
            pair, channel = divmod(slot - 1, PER_PAIR)
            here = {"unit": 2 * pair + 1, "channel": channel + 1}
            yield "[[locks.slots]]", {"slot": slot}
            yield "[locks.slots.lock]", here
            yield "[locks.slots.key]", here
            yield "[locks.slots.door]", {"unit": 2 * pair + 2, "channel": channel + 1, "inverted": True}

    def _pulsed(self, pair: int, relay: int, _start_us: int, _end_us: int | None) -> None:
        slot = pair * PER_PAIR + relay + 1
        if slot <= self._slots:
            self._on_pulse(slot)


class KerongLocks:
    """Boards for sixteen slots each, `board-0` and so on: the hook shows the door, the infrared sensor the key."""

    driver = "kerong-cu16"
    baud_rate = KERONG_BAUD

    def __init__(self, slots: int, on_pulse: OnPulse) -> None:
        self.boards: dict[str, KerongBoard] = {}
        self.twins: dict[str, Switched] = {}
        """Another board of the same number, which is there while a fault wants it."""
        self._slots = slots
        self._on_pulse = on_pulse
        for number in range(-(-slots // KERONG_LOCKS)):
            name = f"board-{number}"
            self.boards[name] = KerongBoard(number, on_unlock=partial(self._unlocked, number))
            self.twins[name] = Switched(KerongBoard(number), is_on=False)

    def on_bus(self) -> tuple[WireDevice, ...]:
        return (*self.boards.values(), *self.twins.values())

    def apply(self, change: ContactChanged) -> None:
        number, lock = divmod(change.slot - 1, KERONG_LOCKS)
        board = self.boards[f"board-{number}"]
        if change.contact is Contact.KEY:
            board.set_infrared(lock, change.is_on)
        else:
            board.set_hook(lock, not change.is_on)

    def tables(self) -> Iterator[Table]:
        """The wiring, as a `station.toml` has it."""
        for slot in range(1, self._slots + 1):
            number, lock = divmod(slot - 1, KERONG_LOCKS)
            yield "[[locks.slots]]", {"slot": slot, "board": number, "lock": lock + 1}

    def _unlocked(self, number: int, lock: int, _now_us: int) -> None:
        slot = number * KERONG_LOCKS + lock + 1
        if slot <= self._slots:
            self._on_pulse(slot)


Locks = ModbusLocks | KerongLocks
