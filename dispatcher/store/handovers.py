"""A key taken, a key returned: the slot, the key, the booking, the handover and the rental move together."""

from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from contract.facts import KeyReturned, KeyTaken, VehicleReading
from dispatcher.core.booking_states import BookingEvent
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.picture import BookingView, KeyView
from dispatcher.core.rental_ends import at_return, at_take
from dispatcher.store.applying import RELEASE_OVER, Applying
from dispatcher.store.booking_events import booking_of_grant
from dispatcher.store.commands import grant_of_command, is_known
from dispatcher.store.incidents import close_incident, open_incident, open_subjects
from dispatcher.store.keys import Fob, fob_of, key_state, set_key, settle_key, settle_known_key
from dispatcher.store.later import write_later
from dispatcher.store.odometers import compare_odometer
from dispatcher.store.positions import vehicle_came, vehicle_left
from dispatcher.store.readings import keep_reading
from dispatcher.store.rebinding import bound_to_key
from dispatcher.store.release_codes import command_of_code
from dispatcher.store.schema import facts, handovers, rentals
from dispatcher.store.telling import tell_handover, tell_rental_end

_NEW_HANDOVER, _NEW_RENTAL = insert(handovers).inline(), insert(rentals).inline()
_RENTAL = update(rentals).where(rentals.c.id == bindparam("this"))
_OPEN = select(rentals).where(rentals.c.returned_ms.is_(None)).order_by(rentals.c.id.desc()).limit(1)
_OPEN_OF_KEY = _OPEN.where(rentals.c.key_id == bindparam("this"))
_OPEN_OF_BOOKING = _OPEN.where(rentals.c.booking_id == bindparam("this"))


def key_taken(at: Applying, fact: KeyTaken) -> None:
    """A key left a slot: its booking starts, or goes on after a stop-over."""
    if _is_told_take(at, fact):
        _tells_again(at, fact, "taken")
        return
    at.set_slot(fact.slot, fact.at_ms, key_present=False, key_id=None, identity=None, **RELEASE_OVER)
    for kind in (IncidentKind.LOCK_STUCK, IncidentKind.SLOT_OPENED_NOTHING_TAKEN):
        close_incident(at.connection, kind, at.subject(fact.slot), at.received_ms)
    command_id = fact.command or command_of_code(at.connection, at.cabinet_id, fact.code)
    grant_id = fact.grant
    if grant_id is None and command_id is not None:
        grant_id = grant_of_command(at.connection, at.cabinet_id, command_id, fact.key)
    booking = booking_of_grant(at.connection, grant_id)
    fob = fob_of(at.connection, fact.key)
    vehicle_id = fob.vehicle_id if fob is not None else None
    if booking is not None and fact.key is not None and fact.key != booking.key_id and vehicle_id is not None:
        booking = bound_to_key(at, booking, fact.key, vehicle_id)
    if booking is not None:
        at.tell_booking(booking, BookingEvent.KEY_TAKEN, fact.at_ms)
    who = {
        "booking_id": booking.id if booking is not None else None,
        "vehicle_id": vehicle_id,
        "key_id": fact.key,
        "badge_ref": fact.badge,
    }
    _insert_handover(at, fact, {"kind": "taken", "wrong_slot": False, "command_id": command_id, **who})
    _start_rental(at, fact, who)
    if fob is not None:
        compare_odometer(at, fob.vehicle_id, fact)
        vehicle_left(at, fob)
        close_incident(at.connection, IncidentKind.VEHICLE_HANDED_BACK, fob.vehicle_id, at.received_ms)
    keep_reading(at.connection, vehicle_id, fact.at_ms, fact.vehicle)
    returned_ms = _back_elsewhere_ms(at, fact)
    if returned_ms is not None:
        _is_back_already(at, fact, grant_id, returned_ms)
    elif fact.key is not None:
        right = {"grant_id": grant_id, "command_id": command_id}
        set_key(at.connection, fact.key, state="taken", **right, **_place(at, fact))
        if command_id is not None:
            settle_key(at.connection, fact.key, at.received_ms)
        else:
            settle_known_key(at.connection, _key_view(at, fact, fob, "taken", grant_id), at.received_ms)
    elif fact.grant is None and not is_known(at.connection, at.cabinet_id, command_id):
        _unidentified_key_out(at, fact)


def _key_view(
    at: Applying,
    fact: KeyTaken | KeyReturned,
    fob: Fob | None,
    state: Literal["in_slot", "taken"],
    grant_id: str | None = None,
) -> KeyView:
    """A key that a fact has just moved, under a grant or under no right."""
    assert fact.key is not None, "what moved is known"
    return KeyView(
        key_id=fact.key,
        vehicle_id=fob.vehicle_id if fob is not None else None,
        home=fob.home if fob is not None else None,
        state=state,
        place=(at.cabinet_id, fact.slot),
        grant_id=grant_id,
        booking=_booking_view(at, grant_id),
    )


def _booking_view(at: Applying, grant_id: str | None) -> BookingView | None:
    """The booking of a grant, as it is since the fact moved it."""
    booking = booking_of_grant(at.connection, grant_id)
    if booking is None:
        return None
    return BookingView(
        booking_id=booking.id,
        cabinet_id=booking.cabinet_id,
        vehicle_id=booking.vehicle_id,
        key_id=booking.key_id,
        state=booking.state,
        end_ms=booking.end_ms,
    )


def _is_told_take(at: Applying, fact: KeyTaken) -> bool:
    """Whether a box whose memory was put back tells again, without its right, a take that the ledger has.

    The slot is empty here too, and the key is known to be out or in another place.
    """
    if not fact.seen_late or any(right is not None for right in (fact.grant, fact.command, fact.code)):
        return False
    slot = at.slot_state(fact.slot)
    if slot is None or slot.key_present is not False:
        return False
    if fact.key is None:
        return True
    known = key_state(at.connection, fact.key)
    if known is None or known.state == "missing":
        return False
    return known.state != "in_slot" or (known.cabinet_id, known.slot) != (at.cabinet_id, fact.slot)


def _back_elsewhere_ms(at: Applying, fact: KeyTaken) -> int | None:
    """When the key came into another cabinet, if that was after this take; it was only heard before it."""
    known = key_state(at.connection, fact.key) if fact.key is not None else None
    if known is None or known.state != "in_slot" or known.cabinet_id == at.cabinet_id:
        return None
    return int(known.since_ms) if known.since_ms > fact.at_ms else None


def _is_back_already(at: Applying, fact: KeyTaken, grant_id: str | None, returned_ms: int) -> None:
    booking = booking_of_grant(at.connection, grant_id)
    if booking is not None:
        at.tell_booking(booking, BookingEvent.KEY_RETURNED, returned_ms)
    assert fact.key is not None, "one that is known elsewhere has a name"
    end_rental_of_key(at.connection, fact.key, RentalEnd(returned_ms, None, at.received_ms))


def key_returned(at: Applying, fact: KeyReturned) -> None:
    """A key came into a slot: the right under which it went, told or remembered, is used up or held."""
    if _is_told_return(at, fact):
        _tells_again(at, fact, "returned")
        return
    identity = fact.identity if fact.key is not None else None
    at.set_slot(fact.slot, fact.at_ms, key_present=True, key_id=fact.key, identity=identity)
    close_incident(at.connection, IncidentKind.LOCK_STUCK, at.subject(fact.slot), at.received_ms)
    _close_unidentified(at, fact)
    before = key_state(at.connection, fact.key) if fact.key is not None else None
    went_out = before is not None and before.state == "taken"
    grant_id, badge_ref = fact.grant, fact.badge
    if before is not None and went_out and (before.cabinet_id != at.cabinet_id or grant_id is None):
        grant_id = before.grant_id  # a box remembers who took a key from it, not who took it elsewhere since
    if before is not None and went_out and (before.cabinet_id != at.cabinet_id or badge_ref is None):
        badge_ref = before.badge_ref
    booking = booking_of_grant(at.connection, grant_id)
    if booking is not None:
        event = BookingEvent.HANDED_BACK if fact.handed_back else BookingEvent.KEY_RETURNED
        at.tell_booking(booking, event, fact.at_ms)
    fob = fob_of(at.connection, fact.key)
    vehicle_id = fob.vehicle_id if fob is not None else None
    if fob is not None:
        vehicle_came(at, fob, at_home=fact.at_home)
    if fact.handed_back and vehicle_id is not None:
        _handed_back(at, vehicle_id, booking.id if booking is not None else None)
    who = {
        "booking_id": booking.id if booking is not None else None,
        "vehicle_id": vehicle_id,
        "key_id": fact.key,
        "badge_ref": badge_ref,
    }
    how = {"kind": "returned", "wrong_slot": _wrong_slot(at, fact, fob), "command_id": None}
    _insert_handover(at, fact, how | who)
    _end_rental(at, fact, who["booking_id"])
    keep_reading(at.connection, vehicle_id, fact.at_ms, fact.vehicle)
    if fact.key is not None:
        close_incident(at.connection, IncidentKind.KEY_PROBABLY_IN_CAR, fact.key, at.received_ms)
        at.forget_key_elsewhere(fact.key, fact.slot)
        set_key(at.connection, fact.key, state="in_slot", grant_id=None, command_id=None, **_place(at, fact))
        settle_known_key(at.connection, _key_view(at, fact, fob, "in_slot"), at.received_ms)


def _is_told_return(at: Applying, fact: KeyReturned) -> bool:
    """The same of a return: the slot holds a key here too, and the box cannot say which one came."""
    if not fact.seen_late or fact.key is not None:
        return False
    slot = at.slot_state(fact.slot)
    return slot is not None and bool(slot.key_present)


def _tells_again(at: Applying, fact: KeyTaken | KeyReturned, kind: str) -> None:
    """Name the handover that this fact is another sight of; none is known where only a report told of it."""
    of_slot = select(handovers.c.position).where(
        handovers.c.cabinet_id == at.cabinet_id, handovers.c.slot == fact.slot, handovers.c.kind == kind
    )
    last = at.connection.execute(of_slot.order_by(handovers.c.position.desc()).limit(1)).scalar_one_or_none()
    at.connection.execute(update(facts).where(facts.c.position == at.position).values(repeats=last))


def _place(at: Applying, fact: KeyTaken | KeyReturned) -> dict[str, Any]:
    return {
        "cabinet_id": at.cabinet_id,
        "slot": fact.slot,
        "identity": fact.identity,
        "badge_ref": fact.badge,
        "since_ms": fact.at_ms,
    }


def _wrong_slot(at: Applying, fact: KeyReturned, fob: Fob | None) -> bool:
    """Another slot than the one that was lit, or than the key's own."""
    if fact.lit_slot is not None and fact.lit_slot != fact.slot:
        return True
    return fob is not None and fob.home != (at.cabinet_id, fact.slot)


def _insert_handover(at: Applying, fact: KeyTaken | KeyReturned, row: dict[str, Any]) -> None:
    row |= {
        "position": at.position,
        "cabinet_id": at.cabinet_id,
        "slot": fact.slot,
        "at_ms": fact.at_ms,
        "identity": fact.identity,
    }
    write_later(at.connection, _NEW_HANDOVER, row)
    tell_handover(at.connection, fact, row, at.received_ms)


def _start_rental(at: Applying, fact: KeyTaken, who: dict[str, Any]) -> None:
    reading = at_take(fact.vehicle)
    row = who | {
        "cabinet_id": at.cabinet_id,
        "taken_ms": fact.at_ms,
        "odometer_start_m": reading.odometer_m if reading is not None else None,
        "energy_start_percent": reading.energy_percent if reading is not None else None,
    }
    write_later(at.connection, _NEW_RENTAL, row)


def _end_rental(at: Applying, fact: KeyReturned, booking_id: str | None) -> None:
    """Close the rental of this key; for a key nothing identified, its booking's."""
    end = RentalEnd(fact.at_ms, fact.vehicle, at.received_ms)
    if fact.key is not None:
        end_rental_of_key(at.connection, fact.key, end)
    elif booking_id is not None:
        _close_rental(at.connection, _OPEN_OF_BOOKING, booking_id, end)


class RentalEnd(NamedTuple):
    """How a rental ended."""

    returned_ms: int
    """By the cabinet's clock."""
    reading: VehicleReading | None
    now_ms: int
    """When it is written, by ours."""


def end_rental_of_key(connection: Connection, key_id: str, end: RentalEnd) -> None:
    """Close the newest rental of a key that is open, if any is."""
    _close_rental(connection, _OPEN_OF_KEY, key_id, end)


def end_rental_of_booking(connection: Connection, booking_id: str, end: RentalEnd) -> None:
    """Close the newest rental of a booking that is open, if any is."""
    _close_rental(connection, _OPEN_OF_BOOKING, booking_id, end)


def _close_rental(connection: Connection, newest: Select[Any], of_this: str, end: RentalEnd) -> None:
    rental = connection.execute(newest, {"this": of_this}).mappings().one_or_none()
    if rental is None:
        return
    reading = at_return(end.reading, (end.returned_ms - rental["taken_ms"]) // 1000)
    values = {
        "returned_ms": end.returned_ms,
        "odometer_end_m": reading.odometer_m if reading is not None else None,
        "energy_end_percent": reading.energy_percent if reading is not None else None,
    }
    write_later(connection, _RENTAL, {"this": rental["id"], **values})
    tell_rental_end(connection, {**rental, **values}, end.now_ms)


def _close_unidentified(at: Applying, fact: KeyReturned) -> None:
    """A key came back that may be the one that nothing had read when it left: into its slot, or into another."""
    here = at.subject(fact.slot)
    open_here = sorted(open_subjects(at.connection, IncidentKind.UNIDENTIFIED_KEY_OUT, at.cabinet_id))
    if open_here:
        subject = here if here in open_here else open_here[0]
        close_incident(at.connection, IncidentKind.UNIDENTIFIED_KEY_OUT, subject, at.received_ms)


def _handed_back(at: Applying, vehicle_id: str, booking_id: str | None) -> None:
    """Somebody should look at the vehicle before the next member does; open until its key is taken again."""
    discrepancy = Discrepancy(
        IncidentKind.VEHICLE_HANDED_BACK,
        vehicle_id,
        expected="a vehicle that is driven when its key was taken",
        seen="its key was brought back at once, and the vehicle had hardly moved",
        cabinet_id=at.cabinet_id,
        vehicle_id=vehicle_id,
        booking_id=booking_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)


def _unidentified_key_out(at: Applying, fact: KeyTaken) -> None:
    discrepancy = Discrepancy(
        IncidentKind.UNIDENTIFIED_KEY_OUT,
        at.subject(fact.slot),
        expected="a grant or a command",
        seen=f"a key that nothing had read left slot {fact.slot}",
        cabinet_id=at.cabinet_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)
