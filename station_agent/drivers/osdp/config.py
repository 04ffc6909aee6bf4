from dataclasses import dataclass, field

from station_agent.drivers.osdp.framing import BROADCAST
from station_agent.drivers.osdp.secure import KEY_BYTES, SCBK_DEFAULT

POLL_MS_MIN = 10  # an exchange takes 12 ms at 38400 baud: a shorter time would only be overrun
POLL_MS_MAX = 4_000  # half of the 8 s after which a reader gives up a silent panel


@dataclass(frozen=True, slots=True)
class OsdpReaderConfig:
    """One reader of a bus. Raises ValueError with the field and what was expected."""

    name: str
    address: int  # 0..126
    scbk: bytes = field(repr=False)  # 16 bytes, this reader's alone
    poll_ms: int = 50  # a swipe waits 25 ms on average; two readers fit on one bus at 38400 baud

    def __post_init__(self) -> None:
        if not 0 <= self.address < BROADCAST:
            raise ValueError(f"reader {self.name}: address is 0 to 126, not {self.address}")
        if len(self.scbk) != KEY_BYTES or self.scbk == SCBK_DEFAULT:
            raise ValueError(f"reader {self.name}: scbk is 16 bytes of its own, never the public default key")
        if not POLL_MS_MIN <= self.poll_ms <= POLL_MS_MAX:
            raise ValueError(f"reader {self.name}: poll_ms is {POLL_MS_MIN} to {POLL_MS_MAX}, not {self.poll_ms}")
