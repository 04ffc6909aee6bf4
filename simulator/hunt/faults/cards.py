"""Cards and tags in the wrong hands: found and revoked, copied, shown where their owner is not."""

from functools import partial

from sqlalchemy import Connection, select

from dispatcher.store.bookings import Booking, booking_by_id
from dispatcher.store.schema import bookings
from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.hunt.faults.ways import WAY, cut
from simulator.network.model import Card
from simulator.network.wiring import BADGE_READER, RETURN_READER
from simulator.virtual.people import Person
from simulator.virtual.spells import HEARS_US, Touches
from simulator.virtual.timers import MINUTE_US, SECOND_US
from simulator.world.acts import (
    Book,
    CloseDoor,
    HangKey,
    LookUp,
    Pause,
    Script,
    ShowCard,
    StepAway,
    StepUp,
    TakeKey,
    Watch,
)
from simulator.world.api import ON_BOX, BookingRequest, BookingView
from simulator.world.demand import GRID_MS
from simulator.world.record import Intent
from simulator.world.tapping import PATIENCE_US, tap_and_watch

NOBODY = frozenset[Touches]()
HAND_US = SECOND_US
LOOKS_AT_PHONE = 20
THIEF = "thief"
A_GUESS = "0000"  # nobody's: who copied a card does not know its PIN


# --- found and revoked


def _badge_revoked_offline(cast: Cast) -> End | None:
    """A badge is lost and revoked while its station is cut off. Who found it tries it there, again and again."""
    chosen = _a_booking(cast)
    if chosen is None:
        cast.spell.touches = NOBODY
        return None
    badge = _badge_of(cast, chosen)
    cast.spell.detail = f"badge {badge.credential}"
    heal = cut(cast.box)
    cast.later(cast.rng.randrange(cast.lasts_us // 2), partial(cast.world.revoke, badge))
    for after_us in (cast.lasts_us * 3 // 4, *_after_the_cut(cast)):
        cast.later(after_us, partial(_try, cast, badge, chosen.id))
    return heal


def _after_the_cut(cast: Cast) -> list[int]:
    """When its box must know: at once after the bound, and some minutes later."""
    known_us = cast.lasts_us + HEARS_US + SECOND_US
    return [known_us, known_us + cast.rng.randrange(1, 10) * MINUTE_US]


def _try(cast: Cast, badge: Card, booking: str) -> None:
    Person(THIEF, _look(cast.box.cabinet, BADGE_READER, badge, booking), cast.world.around, cast.rng).begin()


def _look(
    cabinet: str, reader: str, card: Card, booking: str | None = None, *, on_box: bool = False
) -> Script[None]:
    """Shows a card and shuts whatever opens: who takes nothing leaves the record simple."""
    yield StepUp(cabinet)
    tap = ShowCard(reader, card, Intent.THEFT, booking, on_box)
    seen = yield from tap_and_watch(tap, A_GUESS, is_right=False)
    if isinstance(seen, int):
        yield Pause(HAND_US)
        yield CloseDoor(seen)
    yield StepAway()


def _a_booking(cast: Cast, cabinet: str | None = None) -> Booking | None:
    """One at this cabinet whose key may be taken soon, or could be until a moment ago."""
    world, here = cast.world, cabinet or cast.box.cabinet
    now_ms = world.stage.clock.now_ms()
    until_ms = now_ms + cast.lasts_us // 1000

    def read(connection: Connection) -> list[Booking | None]:
        wanted = select(bookings.c.id).where(
            bookings.c.cabinet_id == here,
            bookings.c.state == "booked",
            bookings.c.start_ms <= until_ms,
            bookings.c.take_by_ms > now_ms,
        )
        ids = connection.execute(wanted.order_by(bookings.c.start_ms, bookings.c.id)).scalars().all()
        return [booking_by_id(connection, name) for name in ids if name not in world.forged]

    found = [booking for booking in world.database.read_now(read) if booking is not None]
    return cast.rng.choice(found) if found else None


def _badge_of(cast: Cast, booking: Booking) -> Card:
    return cast.world.network.member_by_id[booking.member_id].badges[0]


# --- copied badges


def _cloned_badge(cast: Cast) -> None:
    """Two copies of a badge are shown at two stations at once; one may take the key by its owner's right."""
    chosen = _a_booking(cast)
    others = [station for station in cast.world.network.stations if station.cabinet != cast.cabinet]
    if chosen is None or not others:
        return
    cast.spell.detail = f"badge {_badge_of(cast, chosen).credential}"
    there = cast.rng.choice(others)
    Person(f"{THIEF}:far", _be_known_there(cast, chosen, there.id), cast.world.around, cast.rng).begin()


def _be_known_there(cast: Cast, chosen: Booking, station: str) -> Script[None]:
    """A box knows only badges with a right: so a car is booked there in the owner's name, for tomorrow."""
    now_ms = cast.world.stage.clock.now_ms()
    start_ms = now_ms // GRID_MS * GRID_MS + cast.rng.randint(24 * 4, 48 * 4) * GRID_MS
    vehicle = cast.rng.choice(cast.world.network.vehicles_at(station))
    request = BookingRequest(chosen.member_id, start_ms, start_ms + 4 * GRID_MS, vehicle=vehicle.id)
    made = yield Book(request)
    if not isinstance(made, BookingView):
        return
    far_knows = yield from _is_on_box(made.id)
    near_knows = yield from _is_on_box(chosen.id)
    badge = _badge_of(cast, chosen)
    takes = cast.rng.random() < 0.5
    near = _ride(cast, chosen, badge, near_knows) if takes else _look_near(cast, chosen, badge, near_knows)
    Person(f"{THIEF}:near", near, cast.world.around, cast.rng).begin()
    yield from _look(made.cabinet, BADGE_READER, badge, made.id, on_box=far_knows)


def _look_near(cast: Cast, chosen: Booking, badge: Card, on_box: bool) -> Script[None]:
    return _look(cast.box.cabinet, BADGE_READER, badge, chosen.id, on_box=on_box)


def _is_on_box(booking: str) -> Script[bool]:
    for _ in range(LOOKS_AT_PHONE):
        answer = yield LookUp(booking)
        if isinstance(answer, BookingView) and answer.grant == ON_BOX:
            return True
        yield Pause(SECOND_US)
    return False


def _ride(cast: Cast, chosen: Booking, badge: Card, on_box: bool) -> Script[None]:
    """Takes the key as its owner could, and brings it back after a while, by its tag."""
    cabinet = cast.box.cabinet
    yield StepUp(cabinet)
    tap = ShowCard(BADGE_READER, badge, Intent.THEFT, chosen.id, on_box)
    slot = yield from tap_and_watch(tap, A_GUESS, is_right=False)
    key = None
    if isinstance(slot, int):
        yield Pause(HAND_US)
        key = yield TakeKey(slot)
        yield Pause(HAND_US)
        yield CloseDoor(slot)
    yield StepAway()
    while key is not None:
        yield Pause(cast.rng.randrange(5, 30) * MINUTE_US)
        yield StepUp(cabinet)
        shown = yield ShowCard(RETURN_READER, key.tag, Intent.BRING_BACK, chosen.id)
        slot = (yield Watch(PATIENCE_US)) if shown else None
        if isinstance(slot, int):
            yield Pause(HAND_US)
            key = None if (yield HangKey(slot, key)) else key
            yield Pause(HAND_US)
            yield CloseDoor(slot)
        yield StepAway()


# --- copied tags


def _cloned_tag(cast: Cast) -> None:
    """A copy of a fob's tag is shown at the return reader, whether the key is out or in; no key comes with it."""
    keys = [vehicle.key for vehicle in cast.world.network.vehicles if vehicle.key.cabinet == cast.cabinet]
    key = cast.rng.choice(keys)
    cast.spell.detail = f"key {key.id}"
    Person(THIEF, _look(cast.box.cabinet, RETURN_READER, key.tag), cast.world.around, cast.rng).begin()


CARDS = (
    Fault("badge_revoked_offline", WAY, 12, (300, 1800), _badge_revoked_offline),
    Fault("cloned_badge", NOBODY, 4, (600, 601), _cloned_badge),
    Fault("cloned_tag", NOBODY, 3, (30, 31), _cloned_tag),
)
