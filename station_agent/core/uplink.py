"""Which facts to send, and when again: the window between what the ledger has and what the journal holds.

for request in uplink.due(line_ms): send journal.read(request); uplink.sent(first, last, line_ms)
uplink.acknowledged(line_ms, seq)
sleep_until(uplink.wake_at_line_ms)
"""

from dataclasses import dataclass

RESEND_FIRST_MS = 4_000  # the worst link delay simulated (2 s), there and back
RESEND_MAX_MS = 60_000  # a dispatcher that is away for hours is asked once a minute
IN_FLIGHT_MAX = 4  # four batches of 100 drain a backlog at 400 facts a round trip and bound the repetition


@dataclass(slots=True)
class _Sent:
    first: int
    last: int
    at_ms: int


class Uplink:
    """The state of sending one epoch's facts. Without a connection nothing is due."""

    def __init__(self, *, acknowledged_seq: int, last_seq: int) -> None:
        self.acknowledged_seq = acknowledged_seq
        self.last_seq = last_seq
        self.resends = 0
        self._in_flight: list[_Sent] = []
        self._connected = False
        self._resend_ms = RESEND_FIRST_MS
        self._hurried = False

    def connected(self) -> None:
        """A new connection: whatever was under way may be lost."""
        self._connected = True
        self._be_patient()
        self._in_flight.clear()

    def disconnected(self) -> None:
        self._connected = False

    def appended(self, last_seq: int) -> None:
        """The journal holds facts up to `last_seq`."""
        assert last_seq >= self.last_seq
        self.last_seq = last_seq

    def new_epoch(self, last_seq: int) -> None:
        """Everything starts again from 1."""
        self.acknowledged_seq, self.last_seq = 0, last_seq
        self._in_flight.clear()

    def from_start(self) -> None:
        """Whatever is under way is of no use: the ledger wants to compare from its last confirmation on."""
        self._in_flight.clear()

    def acknowledged(self, seq: int) -> None:
        """The ledger has everything up to `seq`; fewer than before, where it was restored.

        A word without progress, while something is under way, says that somebody listens again and that what
        was sent did not arrive: it is sent again soon, once, and not a minute later.
        """
        assert seq <= self.last_seq, "an acknowledgement beyond what was journalled starts a new epoch"
        if seq != self.acknowledged_seq:
            lowered = seq < self.acknowledged_seq
            self.acknowledged_seq = seq
            self._be_patient()
            self._in_flight = [] if lowered else [sent for sent in self._in_flight if sent.last > seq]
        elif not self._hurried:
            self._hurried = True
            self._resend_ms = RESEND_FIRST_MS

    def _be_patient(self) -> None:
        self._resend_ms = RESEND_FIRST_MS
        self._hurried = False

    def next_first(self, now_ms: int) -> int | None:
        """The first fact of the batch to send now; None while nothing is due."""
        if not self._connected:
            return None
        wake_ms = self.wake_at_line_ms
        if wake_ms is not None and now_ms >= wake_ms:
            self._in_flight.clear()
            self._resend_ms = min(self._resend_ms * 2, RESEND_MAX_MS)
            self.resends += 1
        if len(self._in_flight) >= IN_FLIGHT_MAX:
            return None
        first = (self._in_flight[-1].last if self._in_flight else self.acknowledged_seq) + 1
        return first if first <= self.last_seq else None

    def sent(self, now_ms: int, first: int, last: int) -> None:
        """A batch was handed to the broker."""
        assert first <= last <= self.last_seq
        self._in_flight.append(_Sent(first, last, now_ms))

    def delivered(self, now_ms: int, last: int) -> None:
        """The broker has a batch: on a slow uplink that is long after it was handed over."""
        for sent in self._in_flight:
            if sent.last == last:
                sent.at_ms = now_ms

    @property
    def wake_at_line_ms(self) -> int | None:
        """When the oldest batch under way is sent again."""
        if not self._connected or not self._in_flight:
            return None
        return self._in_flight[0].at_ms + self._resend_ms
