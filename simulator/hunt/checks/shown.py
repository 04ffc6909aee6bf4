"""What was told of cards and contacts against what was shown and moved: nothing invented, no clone unnamed."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from contract.facts import (
    AccessGranted,
    AccessRefused,
    DoorClosed,
    DoorOpened,
    GrantCompleted,
    KeyReturned,
    KeyTaken,
    PinAsked,
    Purpose,
)
from contract.places import Place
from contract.reasons import Reason
from dispatcher.core.travel import needed_ms
from simulator.hunt.scenario import Run
from simulator.verdict.evidence import Evidence, LedgerFact
from simulator.verdict.rights import REVOKED_WITHIN_US, Judge
from simulator.virtual.spells import HEARS_US, Spell, Touches
from simulator.virtual.timers import SECOND_US
from simulator.world.record import PhysicalFact, What

READ_WITHIN_MS: Final = 30_000  # a reader keeps a card until it is polled; one that was away for longer forgets it
LOOK_MS: Final = 1_000  # of a box's clock that nobody touched
SEEN_BEFORE_US: Final = 60 * SECOND_US  # movements that a late board may still tell of when its spell begins
TWO_US: Final = 120 * SECOND_US  # around both sights nothing may hide or double what is told of them
UNTIMED: Final = frozenset({Touches.CLOCK, Touches.MEMORY})
CLEAN: Final = frozenset(Touches) - {Touches.THEFT}
# of a key in hand: a return always works; of a card whose PIN was awaited when the word came
NOT_OF_BADGES: Final = frozenset({Reason.BUSY, Reason.CABINET_FULL, Reason.PIN_REQUIRED})
MOVED: Final = {
    DoorOpened: What.DOOR_OPENED,
    DoorClosed: What.DOOR_CLOSED,
    KeyTaken: What.KEY_REMOVED,
    KeyReturned: What.KEY_INSERTED,
}


def invented(run: Run, evidence: Evidence) -> Iterator[str]:
    """Cards that nobody showed, whatever was on the readers' line; movements that a late answer told of."""
    for cabinet in run.world.boxes:
        if run.spells.near(cabinet, 0, run.calm_us, UNTIMED):
            continue  # its times, or its facts, are not those of the world
        rows = [row for row in evidence.ledger_of(cabinet) if not row.is_repeat]
        yield from _cards(run, cabinet, rows)
        for spell in run.spells.of("late_board_answer"):
            if spell.place == cabinet and _is_alone(run, spell):
                yield from _movements(run, spell, rows)


def _cards(run: Run, cabinet: str, rows: list[LedgerFact]) -> Iterator[str]:
    """Each told card has one that was shown, and each shown card is told at most once."""
    shown: dict[str, list[int]] = defaultdict(list)
    for fact in run.world.record.of(cabinet):
        if fact.deed.reader is not None:
            shown[fact.deed.reader].append(fact.moment.at_ms)
    for row in rows:
        told = row.fact
        if isinstance(told, AccessRefused) and told.reason is Reason.PIN_REQUIRED:
            continue  # nobody keyed it in
        if isinstance(told, PinAsked | AccessGranted | AccessRefused | GrantCompleted):
            times = shown[told.reader]
            of_it = [at_ms for at_ms in times if told.at_ms - READ_WITHIN_MS <= at_ms <= told.at_ms + LOOK_MS]
            if of_it:
                times.remove(of_it[0])
            else:
                yield f"{cabinet}: at position {row.position} a card is told at {told.reader} that nobody showed"


def _movements(run: Run, spell: Spell, rows: list[LedgerFact]) -> Iterator[str]:
    clock, facts = run.world.stage.clock, run.world.record.of(spell.place)
    for row in rows:
        told = row.fact
        if not isinstance(told, DoorOpened | DoorClosed | KeyTaken | KeyReturned):
            continue
        if not spell.covers(spell.place, clock.at_us(told.at_ms), clock.at_us(told.at_ms)):
            continue
        since_us = spell.from_us - SEEN_BEFORE_US
        if not any(
            fact.deed.what is MOVED[type(told)]
            and fact.deed.slot == told.slot
            and since_us <= fact.moment.line_us <= clock.at_us(told.at_ms) + LOOK_MS * 1000
            for fact in facts
        ):
            yield f"{spell}: at position {row.position} {told.kind} of slot {told.slot}, which nothing did"


def _is_alone(run: Run, spell: Spell) -> bool:
    """Whether nothing else touched the locks there, or kept the box from seeing them, for a while before."""
    touches = frozenset({Touches.LOCKS, Touches.BOX})
    return run.spells.near(spell.place, spell.from_us, spell.until_us, touches, echo_us=SEEN_BEFORE_US) == [spell]


def refused_for_another_reason(run: Run, judge: Judge) -> Iterator[str]:
    """Once its box must know that a badge is revoked, it says so, whatever else there is against it."""
    ref_of = {judge.evidence.badges[credential].ref: at_ms for credential, at_ms in run.world.revoked.items()}
    for row in judge.evidence.ledger:
        told = row.fact
        if not isinstance(told, AccessGranted | AccessRefused) or told.badge not in ref_of:
            continue
        at_ms = ref_of[told.badge] + REVOKED_WITHIN_US // 1000
        if told.at_ms <= at_ms or run.spells.near(row.cabinet, 0, run.calm_us, UNTIMED):
            continue
        if judge.excuses.cannot_know(row.cabinet, ref_of[told.badge], told.at_ms):
            continue
        if isinstance(told, AccessGranted):
            wrong = told.purpose is not Purpose.RETURN
        else:
            wrong = told.reason not in {Reason.REVOKED, *NOT_OF_BADGES}
        if wrong:
            what = told.purpose if isinstance(told, AccessGranted) else told.reason
            yield f"{row.cabinet}: revoked badge {told.badge} at position {row.position}: {told.kind} ({what})"


def clones_unnamed(run: Run, judge: Judge) -> Iterator[str]:
    """A badge that two boxes knew was shown at both of them faster than anybody travels: one incident."""
    for credential, sights in badge_sights(run).items():
        for one, other in pairwise(sights):
            if is_too_fast(run, one, other) and _are_told(run, one, other):
                ref = judge.evidence.badges[credential].ref
                found = [
                    incident
                    for incident in judge.evidence.incidents
                    if incident.kind == "badge_at_two_stations" and incident.subject == ref
                ]
                if len(found) != 1:
                    yield f"{one} and {other}: incident badge_at_two_stations of {ref} opened {len(found)} times"
                break


def badge_sights(run: Run) -> dict[str, list[PhysicalFact]]:
    """Where each badge was shown, in the order of time."""
    found: dict[str, list[PhysicalFact]] = defaultdict(list)
    for fact in run.world.record:
        if fact.deed.what is What.BADGE_SHOWN and fact.deed.credential is not None:
            found[fact.deed.credential].append(fact)
    return {credential: sorted(facts, key=_line_us) for credential, facts in found.items()}


def is_too_fast(run: Run, one: PhysicalFact, other: PhysicalFact, slack_ms: int = -LOOK_MS) -> bool:
    """Whether two sights of a badge are closer in time than their stations are."""
    places = {station.cabinet: station for station in run.world.network.stations}
    here, there = places[one.cabinet], places[other.cabinet]
    if here is there:
        return False
    needs_ms = needed_ms(Place(here.latitude, here.longitude), Place(there.latitude, there.longitude))
    return abs(other.moment.at_ms - one.moment.at_ms) < needs_ms + slack_ms


def _are_told(run: Run, one: PhysicalFact, other: PhysicalFact) -> bool:
    """Whether both boxes knew the badge, could read it and tell of it, and nothing told was lost later."""
    if not (one.deed.on_box and other.deed.on_box):
        return False
    if any(echo.from_us > one.moment.line_us for echo in run.spells.of("ledger_restored_echo")):
        return False
    return not any(
        run.spells.near(fact.cabinet, fact.moment.line_us - TWO_US, fact.moment.line_us + HEARS_US + TWO_US, CLEAN)
        for fact in (one, other)
    )


def _line_us(fact: PhysicalFact) -> int:
    return fact.moment.line_us
