"""Somebody who cut into the readers' line: records what passes, and answers the box in the readers' place later."""

from collections import defaultdict

from sqlalchemy import select

from dispatcher.store.schema import bookings
from simulator.hunt.faults.menu import Cast, Fault
from simulator.network.wiring import BADGE_READER, RETURN_READER
from simulator.virtual.spells import Spell, Touches
from simulator.virtual.timers import SECOND_US
from station_agent.drivers.osdp.framing import FRAME_BYTES_MIN, MARK, REPLY_BIT, SOM

BEFORE_US = 255 * SECOND_US  # of a booking's start: most members come between four minutes and one before it
RECORDS_US = 180 * SECOND_US  # all polls of a line that is listened to are lived through
PAUSE_US = 600 * SECOND_US
REPLAY_US = (5 * SECOND_US, 40 * SECOND_US)
TURNAROUND_US = 3_000  # as quick as a reader: before the panel gives up
KEPT = 20  # replies of each reader and number; the shortest, "nothing new", are forgotten first
LONGEST, PICKS_LONGEST = 4, 0.4
SEQUENCE = 3  # the bits of the control byte
NOBODY = frozenset[Touches]()
READERS = frozenset({Touches.READERS})


class _Recorder:
    """What the readers said, by whom and to which number of a command: an answer to the same number looks right."""

    def __init__(self, cast: Cast) -> None:
        self._replaying = False
        self._cast = cast
        self._cable = cast.site.readers
        self._muted: list[str] = []
        self._said: dict[tuple[int, int], list[bytes]] = defaultdict(list)

    def listen(self) -> None:
        """Whoever only listens disturbs nothing."""
        self._cable.rouse()
        self._cable.tap = self._hear
        self._cable.changed()

    def stop(self) -> None:
        self._replaying = False
        for reader in self._muted:
            self._cast.site.devices.set_mute(reader, mute=False)
        self._muted.clear()
        self._cable.tap = None
        self._cable.changed()

    def replay(self, for_us: int) -> None:
        """The readers are taken off the line, and answered for."""
        now_us, devices = self._cast.world.stage.timers.now_us(), self._cast.site.devices
        here = frozenset({self._cast.box.cabinet})
        spell = Spell("reader_replay", READERS, here, now_us, now_us + for_us)
        spell.detail = f"{sum(len(said) for said in self._said.values())} answers"
        self._cast.world.spells.add(spell)
        self.listen()
        self._muted = [reader for reader in (BADGE_READER, RETURN_READER) if not devices.is_dead(reader)]
        for reader in self._muted:
            devices.set_mute(reader, mute=True)
        self._replaying = True
        self._cast.later(for_us, self.stop)

    def _hear(self, _at_us: int, data: bytes, to_agent: bool) -> None:  # a `Cable.tap`
        frame = data.removeprefix(MARK)
        if len(frame) < FRAME_BYTES_MIN or frame[0] != SOM:
            return
        which = frame[1] & ~REPLY_BIT, frame[4] & SEQUENCE
        if to_agent and not self._replaying:
            said = self._said[which]
            said.append(data)
            if len(said) > KEPT:
                said.remove(min(said, key=len))
        elif self._replaying and not to_agent:
            self._cast.later(TURNAROUND_US, lambda: self._answer(which))

    def _answer(self, which: tuple[int, int]) -> None:
        rng, line, said = self._cast.rng, self._cable.line, self._said.get(which)
        if said and self._replaying and line is not None:
            longest = sorted(said, key=len)[-LONGEST:]  # a card takes more bytes than "nothing new"
            line.inject(rng.choice(longest if rng.random() < PICKS_LONGEST else said))


def _reader_tap(cast: Cast) -> None:
    """Listens while the next member is expected, and answers the box with what was recorded some minutes later."""
    starts_ms = _next_start_ms(cast)
    if starts_ms is None:
        return
    now_us = cast.world.stage.timers.now_us()
    from_us = max(cast.world.stage.clock.at_us(starts_ms) - BEFORE_US, now_us)
    recorder = _Recorder(cast)
    cast.later(from_us - now_us, recorder.listen)
    until_us = now_us + cast.lasts_us
    pause_us = cast.rng.randrange(PAUSE_US)
    replay_us = cast.rng.randrange(*REPLAY_US)
    cast.later(min(from_us + RECORDS_US, until_us) - now_us, recorder.stop)
    again_us = min(from_us + RECORDS_US + pause_us, until_us - replay_us)
    cast.later(again_us - now_us, lambda: recorder.replay(replay_us))


def _next_start_ms(cast: Cast) -> int | None:
    """When the next booking here starts, early enough for all of it."""
    now_ms = cast.world.stage.clock.now_ms()
    until_ms = now_ms + (cast.lasts_us - RECORDS_US) // 1000
    wanted = (
        select(bookings.c.start_ms)
        .where(bookings.c.cabinet_id == cast.cabinet, bookings.c.state == "booked")
        .where(bookings.c.start_ms > now_ms, bookings.c.start_ms < until_ms)
        .order_by(bookings.c.start_ms)
        .limit(1)
    )
    return cast.world.database.read_now(lambda connection: connection.execute(wanted).scalar_one_or_none())


TAPS = (Fault("reader_tap", NOBODY, 16, (600, 1500), _reader_tap),)
