"""The smallest agent: the real drivers on the real ports, and one rule instead of a core."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

from runtime.clocks import SystemLineClock
from simulator.network.wiring import (
    DOOR_UNIT,
    LOCK_BAUD,
    LOCK_LINE,
    LOCK_UNIT,
    READER_ADDRESS,
    READER_BAUD,
    READER_LINE,
    scbk,
    slot_numbers,
)
from station_agent.core.device_events import CabinetSeen, CardRead, DeviceEvent, ReaderSignal
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.wiring import CabinetWiring, SlotWiring
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel
from station_agent.serial_line import SerialLine

Rule = Callable[[CardRead], int | None]
"""Which slot a card opens; None: refused."""


class FakeAgent:
    """Releases what `rule` says, and keeps what the contacts showed."""

    def __init__(self, ports: Path, seed: int, cabinet: str, rule: Rule) -> None:
        self.rule = rule
        self.seen: list[CabinetSeen] = []
        self.cards: list[CardRead] = []
        clock = SystemLineClock()
        self._locks = ModbusCabinet(
            CabinetWiring(
                slots=tuple(
                    SlotWiring(
                        slot=slot,
                        lock=(LOCK_UNIT, slot - 1),
                        key=(LOCK_UNIT, slot - 1),
                        key_inverted=False,
                        door=(DOOR_UNIT, slot - 1),
                        door_inverted=True,
                    )
                    for slot in slot_numbers()
                ),
                baud_rate=LOCK_BAUD,
            )
        )
        self._panel = OsdpPanel(
            tuple(
                OsdpReaderConfig(reader, address, scbk(seed, cabinet, reader), 50)
                for reader, address in READER_ADDRESS.items()
            ),
            baud_rate=READER_BAUD,
            random_bytes=Random("panel").randbytes,
        )
        self._lock_line = SerialLine(str(ports / LOCK_LINE), LOCK_BAUD, self._locks, clock, self._heard)
        self._reader_line = SerialLine(str(ports / READER_LINE), READER_BAUD, self._panel, clock, self._heard)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(line.run()) for line in (self._lock_line, self._reader_line)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def shows(self, slot: int) -> tuple[bool, bool]:
        """Key present and door open, as last believed."""
        found = next(it for it in self.seen[-1].slots if it.slot == slot)
        return found.key_present, found.door_open

    def _heard(self, event: DeviceEvent) -> None:
        match event:
            case CabinetSeen():
                self.seen.append(event)
            case CardRead():
                self.cards.append(event)
                slot = self.rule(event)
                signal = ReaderSignal.CALL if slot is None else ReaderSignal.TAKEN
                self._reader_line.give(partial(self._panel.indicate, event.reader, signal))
                if slot is not None:
                    self._lock_line.give(partial(self._locks.release, slot))
            case _:
                pass
