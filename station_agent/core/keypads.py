"""What is keyed in at the readers: a PIN after a card that asks for one, or eight digits of a release code.

`#` ends an entry, and so does the last digit that it can have; `*` forgets its digits, and a second time its card.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from contract.release_codes import CODE_DIGITS
from station_agent.core.model import Now

ENTRY_MS = 20_000  # from one key to the next: somebody who reads digits off a phone in the rain


@dataclass(frozen=True, slots=True)
class Keyed:
    """A whole entry; `digest` is the card's that was shown before, None for a release code."""

    reader: str
    digest: str | None
    digits: str


@dataclass(slots=True)
class _Entry:
    digest: str | None
    until_line_ms: int
    digits: str = ""


class Keypads:
    """The entries under way, one at a reader."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    @property
    def wake_at_line_ms(self) -> int | None:
        return min((entry.until_line_ms for entry in self._entries.values()), default=None)

    def expects_pin(self, now: Now, reader: str, digest: str) -> None:
        """A card was shown that asks for a PIN."""
        self._entries[reader] = _Entry(digest, now.line_ms + ENTRY_MS)

    def give_up(self, reader: str) -> str | None:
        """Whatever was under way at a reader is over; the digest of the card that waited for its PIN."""
        entry = self._entries.pop(reader, None)
        return entry.digest if entry is not None else None

    def expired(self, now: Now) -> Iterator[tuple[str, str | None]]:
        """Readers whose entry came to nothing in time, each with the digest of the card that waited, if any did."""
        for reader, entry in list(self._entries.items()):
            if now.line_ms >= entry.until_line_ms:
                yield reader, self.give_up(reader)

    def pressed(self, now: Now, reader: str, keys: str, pin_digits: int) -> Iterator[Keyed | str]:
        """The entries that these keys complete, and digests of cards that were given up by key."""
        for key in keys:
            entry = self._entries.setdefault(reader, _Entry(None, 0))
            entry.until_line_ms = now.line_ms + ENTRY_MS
            if key == "*" and (entry.digits or entry.digest is None):
                entry.digits = ""
            elif key == "*":
                del self._entries[reader]
                assert entry.digest is not None, "the case above"
                yield entry.digest
            elif key.isdigit():
                entry.digits += key
            wanted = CODE_DIGITS if entry.digest is None else pin_digits
            if entry.digits and (key == "#" or len(entry.digits) >= wanted):
                del self._entries[reader]
                yield Keyed(reader, entry.digest, entry.digits)
