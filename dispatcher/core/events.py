"""What the dispatcher tells others: every kind of event in one table, with what it says.

An event names records by their ids and says what became of them; who wants more asks the API. Names, plates,
UIDs and texts are in none. Ids of members stand in fields of their own (`PERSONAL`), which a subscriber gets only
where its subscription says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dispatcher.core.booking_states import BookingState

PERSONAL = "personal"
_PERSONAL = Field(json_schema_extra={PERSONAL: True})
RecordId = Annotated[str, Field(max_length=64, description="opaque")]
SUBJECT_CHARACTERS_MAX = 128  # as the column: a collection and an id of 64


class EventData(BaseModel):
    """Base of what events say. Times are UTC; a field may come with a later version, none changes its meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BookingData(EventData):
    """A booking, or a service order, as it is after the change."""

    booking_id: RecordId
    version: int
    """Goes up with each change: what has a lower one than you know is old news."""
    why: Annotated[str, Field(max_length=64)]
    """What happened to it, as its history says: `created`, `changed`, `key_taken`, `hold_elapsed`, ..."""
    state: BookingState
    purpose: Annotated[str, Field(max_length=64)] | None
    """What a service order holds the vehicle for, such as `cleaning`; null: it is a member's booking."""
    vehicle_id: RecordId
    category: RecordId | None
    """Set where a category was booked: the vehicle is then the planned one."""
    station_id: RecordId
    cabinet_id: RecordId
    organisation_id: RecordId | None
    """On whose account it is."""
    start: datetime
    end: datetime
    original_start: datetime
    """As it was booked first; never changed."""
    taken_at: datetime | None
    """When its key was taken first."""
    returned_at: datetime | None
    ended_at: datetime | None
    """When it reached a final state."""
    member_id: Annotated[RecordId | None, _PERSONAL] = None
    """The owner, or who has the order."""
    driver_ids: Annotated[tuple[RecordId, ...] | None, _PERSONAL] = None
    """Who may drive beside the owner."""


class SwapData(EventData):
    """Another vehicle that a booking is offered, since its own may not be back in time."""

    booking_id: RecordId
    offer_id: RecordId
    state: Annotated[str, Field(max_length=64)]
    """`offered`, `accepted`, `declined`, `withdrawn` or `taken`."""
    why: Annotated[str, Field(max_length=64)] | None
    """Why it is over, such as `not_needed`; null: it is open."""
    instead_of: RecordId
    """The vehicle of the booking until then."""
    vehicle_id: RecordId
    cabinet_id: RecordId
    distance_m: int
    """Metres from the booking's station; 0: at the same."""
    until: datetime
    """When an open offer ends by itself."""
    member_id: Annotated[RecordId | None, _PERSONAL] = None
    """The booking's owner."""


class HandoverData(EventData):
    """A key left a slot or came into one: what the cabinet saw."""

    position: int
    """Of the fact in the ledger."""
    at: datetime
    """By the cabinet's clock."""
    cabinet_id: RecordId
    slot: int
    key_id: RecordId | None
    """Null: nothing identified it."""
    vehicle_id: RecordId | None
    booking_id: RecordId | None
    """Null: under no booking's right."""
    identity: Literal["read", "presumed", "unknown"]
    """How the key is known: by its tag, or by its slot."""
    wrong_slot: bool
    """It was returned into another slot than its own, or than the one that was lit."""


class RentalData(EventData):
    """From the key taken to the key returned."""

    rental_id: int
    booking_id: RecordId | None
    vehicle_id: RecordId | None
    key_id: RecordId | None
    taken_at: datetime
    returned_at: datetime
    odometer_start_m: int | None
    """Metres. Null here and below: the vehicle did not say."""
    odometer_end_m: int | None
    energy_start_percent: int | None
    """Fuel or charge, 0 to 100."""
    energy_end_percent: int | None


class IncidentData(EventData):
    """A discrepancy between what should be and what is. Its texts are in the API."""

    incident_id: RecordId
    kind: Annotated[str, Field(max_length=64)]
    """A word of the runbooks, such as `key_overdue`."""
    severity: Literal["info", "warning", "urgent"]
    cabinet_id: RecordId | None
    vehicle_id: RecordId | None
    booking_id: RecordId | None
    opened_at: datetime
    closed_at: datetime | None
    acknowledged_at: datetime | None
    """When somebody said that they have seen it."""
    is_assigned: bool
    """Somebody looks after it."""
    reopened: int
    """How often it came back soon after it had closed."""


class RecordData(EventData):
    """A record of the network or of people was made or changed, by a caller of the API."""

    collection: Annotated[str, Field(max_length=64)]
    """As the API's paths, such as `vehicles`; `key_tags` and `badge_pins` are parts of keys and badges."""
    record_id: RecordId | None
    """Of a key for `key_tags`, of a badge for `badge_pins`, `CABINET/SLOT` for `slots`; null for `members`."""
    fields: tuple[Annotated[str, Field(max_length=64)], ...]
    """What is different, by column; neither value."""
    member_id: Annotated[RecordId | None, _PERSONAL] = None
    """The record's id where `collection` is `members`."""


class TestData(EventData):
    """Nothing happened: somebody tries whether a subscription's receiver hears."""

    __test__ = False  # no class of tests
    webhook_id: RecordId


@dataclass(frozen=True, slots=True)
class EventRule:
    data: type[EventData]
    when: str
    """In words."""


RECORD_CREATED, RECORD_CHANGED = "record.created", "record.changed"
WEBHOOK_TEST = "webhook.test"
"""Told to the one subscription that asked for it."""

_STATES: Mapping[str, str] = {
    "created": "It was made.",
    "changed": "Its window, vehicle or drivers are others than before; its state is the same.",
    "cancelled": "It was cancelled, by a caller or since the station let the member down.",
    "started": "Its key was taken for the first time.",
    "resumed": "Its key was taken again, after a stop-over.",
    "returned": "Its key is back; the right to take it again may still hold for a while.",
    "completed": "It is over.",
    "no_show": "Its key was not taken in time.",
}
_SWAPS: Mapping[str, str] = {
    "booking.swap_offered": "Its vehicle may not be back in time: another is held for it until its member answers.",
    "booking.swap_ended": "That offer was accepted, declined or withdrawn, or its key was taken.",
}
_HANDOVERS: Mapping[str, str] = {
    "key.taken": "A key left a slot, under whatever right, or none.",
    "key.returned": "A key came into a slot.",
}
_INCIDENTS: Mapping[str, str] = {
    "incident.opened": "Something is not as it should be.",
    "incident.updated": "What is expected or seen of an open incident is different now.",
    "incident.closed": "It is as it should be again.",
    "incident.acknowledged": "An operator has seen it.",
    "incident.assigned": "It was given to somebody, or to nobody.",
    "incident.commented": "Somebody wrote down what was found or done.",
}

EVENTS: Mapping[str, EventRule] = MappingProxyType(
    {
        **{
            f"{what}.{state}": EventRule(BookingData, when)
            for what in ("booking", "order")
            for state, when in _STATES.items()
        },
        **{kind: EventRule(SwapData, when) for kind, when in _SWAPS.items()},
        **{kind: EventRule(HandoverData, when) for kind, when in _HANDOVERS.items()},
        "rental.ended": EventRule(RentalData, "A rental is over: odometer and energy at both ends."),
        **{kind: EventRule(IncidentData, when) for kind, when in _INCIDENTS.items()},
        RECORD_CREATED: EventRule(RecordData, "A vehicle, key, member, badge, block, ... is new."),
        RECORD_CHANGED: EventRule(RecordData, "One of them is different: which fields, and neither value."),
        WEBHOOK_TEST: EventRule(TestData, "Somebody asked for a test of this subscription."),
    }
)
"""Every kind. Its full type on the wire has the prefix of the configuration before it."""


def personal_fields(model: type[EventData]) -> frozenset[str]:
    """The names of the fields that hold ids of members."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get(PERSONAL)
    )


_BY_STATE: Mapping[BookingState, str] = MappingProxyType(
    {
        BookingState.BOOKED: "changed",
        BookingState.ACTIVE: "started",
        BookingState.RETURNED: "returned",
        BookingState.COMPLETED: "completed",
        BookingState.CANCELLED: "cancelled",
        BookingState.NO_SHOW: "no_show",
    }
)


def booking_event(before: BookingState | None, after: BookingState) -> str:
    """What a change of state is, the last word of its event's kind; `before` None: it is new."""
    if before is None:
        return "created"
    if before is after:
        return "changed"
    if before is BookingState.RETURNED and after is BookingState.ACTIVE:
        return "resumed"
    return _BY_STATE[after]
