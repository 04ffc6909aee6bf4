"""What is believed about the contacts of a cabinet: a contact is what two reads in a row showed.

So a contact that bounces is not reported while it does, and one wrong read is never believed. Contacts are
believed one by one: an input that never rests holds up no other slot.
"""

from dataclasses import dataclass, field

from station_agent.core.device_events import CabinetSeen, SlotSeen
from station_agent.drivers.modbus.frames import Request, read_inputs
from station_agent.drivers.modbus.wiring import CabinetWiring, Place

# reads start at a whole byte: some boards answer in whole bytes from there whatever was asked
BYTE_BITS = 8


@dataclass(slots=True)
class _Board:
    """The inputs of one unit. All values are bit fields, bit 0 being the first input read."""

    request: Request
    first: int
    used: int
    latest: int | None = None
    believed: int = 0
    known: int = 0

    def read(self, bits: int) -> bool:
        """Takes one read; whether something that was believed or unknown changed."""
        bits &= self.used
        agreed = 0 if self.latest is None else self.used & ~(bits ^ self.latest)
        news = agreed & ((bits ^ self.believed) | ~self.known)
        self.believed ^= (bits ^ self.believed) & agreed
        self.known |= agreed
        self.latest = bits
        return news != 0

    @property
    def is_settled(self) -> bool:
        return self.known == self.used and self.latest == self.believed


@dataclass(frozen=True, slots=True)
class _Contact:
    board: _Board
    mask: int
    inverted: bool

    @property
    def is_on(self) -> bool:
        return bool(self.board.believed & self.mask) != self.inverted


@dataclass(slots=True)
class Contacts:
    """The contacts of all slots, read board by board with as few bytes as will do."""

    wiring: CabinetWiring
    reads: tuple[Request, ...] = field(init=False)
    """One request per board, in the order of a scan."""
    _boards: tuple[_Board, ...] = field(init=False)
    _slots: tuple[tuple[int, _Contact, _Contact], ...] = field(init=False)

    def __post_init__(self) -> None:
        inputs: dict[int, list[int]] = {}
        for slot in self.wiring.slots:
            for unit, number in (slot.key, slot.door):
                inputs.setdefault(unit, []).append(number)
        boards = {unit: _board(unit, numbers) for unit, numbers in sorted(inputs.items())}
        self._boards = tuple(boards.values())
        self.reads = tuple(board.request for board in self._boards)
        self._slots = tuple(
            (
                slot.slot,
                _contact(boards, slot.key, inverted=slot.key_inverted),
                _contact(boards, slot.door, inverted=slot.door_inverted),
            )
            for slot in self.wiring.slots
        )

    @property
    def are_known(self) -> bool:
        return all(board.known == board.used for board in self._boards)

    @property
    def are_settled(self) -> bool:
        """Whether the latest read of each board showed what is believed."""
        return all(board.is_settled for board in self._boards)

    def read(self, position: int, bits: int) -> bool:
        """One board was read, by its position in `reads`; whether the believed picture changed."""
        return self._boards[position].read(bits)

    def interrupted(self) -> None:
        """An exchange failed: the reads before and after it are not in a row."""
        for board in self._boards:
            board.latest = None

    def forget(self) -> None:
        for board in self._boards:
            board.latest = None
            board.known = 0

    def of(self, slot: int) -> tuple[bool, bool]:
        """Key and door of a slot, as believed."""
        return next((key.is_on, door.is_on) for number, key, door in self._slots if number == slot)

    def seen(self) -> CabinetSeen:
        assert self.are_known, "a cabinet half known was reported"
        return CabinetSeen(tuple(SlotSeen(slot, key.is_on, door.is_on) for slot, key, door in self._slots))


def _board(unit: int, numbers: list[int]) -> _Board:
    first = min(numbers) // BYTE_BITS * BYTE_BITS
    used = sum(1 << (number - first) for number in set(numbers))
    return _Board(read_inputs(unit, first, max(numbers) - first + 1), first, used)


def _contact(boards: dict[int, _Board], place: Place, *, inverted: bool) -> _Contact:
    unit, number = place
    board = boards[unit]
    return _Contact(board, 1 << (number - board.first), inverted)
