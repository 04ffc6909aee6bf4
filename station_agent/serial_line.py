"""One serial line with its codec, on the event loop: bytes in, bytes out, timers, and a line that comes back.

    line = SerialLine("/dev/serial/by-id/...", 9600, codec, clock, on_event)
    task = asyncio.create_task(line.run())
    line.give(lambda: codec.release(3))

Whatever goes wrong with the port is one thing here: the link is lost, is closed, and is opened again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from runtime.clocks import LineClock
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import Codec, Output
from station_agent.serial_port import LINK_ERRORS, Port, open_port

RETRY_FIRST_S: Final = 0.1  # a hub that resets is back at once
RETRY_MAX_S: Final = 10.0  # the network's promise to converge counts on this


class Tap(Protocol):
    """Hears the bytes of a line, and by the line clock when they passed. `sent`: by the agent."""

    def __call__(self, now_us: int, data: bytes, *, sent: bool) -> None: ...


def _nobody_listens(now_us: int, data: bytes, *, sent: bool) -> None:
    pass


class SerialLine:
    """Runs one codec on one port. Everything but a thread's reading happens on the event loop."""

    def __init__(
        self,
        url: str,
        baud_rate: int,
        codec: Codec,
        clock: LineClock,
        on_event: Callable[[DeviceEvent], None],
        *,
        open_port: Callable[[str, int], Awaitable[Port]] = open_port,
    ) -> None:
        self.url = url
        self.open_count = 0
        self.last_error = ""
        """Why the link was lost or could not be opened, for the operator."""
        self.tap: Tap = _nobody_listens
        """Hears what passes, before the codec does."""
        self.baud_rate = baud_rate
        self._codec = codec
        self._clock = clock
        self._on_event = on_event
        self._open_port = open_port
        self._port: Port | None = None
        self._ended: asyncio.Future[Exception] | None = None  # what ended the link; raises: a bug of ours
        self._heard = False
        self._delivering = False
        self._kicked = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_us: int | None = None

    @property
    def is_open(self) -> bool:
        return self._port is not None

    def is_late(self, now_us: int, by_us: int) -> bool:
        """Whether something was due on the open line so long ago."""
        due_us = self._codec.wake_at_us if self._port is not None else None
        return due_us is not None and now_us - due_us > by_us

    async def run(self) -> None:
        """Keeps the line open until cancelled. Raises what the codec or `on_event` raised: a bug of ours.

        A cancelled line closes without events: nothing was seen to go away, the agent is going.
        """
        delay_s = RETRY_FIRST_S
        while True:
            self._heard = False
            try:
                port = await self._open_port(self.url, self.baud_rate)
            except LINK_ERRORS as error:
                self.last_error = str(error)
            else:
                await self._serve(port)
            if self._heard:  # merely opening says little: a dead adapter opens too
                delay_s = RETRY_FIRST_S
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_MAX_S)

    def give(self, order: Callable[[], None]) -> None:
        order()
        if self._delivering:
            self._kicked = True
        else:
            self._advance(self._codec.elapsed(self._clock.now_us()))

    async def _serve(self, port: Port) -> None:
        self._ended = asyncio.get_running_loop().create_future()
        self._port = port
        self.open_count += 1
        try:
            port.start(self._received, self._lost)
            self._advance(self._codec.opened(self._clock.now_us()))
            self.last_error = str(await self._ended)
            self._port = None
            self._advance(self._codec.closed(self._clock.now_us()))
        except asyncio.CancelledError:
            self._codec.closed(self._clock.now_us())
            raise
        finally:
            self._port = None
            self._ended = None
            self._arm()
            await port.close()

    def _received(self, data: bytes) -> None:
        if self._port is None:  # a thread hands over what it had read before the link was lost
            return
        self._heard = True
        now_us = self._clock.now_us()
        self.tap(now_us, data, sent=False)
        try:
            self._advance(self._codec.received(now_us, data))
        except Exception as error:  # noqa: BLE001  # a loop's callback has no caller: `run` raises it
            self._broke(error)

    def _due(self) -> None:
        self._timer_at_us = None
        try:
            self._advance(self._codec.elapsed(self._clock.now_us()))
        except Exception as error:  # noqa: BLE001  # the same
            self._broke(error)

    def _lost(self, error: Exception) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(error)

    def _broke(self, error: Exception) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    def _advance(self, output: Output) -> None:
        """Sends, then tells, then sets the timer. An order given while events are told comes after them."""
        self._send(output.send)
        if output.events:
            self._delivering = True
            try:
                for event in output.events:
                    self._on_event(event)
            finally:
                self._delivering = False
            if self._kicked:
                self._kicked = False
                self._advance(self._codec.elapsed(self._clock.now_us()))
                return
        self._arm()

    def _send(self, data: bytes) -> None:
        if not data or self._port is None:
            return
        self.tap(self._clock.now_us(), data, sent=True)
        try:
            self._port.write(data)
        except LINK_ERRORS as error:
            self._lost(error)

    def _arm(self) -> None:
        at_us = self._codec.wake_at_us if self._port is not None else None
        if at_us == self._timer_at_us:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at_us = at_us
        if at_us is not None:
            delay_s = max(at_us - self._clock.now_us(), 0) / 1e6
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._due)
