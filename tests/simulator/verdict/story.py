"""Tells a day at one cabinet to both sides, the record and the database, so that a test can let them differ."""

from dataclasses import dataclass, field
from typing import Any

from contract.facts import (
    AccessGranted,
    AccessRefused,
    DoorClosed,
    DoorOpened,
    FactBase,
    Identity,
    KeyReturned,
    KeyTaken,
    PinAsked,
    Purpose,
)
from contract.reasons import Reason
from dispatcher.core.rules import FleetRules
from simulator.network.lilas import lilas_network
from simulator.network.model import Card, Key
from simulator.network.wiring import BADGE_READER, RETURN_READER, slot_numbers
from simulator.verdict import Judge, Verdict, reach_verdict
from simulator.verdict.evidence import (
    Badge,
    Booking,
    Evidence,
    Incident,
    KeyState,
    LedgerFact,
    SlotState,
)
from simulator.world.moment import Moment
from simulator.world.record import Deed, Intent, What, WorldRecord
from simulator.world.signals import Signals, Told

NETWORK = lilas_network(seed=1, stations=1)
CABINET = NETWORK.cabinets[0]
KEY, OTHER_KEY = NETWORK.vehicles[0].key, NETWORK.vehicles[1].key
OWNER, STRANGER = [
    member
    for member in NETWORK.members
    if member.old_badge is not None and not member.badges[0].asks_for_pin and len(member.badges) == 2
][:2]
STAFF_CARD = OWNER.badges[1]
RULES = FleetRules()
START_MS = 1_772_427_600_000
MINUTE_S = 60
SPEED = 1.0


def booking_of(
    of: Key = KEY, *, name: str = "booking-1", start_s: int = 0, length_s: int = 3600, **changes: Any
) -> Booking:
    start_ms = START_MS + start_s * 1000
    fields: dict[str, Any] = {
        "id": name,
        "people": frozenset({OWNER.id}),
        "vehicle": of.vehicle,
        "cabinet": CABINET,
        "key": of.id,
        "start_ms": start_ms,
        "end_ms": start_ms + length_s * 1000,
        "take_by_ms": start_ms + RULES.take_by_s * 1000,
        "state": "booked",
        "ended_ms": None,
        "created_ms": START_MS - 3_600_000,
    }
    return Booking(**(fields | changes))


@dataclass
class Story:
    """Times are seconds after `START_MS`, on both clocks. What is told to one side only is a planted fault."""

    record: WorldRecord = field(default_factory=WorldRecord)
    ledger: list[LedgerFact] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    hooks: dict[int, str] = field(default_factory=lambda: {it.key.home_slot: it.key.id for it in NETWORK.vehicles})
    out: set[str] = field(default_factory=set)
    open_slots: set[int] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    trackers: dict[str, list[Told]] = field(default_factory=dict)
    """What trackers told, by vehicle."""

    # --- one side

    def happens(self, at_s: float, deed: Deed) -> None:
        self.record.write(CABINET, Moment(START_MS + round(at_s * 1000), round(at_s * 1e6)), deed)

    def is_told(self, at_s: float, kind: type[FactBase], **fields: Any) -> None:
        seq = len(self.ledger) + 1
        at_ms = START_MS + round(at_s * 1000)
        fact = kind(seq=seq, at_ms=at_ms, clock_trusted=True, **fields)
        self.ledger.append(LedgerFact(seq, CABINET, "e" * 32, seq, fact))  # type: ignore[arg-type]  # a known kind

    def tracker_tells(self, at_s: float, *, outside: bool = False, timed: bool = True, **signals: Any) -> None:
        """The first vehicle's tracker speaks: an electric car that stands in its bay, if nothing else is said."""
        station = NETWORK.stations[0]
        fields: dict[str, Any] = {
            "odometer_m": 1, "energy_percent": 80, "is_electric": True, "charging": False, "plugged_in": True,
            "ignition": False, "moving": False, "doors_open": False, "speed_kmh": 0, "low_voltage_mv": 12_500,
            "latitude": station.latitude + (0.005 if outside else 0.0), "longitude": station.longitude,
        }  # fmt: skip
        told = Told(START_MS + round(at_s * 1000), Signals(**fields | signals), is_timed=timed)
        self.trackers.setdefault(KEY.vehicle, []).append(told)

    # --- both sides

    def shows(self, at_s: float, card: Card, intent: Intent, booking: str | None, **fields: Any) -> None:
        """A card is shown; `granted` says what the box decides (None: refused)."""
        granted = fields.pop("granted", None)
        is_tag = card.kind == "em4100"
        reader = RETURN_READER if is_tag else BADGE_READER
        deed = Deed(
            What.TAG_SHOWN if is_tag else What.BADGE_SHOWN,
            f"member:{OWNER.id}",
            reader=reader,
            credential=card.credential,
            intent=intent,
            booking=booking,
            on_box=fields.pop("on_box", True),
        )
        asks_for_pin = fields.pop("asks_for_pin", False)
        self.happens(at_s, deed)
        if asks_for_pin:
            self.is_told(at_s + 0.1, PinAsked, reader=reader, badge=f"ref{OWNER.id}1")
        elif granted is None:
            self.is_told(at_s + 0.1, AccessRefused, reader=reader, reason=Reason.NO_BOOKING)
            self.refused.append("no_booking")
        else:
            self.is_told(at_s + 0.1, AccessGranted, reader=reader, slot=granted, purpose=Purpose.TAKE)

    def keys_in(self, at_s: float, card: Card, *, is_right: bool, granted: int | None) -> None:
        """A PIN, after a card that was shown to take a key, and what the box decides."""
        deed = Deed(
            What.PIN_KEYED,
            f"member:{OWNER.id}",
            reader=BADGE_READER,
            credential=card.credential,
            intent=Intent.TAKE,
            booking="booking-1",
            on_box=True,
            is_right=is_right,
        )
        self.happens(at_s, deed)
        told: dict[str, Any] = {"reader": BADGE_READER, "with_pin": True}
        if granted is None:
            self.is_told(at_s + 0.1, AccessRefused, reason=Reason.WRONG_PIN, **told)
        else:
            self.is_told(at_s + 0.1, AccessGranted, slot=granted, purpose=Purpose.TAKE, **told)

    def pulses(self, at_s: float, slot: int) -> None:
        self.happens(at_s, Deed(What.LOCK_PULSED, "lock board", slot, self.hooks.get(slot)))

    def opens(self, at_s: float, slot: int) -> None:
        self.open_slots.add(slot)
        self.happens(at_s, Deed(What.DOOR_OPENED, "spring", slot))
        self.is_told(at_s + 0.2, DoorOpened, slot=slot, released=True)

    def closes(self, at_s: float, slot: int) -> None:
        self.open_slots.discard(slot)
        self.happens(at_s, Deed(What.DOOR_CLOSED, f"member:{OWNER.id}", slot))
        self.is_told(at_s + 0.2, DoorClosed, slot=slot)

    def removes(self, at_s: float, slot: int) -> None:
        key = self.hooks.pop(slot)
        self.out.add(key)
        self.happens(at_s, Deed(What.KEY_REMOVED, f"member:{OWNER.id}", slot, key))
        self.is_told(at_s + 0.2, KeyTaken, slot=slot, identity=Identity.PRESUMED, key=key)

    def inserts(self, at_s: float, slot: int, key: str) -> None:
        self.out.discard(key)
        self.hooks[slot] = key
        self.happens(at_s, Deed(What.KEY_INSERTED, f"member:{OWNER.id}", slot, key))
        self.is_told(at_s + 0.2, KeyReturned, slot=slot, identity=Identity.READ, key=key)

    # --- scenes

    def takes(self, at_s: float, booking: Booking, intent: Intent = Intent.TAKE) -> None:
        slot = next(slot for slot, key in self.hooks.items() if key == booking.key)
        self.shows(at_s, OWNER.badges[0], intent, booking.id, granted=slot)
        self.pulses(at_s + 0.3, slot)
        self.opens(at_s + 0.3, slot)
        self.removes(at_s + 1.2, slot)
        self.closes(at_s + 2.1, slot)

    def brings_back(self, at_s: float, key: Key = KEY, *, into: int | None = None) -> None:
        lit, slot = key.home_slot, into or key.home_slot
        self.shows(at_s, key.tag, Intent.BRING_BACK, None, granted=lit)
        self.pulses(at_s + 0.3, lit)
        self.opens(at_s + 0.3, lit)
        self.inserts(at_s + 1.2, slot, key.id)
        for number in sorted({slot, lit} & self.open_slots):
            self.closes(at_s + 2.1 + number, number)

    # --- the verdict

    def evidence(self, **changes: Any) -> Evidence:
        badges = {}
        for member in NETWORK.members:
            for number, card in enumerate(member.badges):
                badges[card.credential] = Badge(f"ref{member.id}{number}", member.id, is_active=True)
            if member.old_badge is not None:
                badges[member.old_badge.credential] = Badge(f"old{member.id}", member.id, is_active=False)
        keys = {key: KeyState("in_slot", CABINET, slot) for slot, key in self.hooks.items()}
        keys |= {key: KeyState("taken", CABINET, None) for key in self.out}
        slots = {
            (CABINET, slot): SlotState(slot in self.hooks, slot in self.open_slots, self.hooks.get(slot))
            for slot in slot_numbers()
        }
        fields: dict[str, Any] = {
            "bookings": tuple(self.bookings),
            "ledger": tuple(self.ledger),
            "badges": badges,
            "keys": keys,
            "slots": slots,
            "incidents": tuple(self.incidents),
            "refusals": tuple(self.refused),
            "handovers": (),
        }
        return Evidence(**(fields | changes))

    def verdict(self, end_s: float, evidence: Evidence | None = None) -> Verdict:
        judge = Judge(NETWORK, evidence or self.evidence(), RULES, SPEED, told=self.trackers)
        return reach_verdict(judge, self.record, Moment(START_MS + round(end_s * 1000), round(end_s * 1e6)))


def good_rental(**changes: Any) -> Story:
    """Taken on time, brought back in time; the booking is completed."""
    fields: dict[str, Any] = {"state": "completed", "ended_ms": START_MS + 2600 * 1000}
    booking = booking_of(**(fields | changes))
    story = Story(bookings=[booking])
    story.takes(60, booking)
    story.brings_back(2000)
    return story


def only_broken(verdict: Verdict, promise: str) -> tuple[str, ...]:
    """The counterexamples of the one promise that broke."""
    broken = {name: it.counterexamples for name, it in verdict.promises.items() if not it.held}
    assert list(broken) == [promise], broken
    return broken[promise]
