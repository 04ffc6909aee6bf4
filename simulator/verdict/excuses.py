"""What a run's own faults explain. In a run without faults nothing is excused."""

from typing import Protocol

from simulator.verdict.evidence import LedgerFact
from simulator.world.record import PhysicalFact


class Excuses(Protocol):
    """Asked by the checkers before they call something broken. Line times in microseconds, wall times in ms."""

    def cannot_know(self, cabinet: str, since_ms: int, at_ms: int) -> bool:
        """Whether the box may not have heard at `at_ms` what was decided at `since_ms`."""
        ...

    def clock_off_ms(self, cabinet: str, at_us: int) -> int:
        """By how much a box's clock may rightly differ from the time that it is."""
        ...

    def clock_is_doubtful(self, cabinet: str, at_us: int) -> bool:
        """Whether nobody may have vouched for the box's clock then: with a PIN, a key's next booking opens."""
        ...

    def need_not_open(self, cabinet: str, at_us: int) -> bool:
        """Whether something at the cabinet keeps a right from opening."""
        ...

    def is_blind(self, cabinet: str, at_us: int) -> bool:
        """Whether the agent may not have seen what happened then, or not as it happened."""
        ...

    def noticed_ms(self, fact: PhysicalFact) -> int:
        """By what wall time, at the latest, the box had seen it: what it allows for a while counts from there."""
        ...

    def may_tell_of(self, fact: PhysicalFact, row: LedgerFact) -> bool:
        """Whether a fact of the ledger may tell of this one, by their times."""
        ...

    def tells_of(self, fact: PhysicalFact, row: LedgerFact) -> bool:
        """Whether it does so for certain, where it is of the same kind and place."""
        ...

    def is_disturbed(self, key: str) -> bool:
        """Whether this key moved where no sensor could tell."""
        ...

    def explains_incident(self, kind: str, subject: str, opened_ms: int) -> bool:
        """Whether a fault is the reason of an incident."""
        ...

    def may_go_unnoticed(self, cabinet: str, since_ms: int, until_ms: int) -> bool:
        """Whether a state of affairs that lasted between the two may never have been known while it lasted."""
        ...

    def is_waited_for(self, cabinet: str) -> bool:
        """Whether, at the end, the next fact of a cabinet is still awaited before anything is said of it."""
        ...

    def ordered(self, cabinet: str, slot: int, at_us: int) -> bool:
        """Whether an operator had just ordered this slot to be released."""
        ...


class NoExcuse:
    """A run in which nothing was wrong."""

    def cannot_know(self, cabinet: str, since_ms: int, at_ms: int) -> bool:
        return False

    def clock_off_ms(self, cabinet: str, at_us: int) -> int:
        return 0

    def clock_is_doubtful(self, cabinet: str, at_us: int) -> bool:
        return False

    def need_not_open(self, cabinet: str, at_us: int) -> bool:
        return False

    def is_blind(self, cabinet: str, at_us: int) -> bool:
        return False

    def noticed_ms(self, fact: PhysicalFact) -> int:
        return fact.moment.at_ms

    def may_tell_of(self, fact: PhysicalFact, row: LedgerFact) -> bool:
        return True

    def tells_of(self, fact: PhysicalFact, row: LedgerFact) -> bool:
        return True

    def is_disturbed(self, key: str) -> bool:
        return False

    def explains_incident(self, kind: str, subject: str, opened_ms: int) -> bool:
        return False

    def may_go_unnoticed(self, cabinet: str, since_ms: int, until_ms: int) -> bool:
        return False

    def is_waited_for(self, cabinet: str) -> bool:
        return False

    def ordered(self, cabinet: str, slot: int, at_us: int) -> bool:
        return False
