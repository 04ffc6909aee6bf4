"""What an OSDP reader shows, sounds, is called, and can suffer from when it is given a key."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Light:
    """An LED's state: two colours in turns, times in tenths of a second; a temporary one ends by itself."""

    on_colour: int = 1  # a reader at rest is red
    off_colour: int = 1
    on_ds: int = 1
    off_ds: int = 0
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Beeps:
    tone: int
    on_ds: int
    off_ds: int
    count: int


@dataclass(frozen=True, slots=True)
class Identity:
    """What PDID says; the client id in the handshake is made of it."""

    vendor: bytes = b"\x5a\x5a\x5a"
    model: int = 1
    version: int = 1
    serial: int = 1
    firmware: bytes = b"\x01\x00\x00"

    @property
    def client_id(self) -> bytes:
        return self.vendor + bytes((self.model,)) + self.serial.to_bytes(4, "little")


class KeyFault(Enum):
    """What can go wrong when a reader is given a key."""

    REFUSED = "refused"
    """It does not know the command."""
    POWER_LOST_BEFORE = "before"
    """Its power fails before the key is kept."""
    POWER_LOST_AFTER = "after"
    """Its power fails when the key is kept, and not yet answered for."""
