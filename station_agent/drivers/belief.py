"""What is believed about the contacts of a cabinet: a contact is what two reads in a row showed.

So a contact that bounces is not reported while it does, and one wrong read is never believed. Contacts are
believed one by one: an input that never rests holds up no other slot.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from contract.facts import CabinetInput
from station_agent.core.device_events import CabinetSeen, InputSeen, SlotSeen


@dataclass(frozen=True, slots=True)
class Contact:
    """Bit `bit` of what the board at `position` of a scan shows; `inverted`: it is on where the bit is 0."""

    position: int
    bit: int
    inverted: bool = False


@dataclass(slots=True)
class _Board:
    """What one board shows. All values are bit fields."""

    used: int = 0
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


class Belief:
    """The contacts of all slots, and of the cabinet itself."""

    def __init__(
        self,
        slots: Iterable[tuple[int, Contact, Contact]],
        inputs: Iterable[tuple[CabinetInput, Contact]] = (),
    ) -> None:
        """Of each slot: its number, the contact of its key, the contact of its door; of the cabinet: its inputs."""
        self._slots, self._inputs = tuple(slots), tuple(inputs)
        contacts = [contact for _, *both in self._slots for contact in both]
        contacts += [contact for _, contact in self._inputs]
        self._boards = tuple(_Board() for _ in range(1 + max(contact.position for contact in contacts)))
        for contact in contacts:
            self._boards[contact.position].used |= 1 << contact.bit

    @property
    def are_known(self) -> bool:
        return all(board.known == board.used for board in self._boards)

    @property
    def are_settled(self) -> bool:
        """Whether the latest read of each board showed what is believed."""
        return all(board.is_settled for board in self._boards)

    def read(self, position: int, bits: int) -> bool:
        """One board was read, by its position in the scan; whether the believed picture changed."""
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
        return next((self._is_on(key), self._is_on(door)) for number, key, door in self._slots if number == slot)

    def seen(self) -> CabinetSeen:
        assert self.are_known, "a cabinet half known was reported"
        return CabinetSeen(
            tuple(SlotSeen(slot, self._is_on(key), self._is_on(door)) for slot, key, door in self._slots),
            tuple(InputSeen(name, self._is_on(contact)) for name, contact in self._inputs),
        )

    def _is_on(self, contact: Contact) -> bool:
        return bool(self._boards[contact.position].believed >> contact.bit & 1) != contact.inverted
