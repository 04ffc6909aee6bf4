"""One serial line in memory: a codec at one end, simulated devices at the other, and real bytes at their real pace.

While neither side has news and nothing is wrong with the line, the polls between them are left out: the codec says
when it is at rest (`rest`), and before anything happens it is brought up to that instant (`resume`), as if it had
polled all the time. `polls_all` leaves nothing out: a test shows that this changes no history.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from simulator.devices.spoiling import spoilt
from simulator.devices.wire import Wire
from simulator.virtual.steps import Life
from simulator.virtual.timers import Call, Timers
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import FOREVER_US, Output, RestfulCodec

RETRY_FIRST_US: Final = 100_000  # as `station_agent.serial_line` waits before it opens a line again
RETRY_MAX_US: Final = 10_000_000


@dataclass(slots=True)
class LineFaults:
    """What is wrong with a line now. `noisy` and `cut` are shares of what passes."""

    noisy: float = 0.0
    """One bit of the piece is another."""
    cut: float = 0.0
    """The end of the piece is missing."""
    pulls: int = 0
    """While there are any, there is no line."""

    @property
    def is_pulled(self) -> bool:
        return self.pulls > 0

    @property
    def is_well(self) -> bool:
        return not (self.noisy or self.cut or self.pulls)


class CableEnd(Protocol):
    """Whoever is plugged into a cable at the agent's end."""

    def rouse(self) -> None:
        """Something is about to happen at a device."""
        ...

    def look(self) -> None:
        """Something happened at the line or at a device."""
        ...

    def inject(self, data: bytes) -> None:
        """Somebody who has cut into the line sends bytes to the agent."""
        ...


class Cable:
    """A line with its devices, whoever is at its other end: it outlives the agent's lives."""

    def __init__(self, wire: Wire, rng: random.Random) -> None:
        self.wire = wire
        self.faults = LineFaults()
        self.polls_all = False
        self.devices_ill = 0
        """Devices with a fault now: their line is polled all the time."""
        self.tap: Callable[[int, bytes, bool], None] | None = None
        """Hears (time, bytes, whether towards the agent) of all that passes: for who records and replays."""
        self.on_sent: Callable[[bytes], None] | None = None
        """Sees what the agent is about to send, at that instant: for who judges, the line goes on as it is."""
        self.line: CableEnd | None = None
        self._rng = rng

    @property
    def is_quiet(self) -> bool:
        return self.faults.is_well and not self.devices_ill and not self.polls_all and self.tap is None

    def rouse(self) -> None:
        """Something is about to happen at a device: polls that were left out are caught up with first."""
        if self.line is not None:
            self.line.rouse()

    def changed(self) -> None:
        """Something happened at the line or at a device."""
        if self.line is not None:
            self.line.look()

    def run_out(self, timers: Timers) -> None:
        """Nobody is at the agent's end any more: what is under way still arrives at the devices."""
        at_us = self.wire.wake_at_us
        if at_us is None or self.line is not None:
            return

        def arrive() -> None:
            if self.line is None:
                self.wire.elapsed(timers.now_us())
                self.run_out(timers)

        timers.call_at(at_us, arrive)

    def spoil(self, data: bytes) -> bytes:
        """What arrives of what was sent."""
        return spoilt(data, self._rng, noisy=self.faults.noisy, cut=self.faults.cut)


class VirtualLine:
    """The agent's end of a cable, for one life of the agent (`station_agent.drivers.base.Line`)."""

    def __init__(
        self,
        cable: Cable,
        codec: RestfulCodec,
        on_event: Callable[[DeviceEvent], None],
        timers: Timers,
        life: Life,
        before_order: Callable[[], None],
    ) -> None:
        self._cable = cable
        self._wire = cable.wire
        self._codec = codec
        self._on_event = on_event
        self._timers = timers
        self._life = life
        self._before_order = before_order
        self._is_open = False
        self._delivering = False
        self._ordered = False
        self._alarm: Call | None = None
        self._alarm_us: int | None = None
        self._resting = False
        self._catching_up = False
        self._retry_us = RETRY_FIRST_US
        self._heard = False

    @property
    def is_open(self) -> bool:
        return self._is_open

    async def run(self) -> None:
        """Until cancelled; whoever ended the agent's life stops the line."""
        self.start()
        await asyncio.get_running_loop().create_future()

    # --- the agent's side

    def start(self) -> None:
        self._cable.line = self
        self._open()

    def stop(self) -> None:
        """The agent is gone."""
        self._is_open = False
        if self._alarm is not None:
            self._alarm.cancel()
        if self._cable.line is self:
            self._cable.line = None
            self._cable.run_out(self._timers)

    def give(self, order: Callable[[], None]) -> None:
        """Polls that were left out are caught up with first: no order is older than they are."""
        self._before_order()
        if self._delivering:
            order()
            self._ordered = True
            return
        self.rouse()
        order()
        self._advance(self._codec.elapsed(self._timers.now_us()))

    def _open(self) -> None:
        if not self._life.is_alive or self._is_open:
            return
        if self._cable.faults.is_pulled:
            self._open_later()
            return
        self._is_open = True
        self._heard = False
        self._advance(self._codec.opened(self._timers.now_us()))

    def _open_later(self) -> None:
        self._timers.call_at(self._timers.now_us() + self._retry_us, self._open)
        self._retry_us = min(2 * self._retry_us, RETRY_MAX_US)

    def _close(self) -> None:
        self._is_open = False
        self._wire.clear()
        self._advance(self._codec.closed(self._timers.now_us()))
        if self._heard:
            self._retry_us = RETRY_FIRST_US
        self._open_later()

    # --- what the world does

    def look(self) -> None:
        """The line or a device changed: a pulled cable is lost, a line that is not well is polled all the time."""
        if not self._cable.is_quiet:
            self.rouse()
        self._codec.expect_news()
        if self._is_open and self._cable.faults.is_pulled:
            self._close()
        self._arm()

    def rouse(self) -> None:
        """Catch up with the polls that were left out, up to now."""
        if not self._resting:
            return
        now_us = self._timers.now_us()
        self._resting = False
        self._catching_up = True
        self._codec.resume(now_us)
        while self._is_open and (at_us := self._next_us()) is not None and at_us < now_us:
            self._step(at_us)
        self._catching_up = False
        self._arm()

    def inject(self, data: bytes) -> None:
        """Somebody who has cut into the line sends bytes to the agent."""
        if self._is_open:
            self.rouse()
            self._advance(self._codec.received(self._timers.now_us(), data))

    # --- one step after the other

    def _next_us(self) -> int | None:
        codec_us, wire_us = self._codec.wake_at_us, self._wire.wake_at_us
        if codec_us is None or wire_us is None:
            return wire_us if codec_us is None else codec_us
        return min(codec_us, wire_us)

    def _due(self) -> None:
        self._alarm = self._alarm_us = None
        if self._resting:  # the rest is over by itself
            self.rouse()
            return
        self._step(self._timers.now_us())

    def _step(self, now_us: int) -> None:
        arrived = self._wire.elapsed(now_us)
        if arrived and self._is_open:
            if self._cable.tap is not None:
                self._cable.tap(now_us, arrived, True)
            arrived = self._cable.spoil(arrived)
            if arrived:
                self._heard = True
                self._advance(self._codec.received(now_us, arrived), now_us)
                return
        wake_us = self._codec.wake_at_us
        if wake_us is not None and wake_us <= now_us and self._is_open:
            self._advance(self._codec.elapsed(now_us), now_us)
        else:
            self._arm()

    def _advance(self, output: Output, now_us: int | None = None) -> None:
        """Sends, then tells, then sets the alarm. An order given while events are told comes after them."""
        at_us = self._timers.now_us() if now_us is None else now_us
        if output.send and self._is_open:
            if self._cable.on_sent is not None:
                self._cable.on_sent(output.send)
            sent = self._cable.spoil(output.send)
            if self._cable.tap is not None:
                self._cable.tap(at_us, output.send, False)
            if sent:
                self._wire.sent(at_us, sent)
        if output.events:
            self._delivering = True
            try:
                for event in output.events:
                    if self._life.is_alive:
                        self._on_event(event)
            finally:
                self._delivering = False
            if self._ordered:
                self._ordered = False
                self._advance(self._codec.elapsed(at_us), at_us)
                return
        self._arm()

    def _arm(self) -> None:
        if self._resting or self._catching_up:
            return
        at_us = self._next_us() if self._is_open else self._wire.wake_at_us
        if self._is_open and self._wire.wake_at_us is None and self._cable.is_quiet:
            rest_us = self._codec.rest(self._timers.now_us())
            if rest_us is not None:
                self._resting = True
                at_us = rest_us if rest_us < FOREVER_US else None
        if at_us == self._alarm_us:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._alarm_us = at_us
        if at_us is not None:
            self._alarm = self._timers.call_at(at_us, self._due)
