"""Names what does not agree in a picture of the fleet. Level-triggered: run it again at any time.

What only a moment's fact can tell (a device lost, a stuck lock) is opened and closed where facts are
applied; `dispatcher.core.incidents` says which kinds those are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dispatcher.core.blocks import BookingHit, of_hit
from dispatcher.core.booking_states import FINAL_STATES, BookingState
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import utc_text

REPORT_EVERY_S = 600  # the contract: an agent that is well says its whole state at least this often
CLOCK_PATIENCE_S = 300  # a box asks for the time every second and has it in seconds: a boot is over long before
DESIRED_PATIENCE_S = 120  # it is told again every 10 s: twelve times in vain are no accident


@dataclass(frozen=True, slots=True)
class BookingView:
    """A booking as far as a key out under its grant is judged."""

    booking_id: str
    cabinet_id: str
    vehicle_id: str
    key_id: str
    state: BookingState
    end_ms: int
    is_order: bool = False


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key with its home, where it is, and the right under which it went. Home None: not of this fleet."""

    key_id: str
    vehicle_id: str | None
    home: tuple[str, int] | None
    """Cabinet and slot."""
    state: Literal["in_slot", "taken", "missing", "elsewhere"]
    place: tuple[str | None, int | None]
    """Where it hangs, or hung last."""
    grant_id: str | None = None
    booking: BookingView | None = None
    command_id: str | None = None
    ordered_by: str | None = None
    """Who gave the command; None: it is none of ours."""


@dataclass(frozen=True, slots=True)
class CabinetView:
    """What was heard of a cabinet."""

    cabinet_id: str
    online: bool | None
    """What its newest presence says; None: there never was one."""
    heard: bool
    """Whether anything came from it since this program listens."""
    offline_s: float
    """How long it has been offline as far as we could hear, by the wall clock."""
    quiet_s: float
    """How long nothing came while we were listening, by the line clock: networks run on that one."""
    open_already: frozenset[IncidentKind] = frozenset()
    """Its incidents: a word from the cabinet closes them, a restart of ours does not."""
    untrusted_s: float | None = None
    """How long nobody has vouched for its clock, while we could hear it; None: somebody does."""
    told_version: int = 0
    """Of our desired state; 0: there is none yet."""
    held_version: int | None = None
    """As its newest report says; None: there never was one."""
    unlike_s: float = 0.0
    """How long it has held this very version, which is not ours, while we could hear it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that may disagree."""

    keys: tuple[KeyView, ...]
    """At least those that do not hang at home."""
    bookings: tuple[BookingView, ...]
    """At least those whose key is out."""
    cabinets: tuple[CabinetView, ...]
    listening: bool
    """Whether we are connected to the broker: who does not listen cannot call others silent."""
    hits: tuple[BookingHit, ...] = ()
    """Bookings under blocks, that begin within the horizon."""


def reconcile(picture: Picture, rules: FleetRules, now_ms: int) -> tuple[Discrepancy, ...]:
    """All discrepancies that the picture shows."""
    found: list[Discrepancy] = []
    for key in picture.keys:
        found.extend(of_key(key))
    for booking in picture.bookings:
        found.extend(of_booking(booking, rules, now_ms))
    for cabinet in picture.cabinets:
        found.extend(of_cabinet(cabinet, rules, listening=picture.listening))
        found.extend(of_clock(cabinet))
        found.extend(of_desired(cabinet))
    found.extend(of_hit(hit) for hit in picture.hits)
    return tuple(found)


def of_key(key: KeyView) -> Iterator[Discrepancy]:
    """What is wrong with where a key is."""
    if key.state == "taken":
        yield from _of_key_out(key)
    elif key.state == "in_slot" and key.home is not None and key.place != key.home:
        here = key.place[0] == key.home[0]
        kind = IncidentKind.KEY_IN_WRONG_SLOT if here else IncidentKind.KEY_AT_WRONG_STATION
        yield _about_key(key, kind, _place(key.home), _place(key.place))
    elif key.state == "missing":
        expected = f"hangs in {_place(key.place)}"
        yield _about_key(key, IncidentKind.KEY_MISSING, expected, "the slot is empty, no fact says why")


def _of_key_out(key: KeyView) -> Iterator[Discrepancy]:
    booking = key.booking
    if key.command_id is not None:
        if key.ordered_by is None:
            seen = f"taken under unknown command {key.command_id}"
            yield _about_key(key, IncidentKind.KEY_OUT_WITHOUT_RIGHT, "a command of ours", seen)
    elif booking is None:
        seen = "taken without a grant" if key.grant_id is None else f"taken under unknown grant {key.grant_id}"
        yield _about_key(key, IncidentKind.KEY_OUT_WITHOUT_RIGHT, "a grant or a command", seen)
    elif booking.state in FINAL_STATES:
        seen = f"taken under a booking that is {booking.state}"
        yield _about_key(key, IncidentKind.KEY_OUT_WITHOUT_RIGHT, "a booking that holds", seen)
    elif booking.key_id != key.key_id:
        expected = f"key {booking.key_id}"
        yield _about_key(key, IncidentKind.WRONG_KEY_TAKEN, expected, f"key {key.key_id}")


def of_booking(booking: BookingView, rules: FleetRules, now_ms: int) -> Iterator[Discrepancy]:
    """What is wrong with a booking whose key is out. The grace ends before the incident begins."""
    if booking.state is BookingState.ACTIVE and now_ms > booking.end_ms + rules.grace_s * 1000:
        yield Discrepancy(
            IncidentKind.SERVICE_ORDER_OVERDUE if booking.is_order else IncidentKind.KEY_OVERDUE,
            booking.booking_id,
            expected=f"back by {utc_text(booking.end_ms)}",
            seen="the key is out",
            cabinet_id=booking.cabinet_id,
            vehicle_id=booking.vehicle_id,
            booking_id=booking.booking_id,
        )


def of_cabinet(cabinet: CabinetView, rules: FleetRules, *, listening: bool) -> Iterator[Discrepancy]:
    """Whether a cabinet is silent. While we do not listen, that stays as it was."""
    if _is_silent(cabinet, rules) if listening else IncidentKind.CABINET_SILENT in cabinet.open_already:
        yield Discrepancy(
            IncidentKind.CABINET_SILENT,
            cabinet.cabinet_id,
            expected=f"offline for at most {rules.cabinet_silent_s} s, a report every {REPORT_EVERY_S} s",
            seen={True: "online, but without a report", False: "offline", None: "never heard"}[cabinet.online],
            cabinet_id=cabinet.cabinet_id,
        )


def _is_silent(cabinet: CabinetView, rules: FleetRules) -> bool:
    without_report = cabinet.quiet_s > rules.cabinet_silent_s + REPORT_EVERY_S
    if cabinet.online and cabinet.heard:
        return without_report
    if IncidentKind.CABINET_SILENT in cabinet.open_already:
        return True
    if cabinet.online is None:
        return cabinet.quiet_s > rules.cabinet_silent_s
    return without_report if cabinet.online else cabinet.offline_s > rules.cabinet_silent_s


def of_clock(cabinet: CabinetView) -> Iterator[Discrepancy]:
    """Whether nobody vouches for a cabinet's clock for too long. While it is not heard, that stays as it was."""
    if cabinet.untrusted_s is None:
        return
    open_already = IncidentKind.CABINET_CLOCK_NOT_TRUSTED in cabinet.open_already
    if open_already or cabinet.untrusted_s > CLOCK_PATIENCE_S:
        yield Discrepancy(
            IncidentKind.CABINET_CLOCK_NOT_TRUSTED,
            cabinet.cabinet_id,
            expected=f"a clock that the kernel or the dispatcher vouches for within {CLOCK_PATIENCE_S} s",
            seen="nobody vouches for it",
            cabinet_id=cabinet.cabinet_id,
        )


def of_desired(cabinet: CabinetView) -> Iterator[Discrepancy]:
    """Whether a cabinet does not take what it is told. While it is not heard, that stays as it was."""
    held, told = cabinet.held_version, cabinet.told_version
    if held is None or told in {0, held}:
        return
    open_already = IncidentKind.DESIRED_NOT_TAKEN in cabinet.open_already
    if open_already or cabinet.unlike_s > DESIRED_PATIENCE_S:
        yield Discrepancy(
            IncidentKind.DESIRED_NOT_TAKEN,
            cabinet.cabinet_id,
            expected=f"version {told} within {DESIRED_PATIENCE_S} s",
            seen=f"it holds {'an older' if held < told else 'a newer'} one, {held}",
            cabinet_id=cabinet.cabinet_id,
        )


def _about_key(key: KeyView, kind: IncidentKind, expected: str, seen: str) -> Discrepancy:
    return Discrepancy(
        kind,
        key.key_id,
        expected=expected,
        seen=seen,
        cabinet_id=key.place[0],
        vehicle_id=key.vehicle_id,
        booking_id=key.booking.booking_id if key.booking is not None else None,
    )


def _place(place: tuple[str | None, int | None]) -> str:
    cabinet, slot = place
    return f"slot {slot} of {cabinet}"
