"""One cabinet on its two serial lines, and the place in front of it, where one person stands at a time.

Nothing here ticks: without bytes and people nothing runs.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from runtime.clocks import LineClock
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.paced_pty import PacedPty
from simulator.devices.switched import Switched
from simulator.network.model import Card, Key
from simulator.network.wiring import LOCK_BAUD, LOCK_LINE, READER_BAUD, READER_LINE
from simulator.world.cabinet import Changes, PhysicalCabinet
from simulator.world.devices import CabinetDevices, Seen
from simulator.world.moment import Moment
from simulator.world.record import Deed, WorldRecord

TAP_GAP_US = 1_500_000  # cards closer together at one reader may be one card held (1 s), for people
READY_WAIT_S = 15.0  # how long somebody stands before a dark reader: a box that restarts is back by then
READY_LOOK_S = 0.25
SILENCE_US = 350_000  # an agent at rest looks five times a second, and believes the second look that agrees


class Site:
    """One cabinet of the world. `open` needs a running event loop and lasts until `close`."""

    def __init__(
        self,
        name: str,
        keys: Mapping[int, Key],
        *,
        seed: int,
        directory: Path,
        moment: Callable[[], Moment],
        line_clock: LineClock,
        record: WorldRecord,
    ) -> None:
        self.name = name
        self.turn = asyncio.Lock()
        """Held by whoever stands at the cabinet; those who wait come in their order."""
        self._moment = moment
        self._record = record
        self._shown_us: dict[str, int] = {}
        self._seen: deque[Seen] = deque()
        self._news = asyncio.Event()
        self.devices = CabinetDevices(name, keys, seed=seed, moment=moment, record=record, on_seen=self._notice)
        directory.mkdir(parents=True, exist_ok=True)
        self.silences: list[tuple[int, int]] = []
        """When nobody asked the lock boards for longer than some looks: what happened meanwhile was not seen."""
        self._asked_us = 0
        locks = tuple(Switched(_WatchedBoard(board, self._asked)) for board in self.devices.boards)
        readers = tuple(Switched(reader) for reader in self.devices.reader_bus)
        self.powered = (*locks, *readers)
        """What hangs at the cabinet's power supply."""
        self.lines = (
            PacedPty(directory / LOCK_LINE, locks, line_clock, baud_rate=LOCK_BAUD),
            PacedPty(directory / READER_LINE, readers, line_clock, baud_rate=READER_BAUD),
        )

    @property
    def cabinet(self) -> PhysicalCabinet:
        return self.devices.cabinet

    def _asked(self, now_us: int) -> None:
        if self._asked_us and now_us - self._asked_us > SILENCE_US:
            self.silences.append((self._asked_us, now_us))
        self._asked_us = now_us

    def energised(self) -> tuple[int, ...]:
        """Slots whose lock has current now."""
        return self.devices.energised()

    @property
    def untimed_pulses(self) -> int:
        """Orders that the lock board was given to switch a lock on without an end."""
        return self.devices.untimed_pulses

    def open(self) -> None:
        for line in self.lines:
            line.open()

    def close(self) -> None:
        for line in self.lines:
            line.close()

    def apply(self, changes: Changes) -> None:
        """What a hand did reaches the contacts."""
        self.devices.apply(changes)

    async def show_card(self, reader: str, card: Card, deed: Deed) -> bool:
        """Waits for the reader to be ready, then holds the card to it; False: it stays dark or is full."""
        if not await self._ready(reader):
            return False
        since_us = self._moment().line_us - self._shown_us.get(reader, -TAP_GAP_US)
        await asyncio.sleep(max(TAP_GAP_US - since_us, 0) / 1e6)
        self._seen.clear()
        moment = self._moment()
        self._shown_us[reader] = moment.line_us
        if not self.devices.show_card(reader, card):
            return False
        self._record.write(self.name, moment, deed)
        return True

    def press(self, reader: str, keys: str, deed: Deed) -> bool:
        """Keys at a reader; False: its memory is full."""
        self._seen.clear()
        if not self.devices.press(reader, keys):
            return False
        self._record.write(self.name, self._moment(), deed)
        return True

    async def watch(self, line_us: int) -> Seen | None:
        """What a person sees since the last card: a door that sprang open, or the light that says no."""
        try:
            async with asyncio.timeout(line_us / 1e6):
                while not self._seen:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        return self._seen.popleft()

    async def _ready(self, reader: str) -> bool:
        for _ in range(round(READY_WAIT_S / READY_LOOK_S)):
            if self.devices.is_ready(reader):
                return True
            await asyncio.sleep(READY_LOOK_S)
        return False

    def _notice(self, seen: Seen) -> None:
        self._seen.append(seen)
        self._news.set()


class _WatchedBoard:
    """A board on the bus, and when it was last asked."""

    def __init__(self, board: ModbusBoard, on_asked: Callable[[int], None]) -> None:
        self._board = board
        self._on_asked = on_asked

    @property
    def late_ms(self) -> int:
        return self._board.late_ms

    def receive(self, now_us: int, data: bytes) -> bytes:
        self._on_asked(now_us)
        return self._board.receive(now_us, data)
