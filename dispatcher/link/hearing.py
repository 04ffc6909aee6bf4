"""When each cabinet was last heard, on the line clock: what the reconciler calls silence is judged by it."""

from dataclasses import dataclass, field

from dispatcher.core.hearing import Hearing
from dispatcher.core.patience import Patience
from runtime.clocks import Clock, LineClock


@dataclass(slots=True)
class Ears:
    """Not of record: after a restart everybody is given time to speak again."""

    clock: Clock
    line_clock: LineClock
    _heard_us: dict[str, int] = field(default_factory=dict)
    _patience: Patience = field(default_factory=Patience)
    _since_us: int | None = None
    _since_ms: int = 0

    def listen(self) -> None:
        """The connection to the broker stands from now on."""
        self._since_us = self.line_clock.now_us()
        self._since_ms = self.clock.now_ms()

    def go_deaf(self) -> None:
        """The connection ended: what is not heard from now on says nothing."""
        self._since_us = None

    def heard(self, cabinet_id: str) -> None:
        self._heard_us[cabinet_id] = self.line_clock.now_us()

    def now(self) -> Hearing:
        """What can be said at this instant."""
        since_us = self._since_us
        if since_us is None:
            return Hearing(
                listening=False,
                listening_since_ms=self._since_ms,
                quiet_s={},
                listening_s=0,
                patience=self._patience,
            )
        now_us = self.line_clock.now_us()
        quiet_s = {
            cabinet_id: (now_us - max(heard_us, since_us)) / 1_000_000
            for cabinet_id, heard_us in self._heard_us.items()
        }
        return Hearing(
            listening=True,
            listening_since_ms=self._since_ms,
            quiet_s=quiet_s,
            listening_s=(now_us - since_us) / 1_000_000,
            line_s=now_us / 1_000_000,
            patience=self._patience,
        )
