"""What a run of kills comes to, in numbers: journals against the ledger, decisions against what the locks did."""

import sqlite3
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from contract.facts import AccessGranted, EpochStarted
from simulator.kills.killer import Killer
from simulator.verdict.evidence import Evidence
from simulator.verdict.rights import CARRIED_OUT_US
from simulator.verdict.verdict import Verdict
from simulator.virtual.spells import Spells, Touches
from simulator.world.record import What, WorldRecord
from simulator.world.shell import World
from simulator.world.site import Site

ON_THE_WIRE_US: Final = 100_000  # what was sent before a kill reaches the board after it: 8 bytes, and its turn
BELIEVED_US: Final = 500_000  # two looks at a contact: before that an agent believes the opposite
ROUNDING_US: Final = 50_000  # facts have milliseconds, of a clock that may be fast


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. All counts of what must not be are 0 in a good one (`flaws`)."""

    kills: dict[str, int]
    """By moment; dispatcher and broker by name."""
    noted: int
    """Facts in the boxes' journals."""
    in_ledger: int
    lost: int
    """Facts that a journal has and the ledger does not, or the other way round."""
    doubled: int
    epochs_restarted: int
    decided: int
    """Releases of shut slots whose decision is durable."""
    carried_out: int
    never_done: int
    """Decided, and killed before the lock was told: the slot stays shut."""
    done_later: int
    """Locks that a later life of an agent pulsed for the decision of an earlier one."""
    pulses: int
    opened_without_right: int
    still_energised: int
    untimed_pulses: int
    """Orders to a board to switch a lock on without an end."""
    silences: int
    """Times that a running agent did not look at its locks for 0.35 s or more: this machine was too busy."""

    @property
    def flaws(self) -> tuple[str, ...]:
        """What must not be and is, by name."""
        never = ("lost", "doubled", "done_later", "opened_without_right", "still_energised", "untimed_pulses")
        return tuple(name for name in never if getattr(self, name))

    def to_document(self) -> dict[str, Any]:
        return asdict(self)

    def to_text(self) -> str:
        """A table for a screen."""
        rows: list[tuple[str, int]] = [(f"killed {when}", count) for when, count in self.kills.items()]
        rows += [(name.replace("_", " "), value) for name, value in asdict(self).items() if name != "kills"]
        return "\n".join(f"  {name:<24}{count:>8}" for name, count in rows)


def figures(
    killer: Killer,
    evidence: Evidence,
    verdict: Verdict,
    world: World,
    journals: Mapping[str, Path],
    at_us: Callable[[int], int],
) -> Figures:
    """Count everything, at an instant when all has come to rest.

    Args:
        killer: what was killed, and when.
        evidence: what the dispatcher's database says now.
        verdict: over this evidence.
        world: what physically happened, and the cabinets as they are.
        journals: each cabinet's journal on disk.
        at_us: the line time of a wall time in ms.
    """
    noted = [after for path in journals.values() for after in hashes_in(path)]
    told = Counter(row.hash for row in evidence.ledger)
    decisions = _decisions(evidence, world.record, at_us)
    done, later = _carried_out(decisions, world.record, killer.spells)
    started = sum(isinstance(row.fact, EpochStarted) for row in evidence.ledger)
    opened_without = verdict.promises["no_key_leaves_without_a_right"].counterexamples
    return Figures(
        kills={**{moment.value: count for moment, count in sorted(killer.killed.items())}, **killer.killed_besides},
        noted=len(noted),
        in_ledger=len(evidence.ledger),
        lost=len(set(noted) ^ told.keys()),
        doubled=sum(told.values()) - len(told) + sum(row.is_repeat for row in evidence.ledger),
        epochs_restarted=started - len(journals),
        decided=sum(map(len, decisions.values())),
        carried_out=done,
        never_done=sum(map(len, decisions.values())) - done,
        done_later=later,
        pulses=world.record.count(What.LOCK_PULSED),
        opened_without_right=len(opened_without),
        still_energised=sum(len(site.energised()) for site in world.sites.values()),
        untimed_pulses=sum(site.untimed_pulses for site in world.sites.values()),
        silences=sum(_silences(cabinet, site, killer.spells) for cabinet, site in world.sites.items()),
    )


def _silences(cabinet: str, site: Site, spells: Spells) -> int:
    of_a_kill = frozenset({Touches.BOX})
    return sum(not spells.near(cabinet, *silence, of_a_kill) for silence in site.silences)


def hashes_in(journal: Path) -> Iterator[str]:
    """The hash after each fact of a journal, as another program sees it."""
    with closing(sqlite3.connect(journal)) as database:
        yield from (after for (after,) in database.execute("SELECT hash FROM facts"))


Decisions = Mapping[tuple[str, int], list[int]]
"""By cabinet and slot, when a release of a shut slot was decided, on the line clock."""


def _decisions(evidence: Evidence, record: WorldRecord, at_us: Callable[[int], int]) -> Decisions:
    doors = _doors(record)
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in evidence.ledger:
        if isinstance(row.fact, AccessGranted):
            decided_us = at_us(row.fact.at_ms)
            if not _may_look_open(doors.get((row.cabinet, row.fact.slot), ()), decided_us):
                found[row.cabinet, row.fact.slot].append(decided_us)
    return found


def _doors(record: WorldRecord) -> Mapping[tuple[str, int], list[tuple[int, bool]]]:
    """When each door was opened or shut."""
    found: dict[tuple[str, int], list[tuple[int, bool]]] = defaultdict(list)
    for fact in record:
        if fact.deed.what in {What.DOOR_OPENED, What.DOOR_CLOSED} and fact.deed.slot is not None:
            moved = fact.moment.line_us, fact.deed.what is What.DOOR_OPENED
            found[fact.cabinet, fact.deed.slot].append(moved)
    return found


def _may_look_open(moved: Iterable[tuple[int, bool]], at_us: int) -> bool:
    """Whether an agent may have believed then that a slot stands open: no lock is pulsed for it."""
    is_open, since_us = False, -BELIEVED_US
    for moved_us, opens in moved:
        if moved_us > at_us - ROUNDING_US:
            break
        is_open, since_us = opens, moved_us
    return is_open or at_us - since_us < BELIEVED_US + ROUNDING_US


def _carried_out(decisions: Decisions, record: WorldRecord, spells: Spells) -> tuple[int, int]:
    """How many decisions were carried out by the life that made them, and pulses that another life made."""
    done: set[tuple[str, int, int]] = set()
    later = 0
    for fact in record:
        if fact.deed.what is not What.LOCK_PULSED or fact.deed.slot is None:
            continue
        pulsed_us, place = fact.moment.line_us, (fact.cabinet, fact.deed.slot)
        times = sorted(decisions.get(place, ()))
        index = bisect_right(times, pulsed_us + ROUNDING_US)
        if not index or pulsed_us - times[index - 1] > CARRIED_OUT_US:
            continue  # of a slot that looked open: whether it had a right the verdict says
        decided_us = times[index - 1]
        killed = [
            spell
            for spell in spells.of("agent_kill")
            if spell.place == fact.cabinet and decided_us < spell.from_us < pulsed_us - ON_THE_WIRE_US
        ]
        later += bool(killed)
        done.add((*place, decided_us))
    return len(done), later
