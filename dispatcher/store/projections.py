"""Which fact changes what: one handler for each kind that changes something here.

A handler never fails for what a fact names: an unknown key, grant or badge is kept as it was said.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import insert

from contract.facts import (
    AccessGranted,
    AccessRefused,
    AgentStarted,
    CabinetInput,
    CabinetInputChanged,
    ClockTrustChanged,
    CommandDecided,
    DeviceBack,
    DeviceLost,
    DoorClosed,
    DoorOpened,
    EpochStarted,
    Fact,
    FactsNotDurable,
    GrantCompleted,
    InventoryDue,
    KeyReturned,
    KeyTaken,
    PinAsked,
    PinGuessing,
    ReleaseDropped,
    ReleaseFailed,
    UnknownFact,
    VehicleNoticed,
)
from contract.messages import ReplyOutcome
from dispatcher.core.booking_states import BookingEvent
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.applying import RELEASE_OVER, Applying
from dispatcher.store.booking_events import booking_of_grant
from dispatcher.store.commands import keep_outcome
from dispatcher.store.devices import KINDS_OF_LOSS, READER_REPLACED
from dispatcher.store.handovers import key_returned, key_taken
from dispatcher.store.in_vain import in_vain
from dispatcher.store.incidents import close_incident, close_of_cabinet, open_incident, open_subjects
from dispatcher.store.links import heard_of_clock
from dispatcher.store.release_codes import code_used
from dispatcher.store.schema import refusals
from dispatcher.store.service import RELEASE_FAILED
from dispatcher.store.sightings import badge_shown
from dispatcher.store.vehicle_signs import forget_signs, vehicle_noticed

_NEW_REFUSAL = insert(refusals)


def apply(at: Applying, fact: Fact | UnknownFact) -> None:
    """Apply one fact. Kinds without a handler change nothing here."""
    handler = HANDLERS.get(type(fact))
    if handler is not None:
        handler(at, fact)


def _pin_asked(at: Applying, fact: PinAsked) -> None:
    badge_shown(at, fact)


def _access_granted(at: Applying, fact: AccessGranted) -> None:
    """Until this release is over, nobody declares that the right under it was not used."""
    badge_shown(at, fact)
    what_for = {"opened_purpose": fact.purpose, "opened_key": fact.key}
    if fact.grant is not None:
        at.set_slot(fact.slot, fact.at_ms, opened_for=fact.grant, **what_for)
    else:
        at.set_slot(fact.slot, fact.at_ms, **what_for)
    if fact.code is not None:
        code_used(at.connection, at.cabinet_id, fact.code, at.received_ms)


def _access_refused(at: Applying, fact: AccessRefused) -> None:
    badge_shown(at, fact)
    _keep_refusal(at, fact, fact.reason, fact.badge)


def _keep_refusal(at: Applying, fact: AccessRefused | ReleaseFailed, reason: str, badge: str | None) -> None:
    row = {
        "position": at.position,
        "cabinet_id": at.cabinet_id,
        "reason": reason,
        "at_ms": fact.at_ms,
        "badge_ref": badge,
        "grant_id": fact.grant,
    }
    at.connection.execute(_NEW_REFUSAL, row)


def _pin_guessing(at: Applying, fact: PinGuessing) -> None:
    discrepancy = Discrepancy(
        IncidentKind.PIN_GUESSING,
        at.subject(fact.reader),
        expected="members who know their PINs",
        seen=f"{fact.tries} wrong PINs within ten minutes; the cabinet answers slowly",
        cabinet_id=at.cabinet_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)


def _grant_completed(at: Applying, fact: GrantCompleted) -> None:
    booking = booking_of_grant(at.connection, fact.grant)
    if booking is not None:
        at.tell_booking(booking, BookingEvent.SECOND_TAP, fact.at_ms)


def _command_decided(at: Applying, fact: CommandDecided) -> None:
    """What the reply says too: one of them gets through."""
    outcome = ReplyOutcome(fact.outcome)
    keep_outcome(at.connection, at.cabinet_id, fact.command, outcome, fact.reason, at.received_ms)


def _door_opened(at: Applying, fact: DoorOpened) -> None:
    if not fact.released and not (fact.seen_late and _is_known_open(at, fact.slot)):
        _opened_without_decision(at, fact)
    at.set_slot(fact.slot, fact.at_ms, door_open=True)
    close_incident(at.connection, IncidentKind.LOCK_STUCK, at.subject(fact.slot), at.received_ms)


def _is_known_open(at: Applying, slot: int) -> bool:
    """A box whose memory was put back tells again, without its reason, what the ledger has with its reason."""
    known = at.slot_state(slot)
    return known is not None and (bool(known.door_open) or known.opened_for is not None)


def _opened_without_decision(at: Applying, fact: DoorOpened) -> None:
    discrepancy = Discrepancy(
        IncidentKind.SLOT_OPENED_WITHOUT_DECISION,
        at.subject(fact.slot),
        expected=f"slot {fact.slot} opens only when the box releases it",
        seen="it stood open when the box could see it again"
        if fact.seen_late
        else "it opened by itself or by hand",
        cabinet_id=at.cabinet_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)


def _door_closed(at: Applying, fact: DoorClosed) -> None:
    if not fact.seen_late:
        in_vain(at, fact)
    at.set_slot(fact.slot, fact.at_ms, door_open=False, **RELEASE_OVER)
    close_incident(at.connection, IncidentKind.SLOT_OPENED_WITHOUT_DECISION, at.subject(fact.slot), at.received_ms)


def _release_failed(at: Applying, fact: ReleaseFailed) -> None:
    at.set_slot(fact.slot, fact.at_ms, **RELEASE_OVER)
    _keep_refusal(at, fact, RELEASE_FAILED, None)
    discrepancy = Discrepancy(
        IncidentKind.LOCK_STUCK,
        at.subject(fact.slot),
        expected=f"slot {fact.slot} opens",
        seen=f"still shut after {fact.pulses} pulses, the last one {fact.last_result}",
        cabinet_id=at.cabinet_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)


def _release_dropped(at: Applying, fact: ReleaseDropped) -> None:
    """Nobody waits for what comes of it any more."""
    at.set_slot(fact.slot, fact.at_ms, **RELEASE_OVER)


def _cabinet_input_changed(at: Applying, fact: CabinetInputChanged) -> None:
    kind, seen = _OF_INPUT[fact.input]
    if not fact.active:
        close_incident(at.connection, kind, at.cabinet_id, at.received_ms)
        return
    expected = "a cabinet that is shut and has its supply"
    discrepancy = Discrepancy(kind, at.cabinet_id, expected=expected, seen=seen, cabinet_id=at.cabinet_id)
    open_incident(at.connection, discrepancy, at.received_ms)


_OF_INPUT: Mapping[CabinetInput, tuple[IncidentKind, str]] = MappingProxyType(
    {
        CabinetInput.MAINS_LOST: (IncidentKind.MAINS_LOST, "the supply is gone, it runs on its battery"),
        CabinetInput.BATTERY_LOW: (IncidentKind.BATTERY_LOW, "its battery runs down"),
        CabinetInput.TAMPERED: (IncidentKind.CABINET_TAMPERED, "its housing is open"),
        CabinetInput.OVERRIDE: (IncidentKind.CABINET_OVERRIDE, "the mechanical key opened it"),
    }
)


def _inventory_due(at: Applying, fact: InventoryDue) -> None:
    """What had been read there is presumed: here as on the box."""
    at.doubt_identities()
    discrepancy = Discrepancy(
        IncidentKind.INVENTORY_DUE,
        at.cabinet_id,
        expected="keys that nobody moved past the box",
        seen=f"it was opened by hand and shut again; {fact.keys_present} keys hang in it",
        cabinet_id=at.cabinet_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)


def _device_lost(at: Applying, fact: DeviceLost) -> None:
    discrepancy = Discrepancy(
        IncidentKind.DEVICE_LOST,
        at.subject(fact.device),
        expected=f"{fact.device} answers",
        seen=fact.why,
        cabinet_id=at.cabinet_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)
    if fact.why == READER_REPLACED:
        replaced = replace(
            discrepancy,
            kind=IncidentKind.READER_REPLACED,
            expected=f"{fact.device} proves that it has the key of this place",
            seen="what answers has another key, or none",
        )
        open_incident(at.connection, replaced, at.received_ms)


def _device_back(at: Applying, fact: DeviceBack) -> None:
    for kind in KINDS_OF_LOSS:
        close_incident(at.connection, kind, at.subject(fact.device), at.received_ms)


def _facts_not_durable(at: Applying, fact: FactsNotDurable) -> None:
    """It says that the disk can be written again: what it names is over when it is told."""
    discrepancy = Discrepancy(
        IncidentKind.JOURNAL_NOT_DURABLE,
        at.cabinet_id,
        expected="every fact durable before what follows from it",
        seen=f"{fact.count} facts were kept in memory alone, {fact.lost} of them are lost",
        cabinet_id=at.cabinet_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)
    close_incident(at.connection, IncidentKind.JOURNAL_NOT_DURABLE, at.cabinet_id, at.received_ms)


def _agent_started(at: Applying, _fact: AgentStarted) -> None:
    """An agent that starts tells anew which devices it cannot reach, and may be one that writes better facts.

    What it had released before may stand open, its key in somebody's hand: that ends with what it sees.
    """
    for kind in (*KINDS_OF_LOSS, IncidentKind.FACT_UNREADABLE):
        close_of_cabinet(at.connection, kind, at.cabinet_id, at.received_ms)
    heard_of_clock(at.connection, at.cabinet_id, trusted=False)  # who vouched for it before has to say so again


def _clock_trust_changed(at: Applying, fact: ClockTrustChanged) -> None:
    heard_of_clock(at.connection, at.cabinet_id, trusted=fact.source != "none")


def _epoch_started(at: Applying, fact: EpochStarted) -> None:
    """How a box answers that its numbers mean something else here: the new epoch settles it.

    Where the box was the first to notice, or a copy of it had its conflict before, the incident is opened here:
    each time that a box begins anew is one.
    """
    if fact.why == "new_journal":
        at.forget_releases()
    elif at.cabinet_id not in open_subjects(at.connection, IncidentKind.FACTS_CONFLICT, at.cabinet_id):
        discrepancy = Discrepancy(
            IncidentKind.FACTS_CONFLICT,
            at.cabinet_id,
            expected="a box that remembers what it told",
            seen=f"it began a new epoch: {fact.why}",
            cabinet_id=at.cabinet_id,
        )
        open_incident(at.connection, discrepancy, at.received_ms)
    close_of_cabinet(at.connection, IncidentKind.FACTS_CONFLICT, at.cabinet_id, at.received_ms)
    forget_signs(at)


HANDLERS: Mapping[type[Any], Callable[[Applying, Any], None]] = MappingProxyType(
    {
        AccessGranted: _access_granted,
        AccessRefused: _access_refused,
        AgentStarted: _agent_started,
        CabinetInputChanged: _cabinet_input_changed,
        ClockTrustChanged: _clock_trust_changed,
        CommandDecided: _command_decided,
        DeviceBack: _device_back,
        DeviceLost: _device_lost,
        DoorClosed: _door_closed,
        DoorOpened: _door_opened,
        EpochStarted: _epoch_started,
        FactsNotDurable: _facts_not_durable,
        GrantCompleted: _grant_completed,
        InventoryDue: _inventory_due,
        KeyReturned: key_returned,
        KeyTaken: key_taken,
        PinAsked: _pin_asked,
        PinGuessing: _pin_guessing,
        ReleaseDropped: _release_dropped,
        ReleaseFailed: _release_failed,
        VehicleNoticed: vehicle_noticed,
    }
)
