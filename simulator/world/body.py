"""A member's body: carries out what the mind decides, on the phone, on the road and at a cabinet."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.clocks import Clock
from simulator.world.acts import (
    Act,
    Book,
    CallOff,
    CloseDoor,
    ComeBack,
    DriveOff,
    HangKey,
    KeyIn,
    LookAround,
    LookUp,
    Park,
    Pause,
    ShowCard,
    StepAway,
    StepUp,
    TakeKey,
    WaitUntil,
    Watch,
)
from simulator.world.api import ApiAnswer, ApiRefusal, ApiUnreachableError, BookingApi
from simulator.world.cabinet import NotPossibleError
from simulator.world.deeds import keyed_in_by, shown_by
from simulator.world.moment import Moment
from simulator.world.site import Site
from simulator.world.traffic import Traffic

PHONES_AT_ONCE = 8  # a hundred bookings at the start of a demo are no reason to open a hundred connections


@dataclass(frozen=True)
class Surroundings:
    """What every body acts upon."""

    clock: Clock
    moment: Callable[[], Moment]
    sites: Mapping[str, Site]
    traffic: Traffic
    api: BookingApi
    phones: asyncio.Semaphore
    refused: Counter[str]
    """Bookings that the API refused, by reason."""


class Body:
    """One person, somewhere. `site` is the cabinet they stand at, None elsewhere."""

    def __init__(self, who: str, around: Surroundings) -> None:
        self.site: Site | None = None
        self._who = who
        self._around = around

    async def do(self, act: Act) -> Any:
        """Carries out one act and tells its outcome, as `acts.py` says of each."""
        match act:
            case WaitUntil(at_ms):
                await self._around.clock.sleep_until_ms(at_ms)
                return self._around.clock.now_ms()
            case Pause(line_us):
                return await asyncio.sleep(line_us / 1e6)
            case StepUp(cabinet):
                return await self._step_up(cabinet)
            case StepAway():
                return self.leave()
            case Book() | LookUp() | CallOff():
                return await self._phone(act)
            case DriveOff(vehicle, back_at_ms, distance_m):
                return self._around.traffic.drive_off(vehicle, back_at_ms, distance_m)
            case Park(vehicle):
                return self._around.traffic.park(vehicle)
            case ComeBack():
                return None  # slips are faults of the hunt
            case _:
                assert self.site is not None, f"{self._who} reaches for a cabinet from afar: {act}"
                return await self._at_cabinet(self.site, act)

    def leave(self) -> None:
        """Lets the next one come. Nothing where nobody stands."""
        if self.site is not None:
            self.site.turn.release()
            self.site = None

    async def _step_up(self, cabinet: str) -> int:
        assert self.site is None, f"{self._who} stands at a cabinet already"
        site = self._around.sites[cabinet]
        await site.turn.acquire()
        self.site = site
        return self._around.clock.now_ms()

    async def _phone(self, act: Book | LookUp | CallOff) -> ApiAnswer | None:
        async with self._around.phones:
            try:
                answer = await self._ask(act)
            except ApiUnreachableError:
                return None
        if isinstance(act, Book) and isinstance(answer, ApiRefusal):
            self._around.refused[answer.reason] += 1
        return answer

    def _ask(self, act: Book | LookUp | CallOff) -> Awaitable[ApiAnswer]:
        match act:
            case Book(request):
                return self._around.api.book(request)
            case LookUp(booking):
                return self._around.api.booking(booking)
            case CallOff(booking):
                return self._around.api.cancel(booking)

    async def _at_cabinet(
        self, site: Site, act: ShowCard | KeyIn | Watch | LookAround | TakeKey | HangKey | CloseDoor
    ) -> Any:
        match act:
            case ShowCard():
                return await site.show_card(act.reader, act.card, shown_by(self._who, act))
            case KeyIn():
                return site.press(act.tap.reader, act.digits, keyed_in_by(self._who, act))
            case Watch(line_us):
                return await site.watch(line_us)
            case LookAround():
                return tuple(slot for slot in site.cabinet.open_slots() if site.cabinet.key_in(slot) is None)
            case _:
                return self._touch(site, act)

    def _touch(self, site: Site, act: TakeKey | HangKey | CloseDoor) -> Any:
        """What a hand tries; a hand that reaches a shut door or a full hook learns it."""
        moment = self._around.moment()
        try:
            match act:
                case TakeKey(slot):
                    key, changes = site.cabinet.take_key(moment, slot, self._who)
                    site.apply(changes)
                    return key
                case HangKey(slot, key):
                    site.apply(site.cabinet.hang_key(moment, slot, key, self._who))
                    return True
                case CloseDoor(slot):
                    return site.apply(site.cabinet.close_door(moment, slot, self._who))
        except NotPossibleError:
            return False if isinstance(act, HangKey) else None
