"""Somebody with a badge of their own, and its PIN, and no right yet: tries for a key, and takes what opens."""

from simulator.network.model import Member
from simulator.network.wiring import BADGE_READER
from simulator.virtual.timers import SECOND_US
from simulator.world.acts import CloseDoor, Pause, Script, ShowCard, StepAway, StepUp, TakeKey
from simulator.world.record import Intent
from simulator.world.tapping import tap_and_watch


def help_oneself(cabinet: str, member: Member, booking: str | None = None) -> Script[None]:
    """`booking`: the one of their own that they come for; a box that cannot tell the time may hand out its key."""
    yield StepUp(cabinet)
    tap = ShowCard(BADGE_READER, member.badges[0], Intent.THEFT, booking)
    seen = yield from tap_and_watch(tap, member.pin, is_right=True)
    if isinstance(seen, int):
        yield Pause(SECOND_US)
        yield TakeKey(seen)
        yield Pause(SECOND_US)
        yield CloseDoor(seen)
    yield StepAway()
