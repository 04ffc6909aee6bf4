"""Names what does not agree in a picture of the fleet. Level-triggered: run it again at any time.

What only a moment's fact can tell (a device lost, a stuck lock) is opened and closed where facts are
applied; `dispatcher.core.incidents` says which kinds those are.
"""

from collections.abc import Iterator

from dispatcher.core.blocks import of_hit
from dispatcher.core.booking_states import FINAL_STATES, BookingState
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.picture import BookingView, CabinetView, DoorView, KeyView, NeedView, Picture, TrackerView
from dispatcher.core.rules import FleetRules
from dispatcher.core.silence import of_silences
from dispatcher.core.windows import HOUR_MS, utc_text

CLOCK_PATIENCE_S = 300  # a box asks for the time every second and has it in seconds: a boot is over long before
DESIRED_PATIENCE_S = 120  # it is told again every 10 s: twelve times in vain are no accident
FACTS_PATIENCE_S = 300  # a batch is sent again after 20 s at most: fifteen times without a step are no accident


def reconcile(picture: Picture, rules: FleetRules, now_ms: int) -> tuple[Discrepancy, ...]:
    """All discrepancies that the picture shows."""
    found: list[Discrepancy] = []
    for key in picture.keys:
        found.extend(of_key(key))
    for booking in picture.bookings:
        found.extend(of_booking(booking, rules, now_ms))
    for booking in picture.hanging:
        found.extend(of_key_that_hangs(booking))
    found.extend(of_silences(picture, rules))
    for cabinet in picture.cabinets:
        found.extend(of_clock(cabinet))
        found.extend(of_desired(cabinet))
        found.extend(of_facts(cabinet))
        found.extend(of_slots(cabinet))
    for door in picture.doors:
        found.extend(of_door(door, rules))
    for tracker in picture.trackers:
        found.extend(of_tracker(tracker, rules))
    for need in picture.needs:
        found.extend(of_need(need, rules, now_ms))
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


def of_key_that_hangs(booking: BookingView) -> Iterator[Discrepancy]:
    """A booking that runs, and whose key hangs in a slot: the return was lost, or was never told."""
    if booking.state is BookingState.ACTIVE and booking.hangs_in is not None:
        yield Discrepancy(
            IncidentKind.BOOKING_ACTIVE_KEY_IN_SLOT,
            booking.booking_id,
            expected="its key out, or the booking returned",
            seen=f"key {booking.key_id} hangs in {_place(booking.hangs_in)}",
            cabinet_id=booking.hangs_in[0],
            vehicle_id=booking.vehicle_id,
            booking_id=booking.booking_id,
        )


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


def of_facts(cabinet: CabinetView) -> Iterator[Discrepancy]:
    """Whether facts are missing that a cabinet has noted. While it is not heard, that stays as it was."""
    if cabinet.told_seq <= cabinet.known_seq:
        return
    open_already = IncidentKind.FACTS_MISSING in cabinet.open_already
    if open_already or cabinet.stuck_s > FACTS_PATIENCE_S:
        yield Discrepancy(
            IncidentKind.FACTS_MISSING,
            cabinet.cabinet_id,
            expected=f"each fact within {FACTS_PATIENCE_S} s of the report that includes it",
            seen=f"it noted {cabinet.told_seq} facts, the ledger goes on from {cabinet.known_seq} no more",
            cabinet_id=cabinet.cabinet_id,
        )


def of_slots(cabinet: CabinetView) -> Iterator[Discrepancy]:
    """Whether a cabinet will have no slot left once every key that lives there is back."""
    all_known = cabinet.slots > 0 and cabinet.slots_known == cabinet.slots
    if all_known and cabinet.hanging + cabinet.due_back >= cabinet.slots:
        yield Discrepancy(
            IncidentKind.CABINET_NEARLY_FULL,
            cabinet.cabinet_id,
            expected=f"one of {cabinet.slots} slots free when all keys are back",
            seen=f"{cabinet.hanging} keys hang there, {cabinet.due_back} are due back",
            cabinet_id=cabinet.cabinet_id,
        )


def of_door(door: DoorView, rules: FleetRules) -> Iterator[Discrepancy]:
    """Whether a slot was left open. While nobody can see it, that stays as it was."""
    left_open = door.open_ms > rules.door_open_s * 1000 and door.is_seen
    if left_open or door.open_already:
        yield Discrepancy(
            IncidentKind.DOOR_LEFT_OPEN,
            f"{door.cabinet_id}/{door.slot}",
            expected=f"shut within {rules.door_open_s} s",
            seen=f"{_place((door.cabinet_id, door.slot))} stands open",
            cabinet_id=door.cabinet_id,
        )


def of_tracker(tracker: TrackerView, rules: FleetRules) -> Iterator[Discrepancy]:
    """Whether a vehicle is silent that has spoken before. While its cabinet is not heard, that stays as it was."""
    is_silent = tracker.quiet_ms > rules.vehicle_silent_h * HOUR_MS
    if is_silent and (tracker.is_heard or tracker.open_already):
        yield Discrepancy(
            IncidentKind.VEHICLE_SILENT,
            tracker.vehicle_id,
            expected=f"a word of its tracker every {rules.vehicle_silent_h} h",
            seen="none",
            cabinet_id=tracker.cabinet_id,
            vehicle_id=tracker.vehicle_id,
        )


def of_need(need: NeedView, rules: FleetRules, now_ms: int) -> Iterator[Discrepancy]:
    """Whether a vehicle has too little energy for a booking that begins soon."""
    needed = rules.energy_for(need.category, need.end_ms - need.start_ms)
    may_be_full_by_then = need.charging and now_ms < need.start_ms
    if needed is None or need.energy_percent >= needed or may_be_full_by_then:
        return
    yield Discrepancy(
        IncidentKind.VEHICLE_NOT_READY,
        need.booking_id,
        expected=f"{needed} % for its booking at {utc_text(need.start_ms)}",
        seen=f"it has {need.energy_percent} %",
        cabinet_id=need.cabinet_id,
        vehicle_id=need.vehicle_id,
        booking_id=need.booking_id,
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
