"""What a killed program explains, and for how long. Everything else has to hold as in a run without faults."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Final

from contract.facts import AccessGranted, AccessRefused, BadFact, GrantCompleted
from simulator.verdict.evidence import Evidence, LedgerFact
from simulator.virtual.spells import HEARING, HEARS_US, Spells, Touches
from simulator.virtual.timers import SECOND_US
from simulator.world.record import PhysicalFact, What, WorldRecord

SEES_AGAIN_US: Final = 1 * SECOND_US  # after "ready": the first looks at the contacts were believed by then
SEES_AHEAD_US: Final = 2 * SECOND_US  # what happened just before may not have been believed yet: two looks
OPENS_US: Final = 3 * SECOND_US  # a lock is pulsed within two seconds of a card
TOLD_WITHIN_US: Final = 15 * SECOND_US  # a look, a poll, a lock bus that was busy
SURELY_WITHIN_US: Final = SECOND_US  # nobody shows a card, or shuts a door, twice within a second
NOTICED_US: Final = 60 * SECOND_US  # a board counts as silent, a lock as stuck, within seconds of a start
SILENT_US: Final = 5 * SECOND_US  # a device counts as lost after so much silence at most

SEEING: Final = frozenset({Touches.BOX})
MOVES: Final = frozenset({What.KEY_REMOVED, What.KEY_INSERTED})
OF_A_START: Final = {
    "cabinet_silent": HEARING,
    "device_lost": SEEING,
    "lock_stuck": SEEING,
    "slot_opened_without_decision": SEEING,
    "unidentified_key_out": SEEING,
    "desired_not_taken": HEARING,
    "facts_missing": HEARING,
    "door_left_open": SEEING,
    "slot_opened_nothing_taken": SEEING,
}
"""Incidents that a kill may be the reason of."""
ABOUT_KEYS: Final = frozenset(
    {"key_missing", "key_out_without_right", "wrong_key_taken", "key_in_wrong_slot", "key_probably_in_car"}
)


class KillExcuses:
    """`simulator.verdict.excuses.Excuses` of a run in which programs were killed."""

    def __init__(
        self,
        spells: Spells,
        silences: Mapping[str, Sequence[tuple[int, int]]],
        record: WorldRecord,
        evidence: Evidence,
        at_us: Callable[[int], int],
        speed: float,
    ) -> None:
        """See below.

        Args:
            spells: what was killed, and until when.
            silences: by cabinet, when its lock boards were not asked, as the boards know it: this machine was
                busy elsewhere, or the agent waited for the end of a late answer.
            record: what physically happened.
            evidence: what the dispatcher's database says.
            at_us: the line time of a wall time in ms.
            speed: wall seconds per line second.
        """
        self._spells = spells
        self._silences = silences
        self._credential_of_ref = evidence.credential_of_ref
        self._record = record
        self._key_of_booking: Mapping[str, str] = {booking.id: booking.key for booking in evidence.bookings}
        self._at_us = at_us
        self._speed = speed
        self._is_blind: dict[tuple[str, int], bool] = {}

    def cannot_know(self, cabinet: str, since_ms: int, at_ms: int) -> bool:
        since_us, at_us = self._at_us(since_ms), self._at_us(at_ms)
        touched = self._spells.near(cabinet, since_us, at_us, HEARING, echo_us=HEARS_US)
        return bool(touched) and self._spells.clear_from(cabinet, since_us, HEARS_US, HEARING) > at_us

    def clock_off_ms(self, cabinet: str, at_us: int) -> int:
        return 0

    def clock_is_doubtful(self, cabinet: str, at_us: int) -> bool:
        return False  # the machine that all of it runs on keeps its clock

    def need_not_open(self, cabinet: str, at_us: int) -> bool:
        near = self._spells.near(cabinet, at_us, at_us + OPENS_US, SEEING, echo_us=SEES_AGAIN_US)
        return bool(near) or self._is_silent(cabinet, at_us, OPENS_US)

    def is_blind(self, cabinet: str, at_us: int) -> bool:
        asked = cabinet, at_us  # again and again, where two histories are laid side by side
        if asked not in self._is_blind:
            near = self._spells.near(cabinet, at_us, at_us + SEES_AHEAD_US, SEEING, echo_us=SEES_AGAIN_US)
            self._is_blind[asked] = bool(near) or self._is_silent(cabinet, at_us, SEES_AHEAD_US)
        return self._is_blind[asked]

    def _is_silent(self, cabinet: str, at_us: int, ahead_us: int) -> bool:
        return any(
            from_us <= at_us + ahead_us and at_us <= until_us + SEES_AGAIN_US
            for from_us, until_us in self._silences.get(cabinet, ())
        )

    def noticed_ms(self, fact: PhysicalFact) -> int:
        """Through kills and silences that follow each other, until the first look after them."""
        seen_us = began_us = fact.moment.line_us
        while (until_us := self._dark_until_us(fact.cabinet, seen_us)) > seen_us:
            seen_us = until_us
        return fact.moment.at_ms + round((seen_us - began_us) * self._speed / 1000)

    def _dark_until_us(self, cabinet: str, at_us: int) -> int:
        spells = self._spells.near(cabinet, at_us, at_us + SEES_AHEAD_US, SEEING, echo_us=SEES_AGAIN_US)
        silences = [
            until_us
            for from_us, until_us in self._silences.get(cabinet, ())
            if from_us <= at_us + SEES_AHEAD_US and at_us <= until_us + SEES_AGAIN_US
        ]
        return max(
            [at_us, *(until + SEES_AGAIN_US for until in (*(spell.until_us for spell in spells), *silences))]
        )

    def may_tell_of(self, fact: PhysicalFact, row: LedgerFact) -> bool:
        if isinstance(row.fact, BadFact) or getattr(row.fact, "seen_late", False):
            return True
        if isinstance(row.fact, AccessGranted | AccessRefused | GrantCompleted) and row.fact.badge is not None:
            told = self._credential_of_ref.get(row.fact.badge)
            if fact.deed.what is What.BADGE_SHOWN and told != fact.deed.credential:
                return False  # one of the two was not seen: then it is not the one that the other tells of
        return self._apart_us(fact, row.fact.at_ms) <= TOLD_WITHIN_US

    def tells_of(self, fact: PhysicalFact, row: LedgerFact) -> bool:
        return not isinstance(row.fact, BadFact) and self._apart_us(fact, row.fact.at_ms) <= SURELY_WITHIN_US

    def is_disturbed(self, key: str) -> bool:
        return key in self._disturbed

    def explains_incident(self, kind: str, subject: str, opened_ms: int) -> bool:
        if kind in ABOUT_KEYS:
            return self.is_disturbed(subject)
        if kind in {"key_overdue", "booking_active_key_in_slot"}:
            return self.is_disturbed(self._key_of_booking.get(subject, ""))
        touches, opened_us = OF_A_START.get(kind), self._at_us(opened_ms)
        if touches is None:
            return False
        cabinet = subject.split("/", 1)[0]
        if touches is SEEING and self._is_silent(cabinet, opened_us - SILENT_US, SILENT_US):
            return True
        return bool(self._spells.near(cabinet, opened_us, opened_us, touches, echo_us=NOTICED_US))

    def may_go_unnoticed(self, cabinet: str, since_ms: int, until_ms: int) -> bool:
        since_us, until_us = self._at_us(since_ms), self._at_us(until_ms)
        return self._spells.clear_from(cabinet, since_us, HEARS_US, HEARING) > until_us

    def is_waited_for(self, cabinet: str) -> bool:
        return False

    def ordered(self, cabinet: str, slot: int, at_us: int) -> bool:
        return False

    def _apart_us(self, fact: PhysicalFact, told_ms: int) -> float:
        return abs(told_ms - fact.moment.at_ms) * 1000 / self._speed

    @cached_property
    def _disturbed(self) -> frozenset[str]:
        """Keys that moved while nobody saw: from then on what hangs where is a guess."""
        return frozenset(
            fact.deed.key
            for fact in self._record
            if fact.deed.what in MOVES
            and fact.deed.key is not None
            and self.is_blind(fact.cabinet, fact.moment.line_us)
        )
