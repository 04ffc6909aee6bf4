"""What each box wrote on its disk against the ledger: every fact once, in order, as the same chain."""

from collections import defaultdict
from collections.abc import Iterator

from simulator.hunt.scenario import Run
from simulator.verdict.evidence import Evidence


def journals_against_ledger(run: Run, evidence: Evidence) -> Iterator[str]:
    """Compares hashes: one covers all facts before it."""
    ledger: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in evidence.ledger:
        ledger[row.cabinet, row.epoch].append(row.hash)
    for cabinet, box in run.world.boxes.items():
        if box.agent is None or box.agent.opened is None:
            yield f"{cabinet}: its agent does not run at the end"
            continue
        for epoch, hashes in box.facts_on_disk().items():
            told = ledger[cabinet, epoch]
            if told == hashes:
                continue
            common = next((i for i, (a, b) in enumerate(zip(hashes, told, strict=False)) if a != b), None)
            if common is not None:
                yield f"{cabinet}: fact {common + 1} of epoch {epoch[:8]} is another one in the ledger"
            elif len(told) < len(hashes):
                yield f"{cabinet}: the ledger has {len(told)} of {len(hashes)} facts of epoch {epoch[:8]}"
            else:
                yield f"{cabinet}: the ledger has {len(told)} facts of epoch {epoch[:8]}, the box {len(hashes)}"
