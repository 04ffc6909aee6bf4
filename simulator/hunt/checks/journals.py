"""What each box wrote on its disk against the ledger: every fact once, in order, as the same chain."""

from collections import defaultdict
from collections.abc import Iterator

from contract.facts import AccessGranted, CommandDecided
from simulator.hunt.scenario import Run
from simulator.verdict.evidence import Evidence
from simulator.verdict.rights import CARRIED_OUT_US
from simulator.virtual.spells import Touches
from simulator.world.record import PhysicalFact, What

LOOK_MS = 1_000


def pulses_without_decision(run: Run, evidence: Evidence) -> Iterator[str]:
    """Every pulse on a slot that held a key has its decision in the ledger: durable before the lock moved."""
    decided: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in evidence.ledger:
        if isinstance(row.fact, AccessGranted | CommandDecided) and row.fact.slot is not None:
            decided[row.cabinet, row.fact.slot].append(row.fact.at_ms)
    untold = frozenset({Touches.MEMORY, Touches.CLOCK})
    for fact in run.world.record:
        deed = fact.deed
        if deed.what is not What.LOCK_PULSED or deed.key is None or deed.slot is None:
            continue
        if run.spells.near(fact.cabinet, 0, fact.moment.line_us, untold):
            continue  # its times, or its facts, are not those of the world
        if _is_lost(run, fact):
            continue  # it was decided, and lost later with its card or its power
        at_ms = fact.moment.at_ms
        times = decided[fact.cabinet, deed.slot]
        if not any(at_ms - CARRIED_OUT_US // 1000 <= told_ms <= at_ms + LOOK_MS for told_ms in times):
            yield f"{fact} without a decision in the ledger"


def journals_against_ledger(run: Run, evidence: Evidence) -> Iterator[str]:
    """Compares hashes: one covers all facts before it."""
    ledger: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in evidence.ledger:
        ledger[row.cabinet, row.epoch].append(row.hash)
    for cabinet, box in run.world.boxes.items():
        if box.opened is None:
            yield f"{cabinet}: its agent does not run at the end"
            continue
        cards = (*run.spells.of("box_restored"), *run.spells.of("box_cloned"))
        put_back = any(cabinet in (spell.cabinets or ()) for spell in cards)
        for epoch, hashes in box.facts_on_disk().items():
            told, last = ledger[cabinet, epoch], max(hashes, default=0)
            other = [seq for seq, after in hashes.items() if seq <= len(told) and told[seq - 1] != after]
            if other and not put_back:  # else it told others under the same numbers, and began a new epoch for them
                yield f"{cabinet}: fact {other[0]} of epoch {epoch[:8]} is another one in the ledger"
            elif not other and len(told) < last:
                yield f"{cabinet}: the ledger has {len(told)} of {last} facts of epoch {epoch[:8]}"
            elif not other and len(told) > last and not put_back:  # else the card that failed had more
                yield f"{cabinet}: the ledger has {len(told)} facts of epoch {epoch[:8]}, the box {last}"


def _is_lost(run: Run, fact: PhysicalFact) -> bool:
    """Whether what was noted of it went with a card that failed, or with both a card and the database."""
    at_us = fact.moment.line_us
    cards = [*run.spells.of("facts_lost"), *run.spells.of("disk_dead")]
    return any(spell.covers(fact.cabinet, at_us - CARRIED_OUT_US, at_us) for spell in cards)
