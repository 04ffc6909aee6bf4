"""One cabinet of a world in virtual time: mechanics, electronics, two cables, and who stands before it."""

import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from simulator.devices.paced_pty import TURNAROUND_US
from simulator.devices.wire import Wire
from simulator.network.model import Card, Key
from simulator.network.wiring import LOCK_BAUD, LOCK_LINE, READER_BAUD, READER_LINE
from simulator.virtual.line import Cable
from simulator.virtual.timers import Call, Timers
from simulator.world.cabinet import Changes, PhysicalCabinet
from simulator.world.devices import CabinetDevices, Seen
from simulator.world.moment import Moment
from simulator.world.record import Deed, WorldRecord
from simulator.world.site import READY_LOOK_S, READY_WAIT_S, TAP_GAP_US

READY_LOOK_US: Final = round(READY_LOOK_S * 1e6)
READY_LOOKS: Final = round(READY_WAIT_S / READY_LOOK_S)


class VirtualSite:
    """The cabinet outlives every agent that is plugged into it."""

    def __init__(
        self,
        name: str,
        keys: Mapping[int, Key],
        *,
        seed: int,
        rng: random.Random,
        timers: Timers,
        moment: Callable[[], Moment],
        record: WorldRecord,
    ) -> None:
        self.name = name
        self._timers = timers
        self._moment = moment
        self._record = record
        self.devices = CabinetDevices(
            name, keys, seed=seed, moment=moment, record=record, on_seen=self._notice, session_idle_us=None
        )
        self.locks = Cable(Wire(self.devices.lock_bus, baud_rate=LOCK_BAUD, turnaround_us=TURNAROUND_US), rng)
        self.readers = Cable(Wire(self.devices.reader_bus, baud_rate=READER_BAUD, turnaround_us=TURNAROUND_US), rng)
        self.cables = {LOCK_LINE: self.locks, READER_LINE: self.readers}
        self._shown_us: dict[str, int] = {}
        self._waiting: deque[Callable[[], None]] = deque()
        self._taken = False
        self._seen: deque[Seen] = deque()
        self._watcher: Callable[[Seen | None], None] | None = None
        self._patience: Call | None = None

    @property
    def cabinet(self) -> PhysicalCabinet:
        return self.devices.cabinet

    # --- one person at a time

    def step_up(self, then: Callable[[], None]) -> None:
        """Queue here; `then` when the place is free."""
        if self._taken:
            self._waiting.append(then)
        else:
            self._taken = True
            self._timers.call_soon(then)

    def step_away(self) -> None:
        if self._waiting:
            self._timers.call_soon(self._waiting.popleft())
        else:
            self._taken = False

    # --- hands and eyes

    def touch(self, hand: Callable[[], Changes]) -> None:
        """A hand moves something; the contacts follow. Raises what the hand raises."""
        self.locks.rouse()
        self.devices.apply(hand())
        self.locks.changed()

    def show_card(self, reader: str, card: Card, deed: Deed, then: Callable[[bool], None]) -> None:
        """Waits for the reader to be ready, then holds the card to it; False: it stays dark or is full."""
        self._await_ready(reader, card, deed, then, READY_LOOKS)

    def press(self, reader: str, keys: str, deed: Deed) -> bool:
        """Keys at a reader; False: its memory is full."""
        self._seen.clear()
        self.readers.rouse()
        taken = self.devices.press(reader, keys)
        self.readers.changed()
        if taken:
            self._record.write(self.name, self._moment(), deed)
        return taken

    def watch(self, line_us: int, then: Callable[[Seen | None], None]) -> None:
        """What a person sees since the last card: a door that sprang open, or the light that says no."""
        if self._seen:
            seen = self._seen.popleft()
            self._timers.call_soon(lambda: then(seen))
            return
        self._watcher = then
        self._patience = self._timers.call_at(self._timers.now_us() + line_us, lambda: self._tell_watcher(None))

    def _await_ready(self, reader: str, card: Card, deed: Deed, then: Callable[[bool], None], looks: int) -> None:
        now_us = self._timers.now_us()
        if self.devices.is_ready(reader):
            at_us = max(now_us, self._shown_us.get(reader, -TAP_GAP_US) + TAP_GAP_US)
            self._timers.call_at(at_us, lambda: then(self._hold(reader, card, deed)))
        elif looks:
            again_us = now_us + READY_LOOK_US
            self._timers.call_at(again_us, lambda: self._await_ready(reader, card, deed, then, looks - 1))
        else:
            then(False)

    def _hold(self, reader: str, card: Card, deed: Deed) -> bool:
        self._seen.clear()
        moment = self._moment()
        self._shown_us[reader] = moment.line_us
        self.readers.rouse()
        taken = self.devices.show_card(reader, card)
        self.readers.changed()
        if taken:
            self._record.write(self.name, moment, deed)
        return taken

    def _notice(self, seen: Seen) -> None:
        if self._watcher is None:
            self._seen.append(seen)
        else:
            self._timers.call_soon(lambda: self._tell_watcher(seen))

    def _tell_watcher(self, seen: Seen | None) -> None:
        watcher, self._watcher = self._watcher, None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if watcher is not None:
            watcher(seen)
        elif seen is not None:
            self._seen.append(seen)
