"""Every injected discrepancy has its incident: opened once while it lasts, closed once when it is over."""

from collections.abc import Iterator
from typing import Final

from dispatcher.core.silence import storm_members
from simulator.hunt.scenario import Run
from simulator.network.wiring import BADGE_READER, RETURN_READER
from simulator.verdict.evidence import Incident
from simulator.verdict.rights import Judge
from simulator.virtual.spells import HEARS_US, Spell, Touches
from simulator.virtual.timers import SECOND_US
from simulator.world.cabinet import SPRING
from simulator.world.record import PhysicalFact, What

NOTICED_US: Final = 25 * SECOND_US  # a silent reader is given up within two, a line within ten seconds
SILENT_US: Final = 460 * SECOND_US  # keepalive 41 s, silence 300 s, a tick within 30 s, and a margin
TOLD_US: Final = 5 * SECOND_US  # what was over in a moment is told just after it: two looks, a batch, a commit
RELEASED_US: Final = 12 * SECOND_US  # a pulse is carried out so late at most (verdict, rights)
CLEAN: Final = frozenset({Touches.WAY, Touches.BOX, Touches.CENTRE, Touches.READERS, Touches.LOCKS, Touches.MEMORY})

CLOSED_BY_THEMSELVES: Final = frozenset(
    {
        "cabinet_silent", "device_lost", "facts_conflict", "cabinet_clock_not_trusted", "desired_not_taken",
        "reader_tampered", "journal_not_durable", "cabinets_silent_storm", "facts_missing", "reader_replaced",
    }
)  # fmt: skip
"""Where no person is needed: closed when the fault is over."""


def unnamed(run: Run, judge: Judge) -> Iterator[str]:
    """What has no incident, and incidents that stayed open though what they name is over."""
    incidents = judge.evidence.incidents
    restored_us = max((spell.from_us for spell in run.spells.of("ledger_restored_echo")), default=0)
    for spell in run.spells:
        expected = _expected(spell)
        forgotten = spell.from_us < restored_us  # the backup knows nothing of it
        if expected is not None and not forgotten and _is_clean(run, spell):
            kind, subject = expected
            yield from _opened_once(run, spell, kind, subject, incidents)
    yield from _forced_doors(run, incidents)
    yield from _clones(run, incidents)
    for incident in incidents:
        if incident.is_open and incident.kind in CLOSED_BY_THEMSELVES:
            yield f"incident {incident.kind} of {incident.subject} is still open after all faults: {incident.seen}"
    yield from _opened_twice_at_once(incidents)


def _expected(spell: Spell) -> tuple[str, str] | None:
    """Which incident a fault must have while it lasts; None: none, or not for certain."""
    lasted_us = spell.until_us - spell.from_us
    if spell.fault == "partition" and lasted_us > SILENT_US:
        return "cabinet_silent", spell.place
    if spell.fault == "dead_tag_reader" and lasted_us > NOTICED_US:
        return "device_lost", f"{spell.place}/{RETURN_READER}"
    if spell.fault == "mute_reader" and lasted_us > NOTICED_US:
        return "device_lost", f"{spell.place}/{BADGE_READER}"
    return None


def _forced_doors(run: Run, incidents: tuple[Incident, ...]) -> Iterator[str]:
    """A door that a hand forced is named until it is shut, where the box could see it and tell of it."""
    opened: dict[tuple[str, int | None], PhysicalFact] = {}
    for fact in run.world.record:
        place = fact.cabinet, fact.deed.slot
        if fact.deed.what is What.DOOR_OPENED and fact.deed.who != SPRING:
            opened[place] = fact
        elif fact.deed.what is What.DOOR_CLOSED and place in opened:
            from_us, until_us = opened.pop(place).moment.line_us, fact.moment.line_us
            spell = Spell("forced_door", frozenset(), frozenset({fact.cabinet}), from_us, until_us)
            restored = any(echo.from_us >= from_us for echo in run.spells.of("ledger_restored_echo"))
            if _is_clean(run, spell) and not restored and not _is_released(run, spell, fact.deed.slot):
                subject = f"{fact.cabinet}/{fact.deed.slot}"
                yield from _opened_once(run, spell, "slot_opened_without_decision", subject, incidents)


def _clones(run: Run, incidents: tuple[Incident, ...]) -> Iterator[str]:
    """A copied box is named by what it told, or at the latest when the box itself has told something."""
    clock = run.world.stage.clock
    for spell in run.spells.of("box_cloned"):
        later = (fact.moment.line_us for fact in run.world.record.of(spell.place))
        next_us = next((at_us for at_us in later if at_us > spell.from_us), None)
        if next_us is None:
            continue
        until_us = max(spell.until_us, next_us) + HEARS_US
        restored = any(echo.from_us >= spell.from_us for echo in run.spells.of("ledger_restored_echo"))
        around_us = 120 * SECOND_US
        others = run.spells.near(spell.place, spell.from_us - around_us, until_us + around_us, CLEAN)
        if restored or others != [spell] or until_us > run.calm_us:
            continue
        opened = [
            incident
            for incident in incidents
            if (incident.kind, incident.subject) == ("facts_conflict", spell.place)
            and spell.from_us <= clock.at_us(incident.opened_ms) <= until_us
        ]
        if not opened:
            yield f"{spell}: no incident facts_conflict though both told something by {until_us // SECOND_US} s"


def _is_released(run: Run, spell: Spell, slot: int | None) -> bool:
    """Whether the lock was pulsed at about the same time: then the box takes the door for the one it released."""
    return any(
        fact.deed.what is What.LOCK_PULSED
        and fact.deed.slot == slot
        and abs(fact.moment.line_us - spell.from_us) < RELEASED_US
        for fact in run.world.record.of(spell.place)
    )


def _is_clean(run: Run, spell: Spell) -> bool:
    """Whether nothing else was wrong there that could hide or double it."""
    around_us = 120 * SECOND_US
    others = run.spells.near(spell.place, spell.from_us - around_us, spell.until_us + around_us, CLEAN)
    return others in ([], [spell])


def _opened_once(run: Run, spell: Spell, kind: str, subject: str, incidents: tuple[Incident, ...]) -> Iterator[str]:
    clock = run.world.stage.clock
    told_us = TOLD_US if spell.until_us - spell.from_us < TOLD_US else 0
    while_it_lasts = [
        incident
        for incident in incidents
        if incident.kind == kind
        and incident.subject == subject
        and clock.at_us(incident.opened_ms) <= spell.until_us + told_us
        and (incident.closed_ms is None or clock.at_us(incident.closed_ms) >= spell.from_us)
    ]
    if not while_it_lasts and kind == "cabinet_silent" and _in_storm(run, spell, subject, incidents):
        return
    if len(while_it_lasts) != 1:
        yield f"{spell}: incident {kind} of {subject} was open {len(while_it_lasts)} times, expected once"
        return
    closed_ms = while_it_lasts[0].closed_ms
    if closed_ms is None or clock.at_us(closed_ms) > spell.until_us + 60 * SECOND_US:
        yield f"{spell}: incident {kind} of {subject} was not closed within a minute of its end"


def _in_storm(run: Run, spell: Spell, cabinet: str, incidents: tuple[Incident, ...]) -> bool:
    """Whether one incident names it among others that fell silent with it."""
    clock = run.world.stage.clock
    return any(
        incident.kind == "cabinets_silent_storm"
        and cabinet in storm_members(incident.seen)
        and clock.at_us(incident.opened_ms) <= spell.until_us
        and (incident.closed_ms is None or clock.at_us(incident.closed_ms) >= spell.from_us)
        for incident in incidents
    )


def _opened_twice_at_once(incidents: tuple[Incident, ...]) -> Iterator[str]:
    """Of one kind and subject at most one is open at a time."""
    last: dict[tuple[str, str], Incident] = {}
    for incident in incidents:
        before = last.get((incident.kind, incident.subject))
        if before is not None and (before.closed_ms is None or before.closed_ms > incident.opened_ms):
            yield f"incident {incident.kind} of {incident.subject} was opened again while it was open"
        last[incident.kind, incident.subject] = incident
