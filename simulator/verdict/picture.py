"""The last two promises: no vehicle is booked twice, and the picture converges.

The picture is judged at the end of a run, when everything has been told: where each key hangs, what each slot
shows, which bookings are active, and which incidents are open or have been.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from dispatcher.core.windows import utc_text
from simulator.network.wiring import slot_numbers
from simulator.verdict.evidence import Booking, Evidence, Incident
from simulator.verdict.replay import (
    CabinetScene,
    Outing,
    Stay,
    arrivals,
    back_ms,
    keys_out,
    last_scene,
    replay,
    stays_elsewhere,
)
from simulator.verdict.rights import Judge
from simulator.verdict.slots import LEFT_OPEN, is_shown, left_open
from simulator.verdict.vehicles import is_told, wrong_words
from simulator.world.moment import Moment
from simulator.world.record import What, WorldRecord

SETTLES_WITHIN_US = 10_000_000  # timed work runs every few seconds of line time: younger things may go either way
LIVE = frozenset({"booked", "active", "returned"})
WRONG_SLOT = "key_in_wrong_slot"
WRONG_STATION = "key_at_wrong_station"
HANDED_BACK = "vehicle_handed_back"
OVERDUE = "key_overdue"


def double_bookings(evidence: Evidence) -> Iterator[str]:
    """Every two bookings that held one vehicle at one time."""
    by_vehicle: dict[str, list[Booking]] = {}
    for booking in evidence.bookings:
        by_vehicle.setdefault(booking.vehicle, []).append(booking)
    for bookings in by_vehicle.values():
        for one, other in combinations(bookings, 2):
            if _clash(one, other):
                yield (
                    f"vehicle {one.vehicle} is held by {one.id} ({one.state}) and {other.id} ({other.state}) "
                    f"from {utc_text(max(one.start_ms, other.start_ms))} "
                    f"to {utc_text(min(one.end_ms, other.end_ms))}"
                )


def _clash(one: Booking, other: Booking) -> bool:
    if one.state in LIVE and other.state in LIVE:
        return one.start_ms < other.end_ms and other.start_ms < one.end_ms
    (from_ms, until_ms), (other_from_ms, other_until_ms) = _held(one), _held(other)
    return max(from_ms, other_from_ms) < min(until_ms, other_until_ms)


def _held(booking: Booking) -> tuple[int, int]:
    """When a booking held its vehicle. What one freed may be booked anew from the running grid step on."""
    until_ms = booking.end_ms if booking.ended_ms is None else min(booking.end_ms, booking.ended_ms)
    return max(booking.start_ms, booking.created_ms), until_ms


def wrong_picture(judge: Judge, record: WorldRecord, end: Moment) -> Iterator[str]:
    """Everything in which the database does not show the world as it is at `end`."""
    scenes = {cabinet: last_scene(judge.network, cabinet, record.of(cabinet)) for cabinet in judge.network.cabinets}
    out = {key: outing for key, outing in keys_out(scenes.values()).items() if _is_ours(judge, key)}
    for cabinet, scene in scenes.items():
        yield from _wrong_slots(judge, cabinet, scene)
        yield from _wrong_keys(judge, cabinet, scene)
    yield from _wrong_keys_out(judge, out)
    yield from _wrong_bookings(judge, out)
    yield from _wrong_incidents(judge, record, end)
    yield from wrong_words(judge, record, end)


def _wrong_slots(judge: Judge, cabinet: str, scene: CabinetScene) -> Iterator[str]:
    evidence = judge.evidence
    for slot in slot_numbers():
        told = evidence.slots.get((cabinet, slot))
        if told is None:
            yield f"{cabinet} slot {slot}: never heard of"
            continue
        hanging = scene.hooks.get(slot)
        if told.key_present is not (hanging is not None):
            yield f"{cabinet} slot {slot}: key_present is {told.key_present}, there hangs {hanging}"
        if told.door_open is not (slot in scene.open_slots):
            yield f"{cabinet} slot {slot}: door_open is {told.door_open}, it is the opposite"
        named = told.key is not None and not judge.excuses.is_disturbed(told.key)
        if hanging is not None and named and told.key != hanging and not judge.excuses.is_disturbed(hanging):
            yield f"{cabinet} slot {slot}: said to hold {told.key}, there hangs {hanging}"


def _wrong_keys(judge: Judge, cabinet: str, scene: CabinetScene) -> Iterator[str]:
    evidence = judge.evidence
    for slot, key in scene.hooks.items():
        if judge.excuses.is_disturbed(key) or not _is_ours(judge, key):
            continue
        told = evidence.keys.get(key)
        if told is None or (told.state, told.cabinet, told.slot) != ("in_slot", cabinet, slot):
            yield f"key {key} hangs in {cabinet} slot {slot}, the database says {told}"


def _is_ours(judge: Judge, key: str) -> bool:
    """Whether a key is of the fleet: of any other the database knows only that something hangs there."""
    return key in judge.network.vehicle_of_key


def _wrong_keys_out(judge: Judge, out: Mapping[str, Outing]) -> Iterator[str]:
    for key in out:
        if judge.excuses.is_disturbed(key):
            continue
        told = judge.evidence.keys.get(key)
        if told is None or told.state != "taken":
            yield f"key {key} is out, the database says {told}"


def _wrong_bookings(judge: Judge, out: Mapping[str, Outing]) -> Iterator[str]:
    """Active are those whose key is out, and no others."""
    evidence = judge.evidence
    active = [booking for booking in evidence.bookings if booking.state == "active"]
    for booking in active:
        if booking.key not in out and not judge.excuses.is_disturbed(booking.key):
            yield f"booking {booking.id} is active, its key {booking.key} hangs in a slot"
    for key, outing in out.items():
        found = [booking.id for booking in active if booking.key == key]
        expected = [] if outing.booking is None else [outing.booking]  # none: under an operator's command
        if found != expected and not judge.excuses.is_disturbed(key):
            yield f"key {key} is out for booking {outing.booking} ({outing.removed}), active is {found or None}"


def _wrong_incidents(judge: Judge, record: WorldRecord, end: Moment) -> Iterator[str]:
    """Each discrepancy of the world has its incident, opened once and closed once; there are no others."""
    for incident in judge.evidence.incidents:
        explained = judge.excuses.explains_incident(incident.kind, incident.subject, incident.opened_ms)
        explained = explained or (incident.kind == HANDED_BACK and _may_be_unused(judge, record, incident))
        explained = explained or is_told(judge, incident) or is_shown(judge, record, incident)
        if incident.kind not in {WRONG_SLOT, WRONG_STATION, OVERDUE, LEFT_OPEN} and not explained:
            yield f"incident {incident.kind} of {incident.subject}, nothing explains it: {incident.seen}"
    stays = [
        stay
        for cabinet in judge.network.cabinets
        for stay in stays_elsewhere(judge.network, cabinet, record.of(cabinet))
    ]
    for kind, here in ((WRONG_SLOT, True), (WRONG_STATION, False)):
        homes = judge.network.vehicle_of_key
        spans = [_stay_span(stay) for stay in stays if (homes[stay.key].key.cabinet == stay.cabinet) is here]
        yield from _compare_incidents(judge, end, kind, spans)
    spans = [span for cabinet in judge.network.cabinets for span in _overdue_spans(judge, record, cabinet, end)]
    yield from _compare_incidents(judge, end, OVERDUE, spans)
    spans = [span for cabinet in judge.network.cabinets for span in _left_open_spans(judge, record, cabinet, end)]
    yield from _compare_incidents(judge, end, LEFT_OPEN, spans)


def _may_be_unused(judge: Judge, record: WorldRecord, incident: Incident) -> bool:
    """Whether a key of the vehicle came back minutes after it had left, some time before the incident.

    Or one that a box may have taken for it.
    """
    if any(
        judge.excuses.is_disturbed(key)
        for key, one in judge.network.vehicle_of_key.items()
        if one.id == incident.subject
    ):
        return True
    within_ms = judge.rules.handed_back_within_s * 1000 + judge.edge_ms
    left_ms: dict[str, int] = {}
    for fact in record:
        key = fact.deed.key or ""
        if key not in judge.network.vehicle_of_key or judge.network.vehicle_of_key[key].id != incident.subject:
            continue
        if fact.deed.what is What.KEY_REMOVED:
            left_ms[key] = fact.moment.at_ms
        elif fact.deed.what is What.KEY_INSERTED and key in left_ms:
            out_ms = fact.moment.at_ms - left_ms.pop(key)
            if out_ms <= within_ms and fact.moment.at_ms <= incident.opened_ms + judge.edge_ms:
                return True
    return False


@dataclass(frozen=True, slots=True)
class Span:
    """What an incident is about, and from when to when it is so, by the wall clock; None: still."""

    subject: str
    since_ms: int
    until_ms: int | None
    cabinet: str
    key: str


def _stay_span(stay: Stay) -> Span:
    until_ms = stay.until.at_ms if stay.until is not None else None
    return Span(stay.key, stay.since.at_ms, until_ms, stay.cabinet, stay.key)


def _left_open_spans(judge: Judge, record: WorldRecord, cabinet: str, end: Moment) -> Iterator[Span]:
    after_ms = judge.rules.door_open_s * 1000
    for door in left_open(record.of(cabinet), after_ms, end.at_ms):
        yield Span(f"{cabinet}/{door.slot}", door.since_ms, door.until_ms, cabinet, key="")


def _overdue_spans(judge: Judge, record: WorldRecord, cabinet: str, end: Moment) -> Iterator[Span]:
    """Every outing that lasted beyond the end and grace of its booking."""
    outings: list[Outing] = []
    scene = None
    for fact, scene in replay(judge.network, cabinet, record.of(cabinet)):
        outing = scene.out.get(fact.deed.key or "")
        if fact.deed.what is What.KEY_INSERTED and outing is not None:
            outings.append(outing)
    if scene is not None:
        outings += scene.out.values()
    hung_up = arrivals(record)
    for outing in outings:
        back_at_ms = back_ms(hung_up, outing)
        booking = judge.evidence.booking_by_id.get(outing.booking or "")
        if booking is None:
            continue
        late_ms = booking.end_ms + judge.rules.grace_s * 1000
        if (end.at_ms if back_at_ms is None else back_at_ms) > late_ms:
            yield Span(booking.id, max(late_ms, outing.removed.moment.at_ms), back_at_ms, cabinet, booking.key)


def _compare_incidents(judge: Judge, end: Moment, kind: str, spans: list[Span]) -> Iterator[str]:
    """As many incidents of a subject as spans, open where a span lasts; short ones may go unnoticed."""
    young_ms = judge.wall_ms(SETTLES_WITHIN_US)
    disturbed = {span.subject for span in spans if judge.excuses.is_disturbed(span.key)}
    disturbed |= {
        incident.subject
        for incident in judge.evidence.incidents
        if incident.kind == kind and judge.excuses.explains_incident(kind, incident.subject, incident.opened_ms)
    }
    spans = [span for span in spans if span.subject not in disturbed]
    possible = Counter(span.subject for span in spans)
    certain = Counter(span.subject for span in spans if _is_certain(judge, end, span, young_ms))
    told = [i for i in judge.evidence.incidents if i.kind == kind and i.subject not in disturbed]
    opened = Counter(i.subject for i in told)
    is_open = {i.subject for i in told if i.is_open}
    for subject in sorted(possible.keys() | opened.keys()):
        if not certain[subject] <= opened[subject] <= possible[subject]:
            expected = f"{certain[subject]} to {possible[subject]}"
            yield f"incident {kind} of {subject} was opened {opened[subject]} times, expected {expected}"
    lasting = {span.subject: span.since_ms for span in spans if span.until_ms is None}
    awaited = {span.subject for span in spans if judge.excuses.is_waited_for(span.cabinet)}
    ended = {span.subject: span.until_ms for span in spans if span.until_ms is not None}
    for subject in sorted(is_open - lasting.keys()):
        if end.at_ms - ended.get(subject, 0) > young_ms:
            yield f"incident {kind} of {subject} is still open"
    for subject in sorted(lasting.keys() - is_open - awaited):
        if end.at_ms - lasting[subject] > young_ms:
            yield f"incident {kind} of {subject} is not open"


def _is_certain(judge: Judge, end: Moment, span: Span, young_ms: int) -> bool:
    """Whether the incident of a span must have been opened: it lasted, and it was known while it did."""
    until_ms = end.at_ms if span.until_ms is None else span.until_ms
    if until_ms - span.since_ms <= young_ms or judge.excuses.is_waited_for(span.cabinet):
        return False
    return span.until_ms is None or not judge.excuses.may_go_unnoticed(span.cabinet, span.since_ms, until_ms)
