"""How fast a lock bus is and how often its contacts are looked at."""

from dataclasses import dataclass

SLOTS_MAX = 128  # as many as one cabinet's configuration may name
ANSWER_TIMEOUT_MS = 200  # twice 100 ms: an unhurried board 50, a USB adapter's buffer 16, a busy box the rest
SCAN_MS = 200  # a key taken or a door opened is noticed within two scans, below half a second


@dataclass(frozen=True, slots=True, kw_only=True)
class BusTiming:
    """One bus: 8 data bits, no parity, 1 stop bit. Raises ValueError, naming the field, if it cannot be."""

    baud_rate: int
    answer_timeout_ms: int = ANSWER_TIMEOUT_MS
    """At least twice the slowest board's worst case, counted from the last byte of the request."""
    scan_ms: int = SCAN_MS
    """From one look at the contacts to the next while nobody is at the cabinet."""

    def __post_init__(self) -> None:
        for name in ("baud_rate", "answer_timeout_ms", "scan_ms"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected more than 0, found {getattr(self, name)}")

    @property
    def character_us(self) -> float:
        """Time of one character: start bit, eight data bits, stop bit."""
        return 10_000_000 / self.baud_rate

    @property
    def gap_us(self) -> int:
        """Silence that ends a frame: 3.5 characters, and never below 1.75 ms (above 19200 baud)."""
        return max(round(3.5 * self.character_us), 1750)

    def wire_us(self, byte_count: int) -> int:
        return round(byte_count * self.character_us)
