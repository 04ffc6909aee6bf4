"""Events out of rows: what the places that change bookings, keys and incidents call."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from contract.facts import KeyReturned, KeyTaken
from dispatcher.core.booking_states import BookingState
from dispatcher.core.events import (
    RECORD_CHANGED,
    RECORD_CREATED,
    BookingData,
    HandoverData,
    IncidentData,
    RecordData,
    RentalData,
    booking_event,
)
from dispatcher.core.windows import to_utc
from dispatcher.store.bookings import Booking
from dispatcher.store.outbox import Event, emit
from dispatcher.store.schema import incidents


def tell_booking(connection: Connection, before: BookingState | None, after: Booking, why: str) -> None:
    """A booking or a service order was written.

    Args:
        connection: of the transaction that wrote it.
        before: its state until then; None: it is new.
        after: as it was written.
        why: the word of its history.
    """
    data = BookingData(
        booking_id=after.id,
        version=after.version,
        why=why,
        state=after.state,
        purpose=after.purpose,
        vehicle_id=after.vehicle_id,
        category=after.category,
        station_id=after.station_id,
        cabinet_id=after.cabinet_id,
        organisation_id=after.organisation_id,
        start=to_utc(after.start_ms),
        end=to_utc(after.end_ms),
        original_start=to_utc(after.original_start_ms),
        taken_at=_instant(after.taken_ms),
        returned_at=_instant(after.returned_ms),
        ended_at=_instant(after.ended_ms),
        member_id=after.member_id,
        driver_ids=after.driver_ids,
    )
    what = "booking" if after.purpose is None else "order"
    kind = f"{what}.{booking_event(before, after.state)}"
    emit(connection, Event(kind, f"{what}s/{after.id}", after.changed_ms, data))


def tell_handover(connection: Connection, fact: KeyTaken | KeyReturned, row: dict[str, Any], now_ms: int) -> None:
    """A key was taken or returned; `row` is the handover as it was written."""
    key_id, cabinet_id = row["key_id"], row["cabinet_id"]
    data = HandoverData(
        position=row["position"],
        at=to_utc(fact.at_ms),
        cabinet_id=cabinet_id,
        slot=fact.slot,
        key_id=key_id,
        vehicle_id=row["vehicle_id"],
        booking_id=row["booking_id"],
        identity=fact.identity,
        wrong_slot=row["wrong_slot"],
    )
    subject = f"keys/{key_id}" if key_id is not None else f"cabinets/{cabinet_id}"
    emit(connection, Event(f"key.{row['kind']}", subject, now_ms, data))


def tell_rental_end(connection: Connection, rental: Mapping[Any, Any], now_ms: int) -> None:
    """A rental was closed; `rental` is its row since."""
    data = RentalData(
        rental_id=rental["id"],
        booking_id=rental["booking_id"],
        vehicle_id=rental["vehicle_id"],
        key_id=rental["key_id"],
        taken_at=to_utc(rental["taken_ms"]),
        returned_at=to_utc(rental["returned_ms"]),
        odometer_start_m=rental["odometer_start_m"],
        odometer_end_m=rental["odometer_end_m"],
        energy_start_percent=rental["energy_start_percent"],
        energy_end_percent=rental["energy_end_percent"],
    )
    emit(connection, Event("rental.ended", f"rentals/{rental['id']}", now_ms, data))


def tell_record(  # a change has as many sides
    connection: Connection, collection: str, record_id: str, fields: Sequence[str], now_ms: int, *, is_new: bool
) -> None:
    """A row of the network or of people was made or changed. A member's id is for those who may have it."""
    is_member = collection == "members"
    data = RecordData(
        collection=collection,
        record_id=None if is_member else record_id,
        fields=tuple(name for name in fields if name != "origin"),
        member_id=record_id if is_member else None,
    )
    subject = collection if is_member else f"{collection}/{record_id}"
    emit(connection, Event(RECORD_CREATED if is_new else RECORD_CHANGED, subject, now_ms, data))


_INCIDENT = select(incidents).where(incidents.c.id == bindparam("this"))


def tell_incident(connection: Connection, kind: str, incident_id: int, now_ms: int) -> None:
    """Something became of an incident: `kind` is the event's, such as `incident.opened`."""
    incident = connection.execute(_INCIDENT, {"this": incident_id}).one()
    data = IncidentData(
        incident_id=incident.ref,
        kind=incident.kind,
        severity=incident.severity,
        cabinet_id=incident.cabinet_id,
        vehicle_id=incident.vehicle_id,
        booking_id=incident.booking_id,
        opened_at=to_utc(incident.opened_ms),
        closed_at=_instant(incident.closed_ms),
        acknowledged_at=_instant(incident.acknowledged_ms),
        is_assigned=incident.assigned_to is not None,
        reopened=incident.reopened,
    )
    emit(connection, Event(kind, f"incidents/{incident.ref}", now_ms, data))


def _instant(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else to_utc(at_ms)
