"""The promises of one run, checked against the world's own record: each broken one in words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from simulator.hunt.checks.fault_excuses import FaultExcuses
from simulator.hunt.checks.journals import journals_against_ledger, pulses_without_decision
from simulator.hunt.checks.liveness import not_at_rest
from simulator.hunt.checks.named import unnamed
from simulator.hunt.checks.sales import declared_in_silence, sold_while_held
from simulator.hunt.checks.shown import clones_unnamed, invented, refused_for_another_reason
from simulator.hunt.checks.unnoticed import unnoticed
from simulator.hunt.scenario import Run
from simulator.verdict.evidence import Badge, Evidence, read_evidence
from simulator.verdict.rights import Judge
from simulator.verdict.verdict import Verdict, reach_verdict


@dataclass(frozen=True, slots=True)
class Broken:
    """One promise, once."""

    promise: str
    what: str


def judged(run: Run) -> tuple[Judge, Verdict]:
    """The five promises as the demo judges them, with what the run's faults excuse."""
    world = run.world
    evidence: Evidence = world.database.read_now(read_evidence)
    honest = tuple(booking for booking in evidence.bookings if booking.id not in world.forged)
    evidence = replace(evidence, bookings=honest, badges=_badges(run, evidence))
    excuses, told = FaultExcuses(run, evidence), world.around.traffic.told
    judge = Judge(world.network, evidence, world.stage.rules, 1.0, excuses, tuple(world.lost), told)
    return judge, reach_verdict(judge, world.record, world.now())


def _badges(run: Run, evidence: Evidence) -> dict[str, Badge]:
    """With the world's own word of when each was revoked: a restored database has it later."""
    revoked = run.world.revoked
    return {
        credential: replace(badge, revoked_ms=revoked.get(credential, badge.revoked_ms))
        for credential, badge in evidence.badges.items()
    }


def broken_promises(run: Run) -> list[Broken]:
    """Everything that does not hold."""
    judge, verdict = judged(run)
    found = [Broken(name, text) for name, promise in verdict.promises.items() for text in promise.counterexamples]
    found += [Broken(name, text) for name, text in _more(run, judge)]
    return found


def _more(run: Run, judge: Judge) -> Iterator[tuple[str, str]]:
    yield from run.watch.broken
    for text in pulses_without_decision(run, judge.evidence):
        yield "no_key_leaves_without_a_right", text
    for text in journals_against_ledger(run, judge.evidence):
        yield "no_fact_lost_or_doubled", text
    for text in invented(run, judge.evidence):
        yield "no_fact_lost_or_doubled", text
    for text in refused_for_another_reason(run, judge):
        yield "no_key_leaves_without_a_right", text
    for text in clones_unnamed(run, judge):
        yield "picture_converges", text
    for text in sold_while_held(judge, run.world.record):
        yield "no_vehicle_booked_twice", text
    for text in declared_in_silence(run, judge.evidence):
        yield "picture_converges", text
    for text in unnamed(run, judge):
        yield "picture_converges", text
    for text in unnoticed(run, judge):
        yield "picture_converges", text
    for text in not_at_rest(run):
        yield "liveness", text
