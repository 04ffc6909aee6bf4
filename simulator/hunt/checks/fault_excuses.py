"""What the spells of a run explain, and for how long. Each number says why it is not larger."""

from collections.abc import Iterator
from functools import cached_property
from itertools import combinations
from typing import Final

from contract.facts import BadFact
from simulator.hunt.checks.shown import badge_sights, is_too_fast
from simulator.hunt.scenario import Run
from simulator.verdict.evidence import Evidence, LedgerFact
from simulator.verdict.replay import replay
from simulator.verdict.rights import CARRIED_OUT_US
from simulator.virtual.spells import HEARING, HEARS_US, Touches
from simulator.virtual.timers import SECOND_US
from simulator.virtual.world import Order
from simulator.world.cabinet import SPRING
from simulator.world.record import PhysicalFact, What

SEES_AGAIN_US: Final = 25 * SECOND_US  # a line is opened again, a lost board asked, within 10 s each, and some
SEES_AHEAD_US: Final = 2 * SECOND_US  # what happened just before may not have been believed yet: two looks
TOLD_WITHIN_MS: Final = 15_000  # a look, a poll, a lock bus that was busy: seconds; whoever comes next comes later
SURELY_WITHIN_MS: Final = 1_000  # nobody shows a card, or shuts a door, twice within a second
CLOCK_SLACK_MS: Final = 300_000  # a step of up to five minutes is believed (architecture.md, clock)
SILENT_BEFORE_US: Final = 1200 * SECOND_US  # called silent at most 15 minutes of quiet after a fault, and some

SEEING = frozenset({Touches.BOX, Touches.LOCKS, Touches.READERS})
OPENING = SEEING | {Touches.CLOCK, Touches.THEFT, Touches.MEMORY}
MOVES: Final = frozenset({What.KEY_REMOVED, What.KEY_INSERTED})

EXPLAINED_BY: Final = {
    "cabinet_silent": HEARING,
    "device_lost": SEEING,
    "lock_stuck": SEEING,
    "facts_conflict": frozenset({Touches.MEMORY}),
    "cabinet_clock_not_trusted": frozenset({Touches.CLOCK, Touches.BOX, Touches.WAY, Touches.CENTRE}),
    "slot_opened_without_decision": SEEING | {Touches.THEFT},
    "unidentified_key_out": SEEING | {Touches.THEFT, Touches.MEMORY},
    "desired_not_taken": HEARING,
    "row_without_origin": frozenset({Touches.THEFT}),
    "cabinets_silent_storm": HEARING,
    "facts_missing": HEARING | {Touches.MEMORY},
    "reader_replaced": frozenset({Touches.READERS, Touches.THEFT}),
    "door_left_open": SEEING | {Touches.THEFT, Touches.MEMORY, Touches.CLOCK},
    "slot_opened_nothing_taken": SEEING | {Touches.MEMORY},
    "cabinet_nearly_full": SEEING | {Touches.MEMORY},
    "reader_tampered": frozenset({Touches.READERS, Touches.THEFT}),
    "journal_not_durable": frozenset({Touches.BOX}),
}
"""Which faults are a reason of which incident; kinds about a key are explained by what happened to the key."""
OF_CLONES: Final = frozenset({"facts_conflict", "device_lost"})
"""What a copy of a box says of itself: other facts under the same numbers, and that it sees no cabinet."""
BY_HAND: Final = {"slot_opened_without_decision": What.DOOR_OPENED, "unidentified_key_out": What.KEY_REMOVED}
ABOUT_KEYS: Final = frozenset(
    {
        "key_missing",
        "key_out_without_right",
        "wrong_key_taken",
        "key_in_wrong_slot",
        "key_at_wrong_station",
        "key_probably_in_car",
    }
)


class FaultExcuses:
    """`simulator.verdict.excuses.Excuses` of one run."""

    def __init__(self, run: Run, evidence: Evidence) -> None:
        self._run = run
        self._key_of_booking = {booking.id: booking.key for booking in evidence.bookings}
        self._credential_of_ref = evidence.credential_of_ref
        self._spells = run.spells
        self._clock = run.world.stage.clock

    def cannot_know(self, cabinet: str, since_ms: int, at_ms: int) -> bool:
        since_us, at_us = self._clock.at_us(since_ms), self._clock.at_us(at_ms)
        return self._spells.clear_from(cabinet, since_us, HEARS_US, HEARING) > at_us and bool(
            self._spells.near(cabinet, since_us, at_us, HEARING, echo_us=HEARS_US)
        )

    def clock_off_ms(self, cabinet: str, at_us: int) -> int:
        noted_us = at_us + SEES_AHEAD_US  # by a clock that may have been set since it happened
        touched = self._spells.near(cabinet, at_us, noted_us, frozenset({Touches.CLOCK}), echo_us=HEARS_US)
        return CLOCK_SLACK_MS if touched else 0

    def need_not_open(self, cabinet: str, at_us: int) -> bool:
        soon_us = at_us + 3 * SECOND_US
        if self._spells.near(cabinet, at_us, soon_us, OPENING, echo_us=SEES_AGAIN_US):
            return True
        if any(self._orders_at(cabinet, at_us)):
            return True  # its slot stands open under the order
        return self._waits_for_the_time(cabinet, at_us, frozenset({Touches.CLOCK}))

    def clock_is_doubtful(self, cabinet: str, at_us: int) -> bool:
        doubted = frozenset({Touches.CLOCK, Touches.BOX, Touches.MEMORY})  # a boot begins without anybody's word
        near = self._spells.near(cabinet, at_us, at_us + SEES_AHEAD_US, doubted, echo_us=HEARS_US)
        return bool(near) or self._waits_for_the_time(cabinet, at_us, doubted)

    def _waits_for_the_time(self, cabinet: str, at_us: int, touches: frozenset[Touches]) -> bool:
        """Who lost its clock waits for the centre's word."""
        for spell in self._spells.near(cabinet, 0, at_us, touches):
            heard_us = self._spells.clear_from(cabinet, spell.until_us, HEARS_US, HEARING | touches)
            if spell.until_us <= at_us < heard_us:
                return True
        return False

    def is_blind(self, cabinet: str, at_us: int) -> bool:
        return bool(self._spells.near(cabinet, at_us, at_us + SEES_AHEAD_US, SEEING, echo_us=SEES_AGAIN_US))

    def noticed_ms(self, fact: PhysicalFact) -> int:
        return fact.moment.at_ms  # a box is back within half a minute, and a hold is ten

    def may_tell_of(self, fact: PhysicalFact, row: LedgerFact) -> bool:
        told = row.fact
        if isinstance(told, BadFact) or getattr(told, "seen_late", False):
            return True
        apart_ms = abs(told.at_ms - fact.moment.at_ms)
        return apart_ms <= TOLD_WITHIN_MS or self.clock_off_ms(fact.cabinet, fact.moment.line_us) > 0

    def tells_of(self, fact: PhysicalFact, row: LedgerFact) -> bool:
        return not isinstance(row.fact, BadFact) and abs(row.fact.at_ms - fact.moment.at_ms) <= SURELY_WITHIN_MS

    def is_disturbed(self, key: str) -> bool:
        return key in self._disturbed or key not in self._run.world.network.vehicle_of_key  # a key of nobody's

    def explains_incident(self, kind: str, subject: str, opened_ms: int) -> bool:
        opened_us = self._clock.at_us(opened_ms)
        if self._spells.of("ledger_restored_echo") and self._is_retold(opened_us):
            return True
        if self._was_done_by_hand(kind, subject, opened_us):
            return True
        if kind in OF_CLONES and self._was_cloned(kind, subject.split("/", 1)[0], opened_us):
            return True
        if kind == "badge_at_two_stations":
            return self._was_at_two_stations(subject, opened_us)
        if kind in ABOUT_KEYS:
            return self.is_disturbed(subject)
        if kind in {"key_overdue", "booking_active_key_in_slot"}:
            return self.is_disturbed(self._key_of_booking.get(subject, ""))
        touches = EXPLAINED_BY.get(kind)
        if touches is None:
            return False
        cabinet = subject.split("/", 1)[0]
        if cabinet not in self._run.world.boxes:  # of a row, or a badge: wherever it was
            return any(spell.touches & touches and spell.from_us <= opened_us for spell in self._spells)
        return bool(self._spells.near(cabinet, self._told_since_us(cabinet, opened_us), opened_us, touches))

    def _was_done_by_hand(self, kind: str, subject: str, opened_us: int) -> bool:
        """A door that a hand forced, and a key that is not of the fleet: in this very slot, before it was told."""
        cabinet, _, slot = subject.partition("/")
        what = BY_HAND.get(kind)
        since_us = self._told_since_us(cabinet, opened_us) if what is not None else 0
        return any(
            fact.deed.what is what
            and str(fact.deed.slot) == slot
            and since_us <= fact.moment.line_us <= opened_us
            and fact.deed.who != SPRING
            and (fact.deed.key is None or fact.deed.key not in self._run.world.network.vehicle_of_key)
            for fact in (self._run.world.record.of(cabinet) if what is not None else ())
        )

    def _was_cloned(self, kind: str, cabinet: str, opened_us: int) -> bool:
        """While a copy of its box speaks in its name, and its words are on their way.

        That both told other facts under the same numbers shows when the box itself next has something to tell.
        """
        for spell in self._spells.of("box_cloned"):
            until_us = spell.until_us + HEARS_US
            if kind == "facts_conflict":
                later = (fact.moment.line_us for fact in self._run.world.record.of(cabinet))
                next_us = next((at_us for at_us in later if at_us > spell.until_us), opened_us)
                until_us = max(until_us, self._spells.clear_from(cabinet, next_us, HEARS_US, HEARING))
            if cabinet in (spell.cabinets or ()) and spell.from_us <= opened_us <= until_us:
                return True
        return False

    def _was_at_two_stations(self, ref: str, opened_us: int) -> bool:
        """Shown at two stations faster than travel, or as it looks to two boxes of which one has a wrong clock."""
        sights = [
            fact
            for fact in badge_sights(self._run).get(self._credential_of_ref.get(ref, ""), [])
            if fact.moment.line_us <= opened_us
        ]
        return any(
            is_too_fast(self._run, one, other, TOLD_WITHIN_MS + self._clocks_off_ms(one, other))
            for one, other in combinations(sights, 2)
        )

    def _clocks_off_ms(self, *facts: PhysicalFact) -> int:
        return sum(self.clock_off_ms(fact.cabinet, fact.moment.line_us) for fact in facts)

    def _is_retold(self, at_us: int) -> bool:
        """A restored ledger lives through everything again that happened since its backup."""
        return any(spell.from_us <= at_us <= spell.until_us for spell in self._spells.of("ledger_restored_echo"))

    def _told_since_us(self, cabinet: str, at_us: int) -> int:
        """How old news may be that is told at this instant: as old as the silence before it."""
        from_us = at_us - SILENT_BEFORE_US
        silences = [spell for spell in self._spells if spell.touches & HEARING]
        for spell in sorted(silences, key=lambda spell: -spell.until_us):
            if spell.covers(cabinet, from_us, at_us):
                from_us = min(from_us, spell.from_us - HEARS_US)
        for spell in self._spells.of("ledger_restored"):  # whatever came since the backup is told again
            if spell.until_us <= at_us:
                from_us = min(from_us, spell.from_us - HEARS_US)
        return from_us

    def may_go_unnoticed(self, cabinet: str, since_ms: int, until_ms: int) -> bool:
        since_us, until_us = self._clock.at_us(since_ms), self._clock.at_us(until_ms)
        touches = HEARING | SEEING | {Touches.CLOCK}
        if any(  # opened and closed in the ledger that was lost: to the one that was put in it was over
            spell.from_us <= since_us and until_us <= spell.until_us for spell in self._spells.of("ledger_restored")
        ):
            return True
        return self._spells.clear_from(cabinet, since_us, HEARS_US, touches) > until_us

    def is_waited_for(self, cabinet: str) -> bool:
        """A copy of its box spoke last: what time alone decides waits until the box itself tells something."""
        facts = self._run.world.record.of(cabinet)
        last_us = facts[-1].moment.line_us if facts else 0
        return any(
            cabinet in (spell.cabinets or ()) and last_us < spell.until_us
            for spell in self._spells.of("box_cloned")
        )

    def ordered(self, cabinet: str, slot: int, at_us: int) -> bool:
        return any(order.slot == slot for order in self._orders_at(cabinet, at_us))

    def _orders_at(self, cabinet: str, at_us: int) -> Iterator[Order]:
        """Operators' orders that may be carried out there at this instant."""
        for order in self._run.world.orders:
            if order.cabinet == cabinet and order.issued_us <= at_us <= order.expires_us + CARRIED_OUT_US:
                yield order

    @cached_property
    def _disturbed(self) -> frozenset[str]:
        """Keys that moved while nobody saw: from then on what hangs where is a guess."""
        found: set[str] = set()
        for fact in self._run.world.record:
            if fact.deed.what in MOVES and fact.deed.key is not None and self._moved_unseen(fact):
                found.add(fact.deed.key)
        found |= {booking.key for booking in self._run.world.lost}
        for cabinet in self._run.world.boxes:
            found |= set(self._swapped_unread(cabinet))
        for spell in self._spells.of("box_restored"):  # what moved since the image was made, the box has forgotten
            found |= {
                fact.deed.key
                for cabinet in spell.cabinets or ()
                for fact in self._run.world.record.of(cabinet)
                if fact.deed.what in MOVES
                and fact.deed.key
                and fact.moment.line_us >= spell.from_us - SEES_AGAIN_US
            }
        return frozenset(found)

    def _swapped_unread(self, cabinet: str) -> Iterator[str]:
        """Keys that somebody hung up by badge who had taken another one: both are a guess from then on.

        Not those that were announced by their tag: which key that is, the box was told.
        """
        world = self._run.world
        taken: dict[str, str] = {}
        for fact, scene in replay(world.network, cabinet, world.record.of(cabinet)):
            deed = fact.deed
            if deed.what is What.KEY_REMOVED and deed.key is not None:
                taken[deed.who] = deed.key
            card = scene.last_badge
            by_badge = card is not None and card.deed.who == deed.who and card is scene.last_card
            if deed.what is What.KEY_INSERTED and by_badge and taken.get(deed.who, deed.key) != deed.key:
                yield from (taken[deed.who], deed.key or "")

    def _moved_unseen(self, fact: PhysicalFact) -> bool:
        """While the box was blind, or what either side remembers was put back; or after a theft there."""
        at_us = fact.moment.line_us
        return (
            self.is_blind(fact.cabinet, at_us)
            or bool(self._spells.near(fact.cabinet, at_us, at_us, frozenset({Touches.MEMORY})))
            or bool(self._spells.near(fact.cabinet, 0, at_us, frozenset({Touches.THEFT})))
        )
