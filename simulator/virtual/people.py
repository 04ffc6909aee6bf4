"""Members in virtual time: each act of a member's script is carried out, and its outcome brings the next."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.virtual.clocks import TrueClock
from simulator.virtual.phone import Desk, latency_us
from simulator.virtual.site import VirtualSite
from simulator.virtual.timers import Timers
from simulator.virtual.traffic import VirtualTraffic
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
    Script,
    ShowCard,
    Slip,
    StepAway,
    StepUp,
    TakeKey,
    WaitUntil,
    Watch,
)
from simulator.world.cabinet import Changes, NotPossibleError
from simulator.world.deeds import keyed_in_by, shown_by
from simulator.world.moment import Moment


@dataclass
class Surroundings:
    """What every person acts upon."""

    timers: Timers
    clock: TrueClock
    sites: dict[str, VirtualSite]
    traffic: VirtualTraffic
    desk: Desk
    acting: bool = True
    """False: nobody begins anything new; whoever stands at a cabinet finishes there."""
    slips: list[Callable[[ComeBack], Slip | None]] = field(default_factory=list)
    """Faults that are made by people who bring a key back: the first that has a word in it decides."""
    driving: set[str] = field(default_factory=set)
    """Vehicles that are on the road, or parked by somebody who has not come back to the cabinet yet."""

    def moment(self) -> Moment:
        return Moment(self.clock.now_ms(), self.timers.now_us())

    def slip(self, act: ComeBack) -> Slip | None:
        self.driving.discard(act.key.vehicle)
        return next((slip for made in tuple(self.slips) if (slip := made(act)) is not None), None)


class Person:
    """Somebody who lives a script."""

    def __init__(self, who: str, script: Script[None], around: Surroundings, rng: random.Random) -> None:
        self.who = who
        self.site: VirtualSite | None = None
        self.is_done = False
        self._script = script
        self._around = around
        self._rng = rng

    def begin(self) -> None:
        self._go_on(lambda: next(self._script))

    def _resume(self, outcome: Any) -> None:
        self._go_on(lambda: self._script.send(outcome))

    def _go_on(self, ask: Callable[[], Act]) -> None:
        if self.is_done:
            return
        if self.site is None and not self._around.acting:
            self._end()
            return
        try:
            act = ask()
        except StopIteration:
            self._end()
            return
        self._do(act)

    def _end(self) -> None:
        self.is_done = True
        self._script.close()
        self._leave()

    def _leave(self) -> None:
        site, self.site = self.site, None
        if site is not None:
            site.step_away()

    def _do(self, act: Act) -> None:
        around = self._around
        match act:
            case WaitUntil(at_ms):
                self._at(around.clock.at_us(at_ms), around.clock.now_ms)
            case Pause(line_us):
                self._at(around.timers.now_us() + line_us, _nothing)
            case StepUp(cabinet):
                site = around.sites[cabinet]
                site.step_up(lambda: self._stand_at(site))
            case StepAway():
                self._leave()
                self._soon(None)
            case Book() | LookUp() | CallOff():
                self._phone(act)
            case DriveOff(vehicle, back_at_ms, distance_m):
                around.traffic.drive_off(vehicle, back_at_ms, distance_m)
                around.driving.add(vehicle)
                self._soon(None)
            case Park(vehicle):
                around.traffic.park(vehicle)
                self._soon(None)
            case ComeBack():
                self._soon(around.slip(act))
            case _:
                assert self.site is not None, f"{self.who} reaches for a cabinet from afar: {act}"
                self._at_cabinet(self.site, act)

    def _stand_at(self, site: VirtualSite) -> None:
        self.site = site
        self._resume(self._around.clock.now_ms())

    def _at(self, at_us: int, outcome: Callable[[], Any]) -> None:
        self._around.timers.call_at(at_us, lambda: self._resume(outcome()))

    def _soon(self, outcome: Any) -> None:
        self._around.timers.call_soon(lambda: self._resume(outcome))

    def _phone(self, act: Book | LookUp | CallOff) -> None:
        """The question travels, the answer travels."""
        timers = self._around.timers

        def arrived() -> None:
            self._around.desk.answer(act, answered)

        def answered(answer: Any) -> None:
            timers.call_at(timers.now_us() + latency_us(self._rng), lambda: self._resume(answer))

        timers.call_at(timers.now_us() + latency_us(self._rng), arrived)

    def _at_cabinet(
        self, site: VirtualSite, act: ShowCard | KeyIn | Watch | LookAround | TakeKey | HangKey | CloseDoor
    ) -> None:
        match act:
            case ShowCard():
                site.show_card(act.reader, act.card, shown_by(self.who, act), self._resume)
            case KeyIn():
                self._soon(site.press(act.tap.reader, act.digits, keyed_in_by(self.who, act)))
            case Watch(line_us):
                site.watch(line_us, self._resume)
            case LookAround():
                cabinet = site.cabinet
                self._soon(tuple(slot for slot in cabinet.open_slots() if cabinet.key_in(slot) is None))
            case _:
                self._soon(self._touch(site, act))

    def _touch(self, site: VirtualSite, act: TakeKey | HangKey | CloseDoor) -> Any:
        """What a hand tries; a hand that reaches a shut door or a full hook learns it."""
        moment, cabinet = self._around.moment(), site.cabinet
        outcome: Any = None

        def hand() -> Changes:
            nonlocal outcome
            match act:
                case TakeKey(slot):
                    outcome, changes = cabinet.take_key(moment, slot, self.who)
                    return changes
                case HangKey(slot, key):
                    changes = cabinet.hang_key(moment, slot, key, self.who)
                    outcome = True
                    return changes
                case CloseDoor(slot):
                    return cabinet.close_door(moment, slot, self.who)

        try:
            site.touch(hand)
        except NotPossibleError:
            return False if isinstance(act, HangKey) else None
        return outcome


def _nothing() -> None:
    """The outcome of a pause."""
