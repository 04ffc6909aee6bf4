"""The verdict over a run: five promises, each held or with its counterexamples, and the counts beside them."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from simulator.verdict.history import Tally, compare
from simulator.verdict.picture import double_bookings, wrong_picture
from simulator.verdict.rights import Judge, releases_without_right, rights_not_opened
from simulator.world.moment import Moment
from simulator.world.record import WorldRecord

SHOWN_MAX = 10  # counterexamples per promise on a screen; the JSON has them all
BOOKING_STATES = ("booked", "active", "returned", "completed", "cancelled", "no_show")


@dataclass(frozen=True, slots=True)
class Promise:
    """Counterexamples are sentences for a person."""

    counterexamples: tuple[str, ...]

    @property
    def held(self) -> bool:
        return not self.counterexamples


@dataclass(frozen=True, slots=True)
class Verdict:
    promises: dict[str, Promise]
    bookings: dict[str, int]
    handovers: dict[str, int]
    facts: dict[str, int]
    refusals: dict[str, int]

    @property
    def held(self) -> bool:
        return all(promise.held for promise in self.promises.values())

    def to_document(self, *, wall_s: float, simulated_s: float) -> dict[str, Any]:
        """The object that `--json` writes; its keys are stable."""
        return {
            "promises": {
                name: {"held": promise.held, "counterexamples": list(promise.counterexamples)}
                for name, promise in self.promises.items()
            },
            "bookings": self.bookings,
            "handovers": self.handovers,
            "facts": self.facts,
            "refusals": self.refusals,
            "wall_s": round(wall_s, 3),
            "simulated_s": round(simulated_s, 3),
        }

    def to_text(self) -> str:
        """For the end of a demo on a screen."""
        lines = [_counts("bookings", self.bookings), _counts("handovers", self.handovers)]
        lines += [_counts("facts", self.facts), _counts("refusals", self.refusals)]
        for name, promise in self.promises.items():
            lines.append(f"{'held  ' if promise.held else 'BROKEN'} {name.replace('_', ' ')}")
            lines += [f"         {text}" for text in promise.counterexamples[:SHOWN_MAX]]
            more = len(promise.counterexamples) - SHOWN_MAX
            if more > 0:
                lines.append(f"         and {more} more")
        return "\n".join(lines)


def _blindness(judge: Judge, cabinet: str, end: Moment) -> Callable[[int, bool], bool]:
    """Whether the cabinet's agent may not have seen, by line time or by wall time."""

    def is_blind(at: int, is_wall: bool) -> bool:  # one of two kinds of time
        at_us = end.line_us - round((end.at_ms - at) * 1000 / judge.speed) if is_wall else at
        return judge.excuses.is_blind(cabinet, at_us)

    return is_blind


def reach_verdict(judge: Judge, record: WorldRecord, end: Moment) -> Verdict:
    """Compare the world's own record with the database, both at `end`, when nothing is under way any more."""
    evidence = judge.evidence
    tally = Tally()
    for cabinet in judge.network.cabinets:
        blindness = _blindness(judge, cabinet, end)
        tally.add(compare(record.of(cabinet), evidence, cabinet, blindness, judge.excuses))
    return Verdict(
        promises={
            "no_key_leaves_without_a_right": _promise(releases_without_right(judge, record)),
            "a_right_opens": _promise(rights_not_opened(judge, record)),
            "no_fact_lost_or_doubled": _promise(tally.faults),
            "no_vehicle_booked_twice": _promise(double_bookings(evidence)),
            "picture_converges": _promise(wrong_picture(judge, record, end)),
        },
        bookings={state: sum(booking.state == state for booking in evidence.bookings) for state in BOOKING_STATES},
        handovers={kind: evidence.handovers.count(kind) for kind in ("taken", "returned")},
        facts={
            "physical": tally.physical,
            "ledger": tally.ledger,
            "missing": tally.missing,
            "doubled": tally.doubled,
            "out_of_order": tally.out_of_order,
        },
        refusals=dict(sorted(Counter(evidence.refusals).items())),
    )


def _promise(counterexamples: Iterable[str]) -> Promise:
    return Promise(tuple(counterexamples))


def _counts(name: str, counts: dict[str, int]) -> str:
    return f"{name}: " + (", ".join(f"{count} {what}" for what, count in counts.items()) or "none")
