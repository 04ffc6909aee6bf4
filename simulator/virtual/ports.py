"""A serial port in memory: what the agent's real `SerialLine` opens where the device is a simulated cable.

Nothing is left out here: the agent polls as it does in the street, and every byte takes its time on the wire.
"""

from collections.abc import Callable

from simulator.virtual.line import Cable
from simulator.virtual.timers import Call, Timers
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import RestfulCodec
from station_agent.serial_line import SerialLine
from station_agent.serial_port import OnData, OnLost


class MemoryPort:
    """One opening of a cable's end (`station_agent.serial_port.Port`)."""

    def __init__(self, cable: Cable, timers: Timers) -> None:
        self._cable = cable
        self._wire = cable.wire
        self._timers = timers
        self._alarm: Call | None = None
        self._on_data: OnData | None = None
        self._on_lost: OnLost | None = None

    # --- the agent's side

    def start(self, on_data: OnData, on_lost: OnLost) -> None:
        self._on_data, self._on_lost = on_data, on_lost
        self._cable.line = self
        self._arm()

    def write(self, data: bytes) -> None:
        now_us = self._timers.now_us()
        if self._cable.tap is not None:
            self._cable.tap(now_us, data, False)
        sent = self._cable.spoil(data)
        if sent:
            self._wire.sent(now_us, sent)
        self._arm()

    async def close(self) -> None:
        self._on_data = self._on_lost = None
        self._disarm()
        if self._cable.line is self:
            self._cable.line = None
            self._cable.run_out(self._timers)

    # --- the world's side

    def rouse(self) -> None:
        """Nothing was left out that would have to be caught up with."""

    def inject(self, data: bytes) -> None:
        if self._on_data is not None:
            self._on_data(data)

    def look(self) -> None:
        if self._cable.faults.is_pulled and self._on_lost is not None:
            self._wire.clear()
            self._disarm()
            on_lost, self._on_data, self._on_lost = self._on_lost, None, None
            on_lost(OSError("the cable is pulled"))

    def _due(self) -> None:
        self._alarm = None
        now_us = self._timers.now_us()
        arrived = self._wire.elapsed(now_us)
        if arrived and self._on_data is not None:
            if self._cable.tap is not None:
                self._cable.tap(now_us, arrived, True)
            arrived = self._cable.spoil(arrived)
            if arrived:
                self._on_data(arrived)
        self._arm()

    def _arm(self) -> None:
        self._disarm()
        at_us = self._wire.wake_at_us
        if at_us is not None and self._on_data is not None:
            self._alarm = self._timers.call_at(at_us, self._due)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


class RealLine(SerialLine):
    """The agent's own line on a cable of the simulator's. `before_order` may kill the agent."""

    def __init__(
        self,
        cable: Cable,
        codec: RestfulCodec,
        on_event: Callable[[DeviceEvent], None],
        timers: Timers,
        before_order: Callable[[], None],
    ) -> None:
        async def open_port(_url: str, _baud_rate: int) -> MemoryPort:
            if cable.faults.is_pulled:
                raise OSError("no such device: the cable is pulled")
            return MemoryPort(cable, timers)

        super().__init__("a cable in memory", 0, codec, timers, on_event, open_port=open_port)
        self._before_order = before_order

    def give(self, order: Callable[[], None]) -> None:
        self._before_order()
        super().give(order)
