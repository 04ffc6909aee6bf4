"""A serial port in memory: what the agent's real `SerialLine` opens where the device is a simulated cable.

Nothing is left out here: the agent polls as it does in the street, and every byte takes its time on the wire.
"""

from collections.abc import Awaitable, Callable

from simulator.virtual.line import Cable
from simulator.virtual.timers import Call, Timers
from station_agent.serial_port import OnData, OnLost, Port


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

    # --- the world's side

    def rouse(self) -> None:
        """Nothing was left out that would have to be caught up with."""

    def look(self) -> None:
        if self._cable.faults.pulled and self._on_lost is not None:
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


def port_opener(cable: Cable, timers: Timers) -> Callable[[str, int], Awaitable[Port]]:
    """`station_agent.serial_port.open_port` for one cable, whatever its device is called."""

    async def open_port(_url: str, _baud_rate: int) -> Port:
        if cable.faults.pulled:
            raise OSError("no such device: the cable is pulled")
        return MemoryPort(cable, timers)

    return open_port
