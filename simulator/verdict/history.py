"""Physical facts against ledger facts of one cabinet: what is missing, doubled, out of order or misnamed.

Both sides become sequences of tokens. What a longest common subsequence leaves over is compared by token: on
both sides, it came out of order; only in the world, it is missing; only in the ledger, it is doubled.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from contract.facts import (
    AccessGranted,
    AccessRefused,
    BadFact,
    DoorClosed,
    DoorOpened,
    Fact,
    GrantCompleted,
    KeyReturned,
    KeyTaken,
    PinAsked,
    UnknownFact,
)
from contract.reasons import Reason
from simulator.verdict.evidence import Evidence, LedgerFact
from simulator.verdict.excuses import Excuses
from simulator.world.record import PhysicalFact, What

SAME_LOOK_US = (
    500_000  # an agent sees contacts in looks 200 ms apart and believes the second: closer facts have no order
)

SEEN_WORTH = 1000  # more than all that may have gone unseen at one cabinet together

Token = tuple[str, str | int]
IsBlind = Callable[[int, bool], bool]
"""(time, whether it is wall time in ms rather than line time in us) -> whether the agent may not have seen."""


_PHYSICAL = {
    What.DOOR_OPENED: DoorOpened,
    What.DOOR_CLOSED: DoorClosed,
    What.KEY_REMOVED: KeyTaken,
    What.KEY_INSERTED: KeyReturned,
}
_CARD, _PIN = "card", "pin"


@dataclass(slots=True)
class Tally:
    """The count of facts, and each fault in words."""

    physical: int = 0
    ledger: int = 0
    missing: int = 0
    doubled: int = 0
    out_of_order: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.physical += other.physical
        self.ledger += other.ledger
        self.missing += other.missing
        self.doubled += other.doubled
        self.out_of_order += other.out_of_order
        self.faults += other.faults


def compare(
    physical: Sequence[PhysicalFact],
    evidence: Evidence,
    cabinet: str,
    is_blind: IsBlind,
    excuses: Excuses,
) -> Tally:
    """All facts of one cabinet; what happened while its agent was blind need not be told, or not as it was."""
    happened = [(token, fact) for fact in physical if (token := _token_of_world(fact)) is not None]
    ledger = evidence.ledger_of(cabinet)
    told = [(token, fact) for fact in ledger if (token := _token_of_ledger(fact)) is not None]
    tally = Tally(physical=len(happened), ledger=len(told))

    def same(i: int, j: int) -> bool:
        return happened[i][0] == told[j][0] and excuses.may_tell_of(happened[i][1], told[j][1])

    def surely(i: int, j: int) -> bool:
        return same(i, j) and excuses.tells_of(happened[i][1], told[j][1])

    def worth(i: int) -> int:
        return 1 if is_blind(happened[i][1].moment.line_us, False) else SEEN_WORTH

    pairs = _common(len(happened), len(told), _Pairing(same, surely, worth))
    _compare_rest(happened, told, pairs, tally, (is_blind, excuses))
    for i, j in pairs:
        if is_blind(happened[i][1].moment.line_us, False):
            continue
        _compare_content(happened[i][1], told[j][1], evidence, excuses, tally)
    tally.faults += _gaps(ledger)
    tally.faults += [
        f"{cabinet}: unreadable at position {row.position}: {row.fact}"
        for row in ledger
        if isinstance(row.fact, BadFact)
    ]
    return tally


def _token_of_world(fact: PhysicalFact) -> Token | None:
    deed = fact.deed
    if deed.what in {What.BADGE_SHOWN, What.TAG_SHOWN} and deed.reader is not None:
        return _CARD, deed.reader
    if deed.what is What.PIN_KEYED and deed.reader is not None:
        return _PIN, deed.reader
    kind = _PHYSICAL.get(deed.what)
    return (kind.__name__, deed.slot) if kind is not None and deed.slot is not None else None


def _token_of_ledger(row: LedgerFact) -> Token | None:
    if row.is_repeat:
        return None
    match row.fact:
        case AccessRefused(reason=Reason.PIN_REQUIRED):
            return None  # nobody did anything
        case AccessGranted(with_pin=True) | AccessRefused(with_pin=True):
            return _PIN, row.fact.reader
        case PinAsked() | AccessGranted() | AccessRefused() | GrantCompleted():
            return _CARD, row.fact.reader
        case DoorOpened() | DoorClosed() | KeyTaken() | KeyReturned():
            return type(row.fact).__name__, row.fact.slot
        case _:
            return None


@dataclass(frozen=True, slots=True)
class _Pairing:
    """What may be paired with what, by index, and how much each pair is worth."""

    same: Callable[[int, int], bool]
    surely: Callable[[int, int], bool]
    """At one time, too: such a pair needs no comparison with others."""
    worth: Callable[[int], int]
    """Of a fact of the world: one that was seen for certain is looked for first."""


def _common(happened: int, told: int, pairing: _Pairing) -> list[tuple[int, int]]:
    """Index pairs of the most valuable common subsequence. What agrees at both ends costs nothing."""
    head = 0
    while head < min(happened, told) and pairing.surely(head, head):
        head += 1
    tail = 0
    while tail < min(happened, told) - head and pairing.surely(happened - 1 - tail, told - 1 - tail):
        tail += 1
    middle = _common_of_middle(range(head, happened - tail), range(head, told - tail), pairing)
    return [
        *((i, i) for i in range(head)),
        *middle,
        *((happened - tail + i, told - tail + i) for i in range(tail)),
    ]


def _common_of_middle(a: range, b: range, pairing: _Pairing) -> list[tuple[int, int]]:
    values = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            apart = max(values[i + 1][j], values[i][j + 1])
            paired = values[i + 1][j + 1] + pairing.worth(a[i]) if pairing.same(a[i], b[j]) else 0
            values[i][j] = max(apart, paired)
    pairs = []
    i = j = 0
    while i < len(a) and j < len(b):
        paired = values[i + 1][j + 1] + pairing.worth(a[i]) if pairing.same(a[i], b[j]) else -1
        if paired == values[i][j]:
            pairs.append((a[i], b[j]))
            i, j = i + 1, j + 1
        elif values[i + 1][j] >= values[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _compare_rest(
    happened: Sequence[tuple[Token, PhysicalFact]],
    told: Sequence[tuple[Token, LedgerFact]],
    pairs: Sequence[tuple[int, int]],
    tally: Tally,
    excused: tuple[IsBlind, Excuses],
) -> None:
    """Names what is not among the pairs."""
    is_blind, excuses = excused
    matched_world = {i for i, _ in pairs}
    matched_ledger = {j for _, j in pairs}
    left_over: dict[Token, list[int]] = defaultdict(list)
    for j, (token, _) in enumerate(told):
        if j not in matched_ledger:
            left_over[token].append(j)
    for i, (token, fact) in enumerate(happened):
        if i in matched_world:
            continue
        blind = is_blind(fact.moment.line_us, False)
        found = next((j for j in left_over[token] if excuses.may_tell_of(fact, told[j][1])), None)
        if found is None and blind:
            continue
        if found is None:
            tally.missing += 1
            tally.faults.append(f"missing in the ledger: {fact}")
            continue
        left_over[token].remove(found)
        if not blind and not _within_one_look(fact, found, happened, pairs):
            tally.out_of_order += 1
            tally.faults.append(f"out of order in the ledger, at position {told[found][1].position}: {fact}")
    for token, positions in left_over.items():
        for j in positions:
            row = told[j][1]
            if not isinstance(row.fact, BadFact) and (is_blind(row.fact.at_ms, True) or _at_some_time(row.fact)):
                continue
            tally.doubled += 1
            what = f"{token[0]} ({token[1]}) at position {row.position}"
            tally.faults.append(f"doubled or invented in the ledger: {row.cabinet} {what}")


def _at_some_time(told: Fact | UnknownFact) -> bool:
    """Whether a box tells what it found changed, and cannot say when it is: nobody knows what it saw."""
    return bool(getattr(told, "seen_late", False)) and not told.clock_trusted


def _within_one_look(
    fact: PhysicalFact,
    j: int,
    happened: Sequence[tuple[Token, PhysicalFact]],
    pairs: Sequence[tuple[int, int]],
) -> bool:
    """Whether the ledger put a fact among others that happened so close to it that no look can tell them apart."""
    at_us = fact.moment.line_us
    before = [happened[i][1].moment.line_us for i, k in pairs if k < j]
    after = [happened[i][1].moment.line_us for i, k in pairs if k > j]
    not_too_early = not before or at_us >= before[-1] - SAME_LOOK_US
    not_too_late = not after or at_us <= after[0] + SAME_LOOK_US
    return not_too_early and not_too_late


def _compare_content(
    fact: PhysicalFact, row: LedgerFact, evidence: Evidence, excuses: Excuses, tally: Tally
) -> None:
    """A pair that agrees on kind and place may still name another badge or another key."""
    told = row.fact
    if isinstance(told, PinAsked | AccessGranted | AccessRefused | GrantCompleted) and told.badge is not None:
        credential = evidence.credential_of_ref.get(told.badge)
        if fact.deed.what is What.BADGE_SHOWN and credential != fact.deed.credential:
            tally.faults.append(f"the ledger names badge {told.badge} at position {row.position}: {fact}")
    if not isinstance(told, KeyTaken | KeyReturned) or told.key in {None, fact.deed.key}:
        return
    assert fact.deed.key is not None, "a handover is of a key"
    if not excuses.is_disturbed(fact.deed.key):
        tally.faults.append(f"the ledger names key {told.key} at position {row.position}: {fact}")


def _gaps(ledger: Sequence[LedgerFact]) -> list[str]:
    """Numbers count up by one within an epoch, from 1."""
    last: dict[str, int] = {}
    faults = []
    for row in ledger:
        if row.seq != last.get(row.epoch, 0) + 1:
            faults.append(f"{row.cabinet}: fact {row.seq} follows fact {last.get(row.epoch, 0)} in the ledger")
        last[row.epoch] = row.seq
    return faults
