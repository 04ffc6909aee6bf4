"""The first two promises: no key leaves without a right, and a right opens.

What a lock did, which badge was shown and which key hung where comes from the world's record; who may have
which key when comes from the database's bookings and badges.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import utc_text
from simulator.network.model import Network, asks_for_pin
from simulator.network.wiring import slot_numbers
from simulator.verdict.evidence import Booking, Evidence
from simulator.verdict.excuses import Excuses, NoExcuse
from simulator.verdict.replay import CabinetScene, replay
from simulator.world.record import Intent, PhysicalFact, What, WorldRecord
from simulator.world.signals import Told

CARRIED_OUT_US = 12_000_000  # three pulses 1.5 s apart, each up to 3 s in the queue of the lock bus
OPENS_WITHIN_US = 2_000_000  # a poll and a commit are 0.1 s; the rest is for a loaded machine and one lost answer
PROPAGATES_WITHIN_US = 5_000_000  # a cancelled right leaves its box in about a second; resends come after 20 s
REVOKED_WITHIN_US = 15_000_000  # an import is found by the publisher's round of 10 s, and propagates as above
KEYED_WITHIN_US = 8_000_000  # seen within 2 s, and keyed in by the slowest hand
UNCERTAIN_REACH_MS = 12 * 3_600_000  # beyond the earliest that it can be (station_agent/core/rights.py)
EDGE_US = 1_000_000  # either answer is right so close to an edge: a tap and its decision are up to 0.5 s apart
SEEN_AFTER_US = 1_000_000  # a key that was hung up is believed within two looks 200 ms apart


@dataclass(frozen=True, slots=True)
class Judge:
    """What both checks need to know."""

    network: Network
    evidence: Evidence
    rules: FleetRules
    speed: float
    """Wall seconds per line second: how much wall time a while of hands and wires is."""
    excuses: Excuses = field(default_factory=NoExcuse)
    lost: tuple[Booking, ...] = ()
    """Bookings that were made and that a restored database forgot: boxes held them as rights all the same."""
    told: Mapping[str, Sequence[Told]] = field(default_factory=dict)
    """What each vehicle's tracker said, oldest first, by vehicle."""

    def wall_ms(self, line_us: int) -> int:
        return round(line_us * self.speed / 1000)

    @property
    def edge_ms(self) -> int:
        return self.wall_ms(EDGE_US)


def releases_without_right(judge: Judge, record: WorldRecord) -> Iterator[str]:
    """Every pulse on a slot that held a key and that no booking explains."""
    for cabinet in judge.network.cabinets:
        for fact, scene in replay(judge.network, cabinet, record.of(cabinet)):
            opens = fact.deed.slot not in scene.open_slots  # a pulse on an open slot moves nothing
            if fact.deed.what is What.LOCK_PULSED and fact.deed.key is not None and opens:
                fault = _unexplained(judge, fact, scene)
                if fault is not None:
                    yield f"{fact} though {fault}"


def _unexplained(judge: Judge, pulse: PhysicalFact, scene: CabinetScene) -> str | None:
    assert pulse.deed.slot is not None, "a pulse is of a slot"
    if judge.excuses.ordered(pulse.cabinet, pulse.deed.slot, pulse.moment.line_us):
        return None
    shown = scene.last_badge
    if shown is None or pulse.moment.line_us - shown.moment.line_us > CARRIED_OUT_US:
        return "no badge was shown there"
    badge = judge.evidence.badges.get(shown.deed.credential or "")
    if badge is None:
        return f"the badge shown last, {shown.deed.credential}, is nobody's"
    if asks_for_pin(shown.deed.credential or "") and not (scene.last_pin and scene.last_pin.deed.is_right):
        return f"the PIN of the badge shown last, {shown.deed.credential}, was not keyed in"
    revoked_ms, shown_ms = badge.revoked_ms or 0, shown.moment.at_ms
    told = shown_ms > revoked_ms + judge.wall_ms(REVOKED_WITHIN_US)
    if not badge.is_active and told and not judge.excuses.cannot_know(pulse.cabinet, revoked_ms, shown_ms):
        return f"the badge shown last, {shown.deed.credential}, is revoked"
    assert pulse.deed.key is not None, "the caller looks at slots that held a key"
    candidates = [
        booking
        for booking in (*judge.evidence.bookings, *judge.lost)
        if badge.member in booking.people
        and booking.cabinet == pulse.cabinet
        and _takes_for(judge, pulse.deed.key, booking.key)
    ]
    faults = [_not_now(judge, booking, shown, pulse, scene) for booking in candidates]
    if None in faults:
        return None
    return "; ".join(fault for fault in faults if fault) or f"{badge.member} has no booking of {pulse.deed.key}"


def _takes_for(judge: Judge, hanging: str, booked: str) -> bool:
    """Whether a box may rightly presume that what hangs there is the booked key."""
    return hanging == booked or (judge.excuses.is_disturbed(hanging) and judge.excuses.is_disturbed(booked))


def _not_now(
    judge: Judge, booking: Booking, shown: PhysicalFact, pulse: PhysicalFact, scene: CabinetScene
) -> str | None:
    """Why a booking gives no right between the tap and the pulse; None: it does."""
    if _may_be_uncertain(judge, booking, shown, scene):
        return None
    off_ms = judge.excuses.clock_off_ms(pulse.cabinet, shown.moment.line_us)
    tap_ms, pulse_ms = shown.moment.at_ms - off_ms, pulse.moment.at_ms + off_ms
    opens_ms = booking.start_ms - judge.rules.opening_allowance_s * 1000
    if pulse_ms < opens_ms:
        return f"booking {booking.id} opens at {utc_text(opens_ms)}, not at {utc_text(pulse_ms)}"
    if tap_ms >= booking.end_ms:
        return f"booking {booking.id} ended at {utc_text(booking.end_ms)}, before {utc_text(tap_ms)}"
    gone_ms = None if booking.ended_ms is None else booking.ended_ms + judge.wall_ms(PROPAGATES_WITHIN_US)
    told = gone_ms is not None and not judge.excuses.cannot_know(pulse.cabinet, booking.ended_ms or 0, tap_ms)
    if booking.state in {"cancelled", "no_show"} and told and tap_ms > (gone_ms or 0):
        return f"booking {booking.id} is {booking.state} since {utc_text(booking.ended_ms or 0)}"
    if _swapped_back(judge, booking, pulse, scene, tap_ms) or _may_be_unused(judge, booking, scene):
        return None
    backs = [_back_under(booking, scene), _presumed_back(booking, shown, pulse, scene)]
    held = [_may_be_held_until_ms(judge, back) for back in backs if back is not None]
    if not held:
        if tap_ms <= booking.take_by_ms:
            return None
        return f"booking {booking.id} was to be taken by {utc_text(booking.take_by_ms)}, not {utc_text(tap_ms)}"
    if tap_ms <= max(held):
        return None
    return f"booking {booking.id} was returned and held until {utc_text(max(held))}, not {utc_text(tap_ms)}"


def _may_be_uncertain(judge: Judge, booking: Booking, shown: PhysicalFact, scene: CabinetScene) -> bool:
    """Whether a box whose clock nobody vouched for could rightly take it for the key's next, with its PIN."""
    if scene.last_pin is None or not scene.last_pin.deed.is_right or booking.state == "cancelled":
        return False
    if not judge.excuses.clock_is_doubtful(shown.cabinet, shown.moment.line_us):
        return False
    reach_ms = judge.wall_ms(EDGE_US) + UNCERTAIN_REACH_MS
    return booking.start_ms < shown.moment.at_ms + reach_ms and booking.created_ms <= shown.moment.at_ms


def _back_under(booking: Booking, scene: CabinetScene) -> PhysicalFact | None:
    """How the key came back from this booking's rental; None: it has not been taken for it yet."""
    back = scene.back.get(booking.key)
    return back.inserted if back is not None and back.booking == booking.id else None


def _presumed_back(
    booking: Booking, shown: PhysicalFact, pulse: PhysicalFact, scene: CabinetScene
) -> PhysicalFact | None:
    """How another key came that a box presumes to be the booked one, from the hand that now wants it again."""
    hung = scene.back.get(pulse.deed.key or "") if pulse.deed.key != booking.key else None
    return hung.inserted if hung is not None and hung.inserted.deed.who == shown.deed.who else None


def _may_be_unused(judge: Judge, booking: Booking, scene: CabinetScene) -> bool:
    """Whether the key came back so soon that the car was hardly used: then the right stays until its end."""
    back = scene.back.get(booking.key)
    if back is None or back.booking != booking.id or back.out_ms is None:
        return False
    return back.out_ms <= judge.rules.handed_back_within_s * 1000 + judge.edge_ms


def _swapped_back(judge: Judge, booking: Booking, pulse: PhysicalFact, scene: CabinetScene, tap_ms: int) -> bool:
    """Whether the booked key came back a moment ago from whoever had it instead of the one to whom it was handed.

    A box that was given one key for another ends the rental that it knows of, and holds that booking's right.
    """
    hung = scene.back.get(booking.key)
    if hung is None or pulse.deed.key != booking.key or not judge.excuses.is_disturbed(booking.key):
        return False
    return tap_ms <= _may_be_held_until_ms(judge, hung.inserted)


def _said_done(judge: Judge, booking: Booking, back: PhysicalFact, scene: CabinetScene) -> bool:
    """Whether a badge was shown so soon after the return that it meant: the rental is over."""
    tapped = scene.tapped.get(booking.id)
    soon_ms = judge.rules.second_tap_s * 1000 + judge.edge_ms
    return tapped is not None and tapped.moment.at_ms - back.moment.at_ms <= soon_ms


def _held_until_ms(judge: Judge, back: PhysicalFact) -> int:
    return back.moment.at_ms + judge.rules.retake_hold_s * 1000


def _may_be_held_until_ms(judge: Judge, back: PhysicalFact) -> int:
    """The box counts from when it saw the key."""
    return judge.excuses.noticed_ms(back) + judge.rules.retake_hold_s * 1000 + judge.wall_ms(SEEN_AFTER_US)


def rights_not_opened(judge: Judge, record: WorldRecord) -> Iterator[str]:
    """Every card that should have sprung a door within two seconds, and did not."""
    for cabinet in judge.network.cabinets:
        facts = record.of(cabinet)
        for index, (fact, scene) in enumerate(replay(judge.network, cabinet, facts)):
            slots = _should_open(judge, fact, scene)
            if not slots or judge.excuses.need_not_open(cabinet, fact.moment.line_us):
                continue
            later = facts[index + 1 :]
            if not _opened(later, fact, slots) and not _was_asked_for_pin(later, fact):
                due = f"slot {min(slots)}" if len(slots) == 1 else "an empty slot"
                yield f"{fact}: {due} stayed shut for {OPENS_WITHIN_US // 1_000_000} s"


def _opened(later: tuple[PhysicalFact, ...], shown: PhysicalFact, slots: frozenset[int]) -> bool:
    until_us = shown.moment.line_us + OPENS_WITHIN_US
    return any(
        fact.deed.what is What.DOOR_OPENED and fact.deed.slot in slots and fact.moment.line_us <= until_us
        for fact in later
    )


def _was_asked_for_pin(later: tuple[PhysicalFact, ...], shown: PhysicalFact) -> bool:
    """Whether a PIN was keyed in after this card: then that is what has to open."""
    if shown.deed.what is What.PIN_KEYED or not asks_for_pin(shown.deed.credential or ""):
        return False
    until_us = shown.moment.line_us + KEYED_WITHIN_US
    return any(
        fact.deed.what is What.PIN_KEYED and fact.deed.who == shown.deed.who and fact.moment.line_us <= until_us
        for fact in later
    )


def _is_out_of_tries(judge: Judge, fact: PhysicalFact, scene: CabinetScene) -> bool:
    """Whether so many wrong PINs in a row were keyed in for this card that its box refuses it for a while."""
    rules, wrong = judge.rules, scene.wrong_pins.get(fact.deed.credential or "", [])
    recent = [at_ms for at_ms in wrong if fact.moment.at_ms - at_ms < rules.pin_block_s * 1000 + judge.edge_ms]
    return len(wrong) >= rules.pin_tries and bool(recent)


def _should_open(judge: Judge, fact: PhysicalFact, scene: CabinetScene) -> frozenset[int]:
    """The slots of which one must open for this card; none where nothing is promised."""
    if fact.deed.what is What.PIN_KEYED and not fact.deed.is_right:
        return frozenset()
    match fact.deed.intent:
        case Intent.TAKE | Intent.RETAKE:
            if asks_for_pin(fact.deed.credential or "") and _is_out_of_tries(judge, fact, scene):
                return frozenset()
            booking = judge.evidence.booking_by_id.get(fact.deed.booking or "")
            slot = scene.slot_of(booking.key) if booking is not None else None
            if booking is None or slot is None or slot in scene.open_slots:
                return frozenset()
            if judge.excuses.is_disturbed(booking.key):
                return frozenset()
            return frozenset({slot}) if _has_right(judge, booking, fact, scene) else frozenset()
        case Intent.BRING_BACK if any(
            out.removed.deed.who == fact.deed.who and not judge.excuses.is_disturbed(key)
            for key, out in scene.out.items()
        ):
            return frozenset(set(slot_numbers()) - set(scene.hooks) - scene.open_slots)
        case _:
            return frozenset()


def _has_right(judge: Judge, booking: Booking, shown: PhysicalFact, scene: CabinetScene) -> bool:
    """Whether this tap lies well inside a right that its box was known to hold."""
    badge = judge.evidence.badges.get(shown.deed.credential or "")
    tap_ms, edge_ms = shown.moment.at_ms, judge.edge_ms
    if badge is None or badge.member not in booking.people:
        return False
    if not badge.is_active and tap_ms > (badge.revoked_ms or 0) - edge_ms:
        return False
    opens_ms = booking.start_ms - judge.rules.opening_allowance_s * 1000
    back = _back_under(booking, scene)
    if back is None and not shown.deed.on_box:  # once it was taken its box had it, whatever the phone says now
        return False
    over = booking.ended_ms is not None and booking.ended_ms <= tap_ms + edge_ms
    if over and back is not None and booking.state == "completed":  # the database's word alone ends no hold
        over = _said_done(judge, booking, back, scene)
    if over or not opens_ms + edge_ms <= tap_ms < booking.end_ms - edge_ms:
        return False
    if back is None:
        return tap_ms <= booking.take_by_ms - edge_ms
    says_done_until_ms = back.moment.at_ms + judge.rules.second_tap_s * 1000 + edge_ms
    return says_done_until_ms < tap_ms < _held_until_ms(judge, back) - edge_ms
