"""Who has which vehicle when: bookings, orders and blocks as bars, the plan and beside it what really happened."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, bindparam, or_, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.orders import SWAP_HOLD
from dispatcher.core.windows import HOUR_MS, round_up
from dispatcher.pages.views.places import Named
from dispatcher.store.schema import blocks, bookings

BEFORE_MS = 6 * HOUR_MS  # what the shift before left behind
AFTER_MS = 24 * HOUR_MS
TICK_MS = 3 * HOUR_MS
WIDTH = 1000.0  # of the whole window, in the units of the drawing
BARS_MAX = 1000  # of some hundred vehicles; a window of thirty hours has no more of thirty stations'


class BarKind(StrEnum):
    BOOKING = "booking"
    ORDER = "order"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a bar, in units of the drawing."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    kind: BarKind
    id: str
    state: str
    """Of a booking or an order; of a block its kind."""
    start_ms: int
    end_ms: int | None
    """None: nobody knows."""
    plan: Stretch
    fact: Stretch | None
    """From the key taken to the key returned, or to now."""
    late: Stretch | None
    """What of that lies past the planned end."""


@dataclass(frozen=True, slots=True)
class Lane:
    vehicle: Named
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    at_ms: int
    x: float


@dataclass(frozen=True, slots=True)
class Calendar:
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    now_x: float


_BOOKINGS = (
    select(
        bookings.c.id,
        bookings.c.vehicle_id,
        bookings.c.state,
        bookings.c.purpose,
        bookings.c.start_ms,
        bookings.c.end_ms,
        bookings.c.taken_ms,
        bookings.c.returned_ms,
        bookings.c.ended_ms,
    )
    .where(
        bookings.c.vehicle_id.in_(bindparam("vehicles", expanding=True)),
        bookings.c.state.not_in([BookingState.CANCELLED, BookingState.NO_SHOW]),
        or_(bookings.c.purpose.is_(None), bookings.c.purpose != SWAP_HOLD),
        bookings.c.start_ms < bindparam("until_ms"),
        or_(bookings.c.end_ms > bindparam("from_ms"), bookings.c.state == BookingState.ACTIVE),
    )
    .order_by(bookings.c.start_ms)
    .limit(BARS_MAX)
)
_BLOCKS = (
    select(blocks.c.id, blocks.c.vehicle_id, blocks.c.kind, blocks.c.start_ms, blocks.c.expected_end_ms)
    .where(
        blocks.c.vehicle_id.in_(bindparam("vehicles", expanding=True)),
        blocks.c.ended_ms.is_(None),
        blocks.c.start_ms < bindparam("until_ms"),
    )
    .order_by(blocks.c.start_ms)
    .limit(BARS_MAX)
)


@dataclass(frozen=True, slots=True)
class _Window:
    from_ms: int
    until_ms: int
    now_ms: int

    def x(self, at_ms: int) -> float:
        inside = min(max(at_ms, self.from_ms), self.until_ms)
        return round(WIDTH * (inside - self.from_ms) / (self.until_ms - self.from_ms), 1)

    def stretch(self, start_ms: int, end_ms: int) -> Stretch:
        x = self.x(start_ms)
        return Stretch(x, round(max(self.x(end_ms) - x, 0.0), 1))


def calendar(connection: Connection, of_vehicles: Sequence[Named], now_ms: int) -> Calendar:
    """One lane for each vehicle, from `BEFORE_MS` before now to `AFTER_MS` after."""
    window = _Window(now_ms - BEFORE_MS, now_ms + AFTER_MS, now_ms)
    which = {
        "vehicles": [each.id for each in of_vehicles],
        "from_ms": window.from_ms,
        "until_ms": window.until_ms,
    }
    bars: dict[str, list[Bar]] = defaultdict(list)
    for row in connection.execute(_BLOCKS, which).mappings():
        bars[row["vehicle_id"]].append(_block(row, window))
    for row in connection.execute(_BOOKINGS, which).mappings():
        bars[row["vehicle_id"]].append(_booking(row, window))
    lanes = tuple(Lane(each, tuple(bars[each.id])) for each in of_vehicles)
    return Calendar(lanes, tuple(_ticks(window)), window.x(now_ms))


def _booking(row: RowMapping, window: _Window) -> Bar:
    is_out = row["state"] == BookingState.ACTIVE
    back_ms = window.now_ms if is_out else row["returned_ms"] or row["ended_ms"]
    fact = late = None
    if row["taken_ms"] is not None and back_ms is not None:
        fact = window.stretch(row["taken_ms"], back_ms)
        if back_ms > row["end_ms"]:
            late = window.stretch(row["end_ms"], back_ms)
    return Bar(
        kind=BarKind.BOOKING if row["purpose"] is None else BarKind.ORDER,
        id=row["id"],
        state=row["state"],
        start_ms=row["start_ms"],
        end_ms=row["end_ms"],
        plan=window.stretch(row["start_ms"], row["end_ms"]),
        fact=fact,
        late=late,
    )


def _block(row: RowMapping, window: _Window) -> Bar:
    end_ms = row["expected_end_ms"]
    covers_until_ms = window.until_ms if end_ms is None else max(end_ms, window.now_ms)
    return Bar(
        kind=BarKind.BLOCK,
        id=row["id"],
        state=row["kind"],
        start_ms=row["start_ms"],
        end_ms=end_ms,
        plan=window.stretch(row["start_ms"], covers_until_ms),
        fact=None,
        late=window.stretch(end_ms, window.now_ms) if end_ms is not None and end_ms < window.now_ms else None,
    )


def _ticks(window: _Window) -> Iterator[Tick]:
    at_ms = round_up(window.from_ms, HOUR_MS)
    while at_ms < window.until_ms:
        yield Tick(at_ms, window.x(at_ms))
        at_ms += TICK_MS
