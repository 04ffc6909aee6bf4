"""The history of one run with its faults between, and the part of it that somebody asks for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulator.hunt.scenario import Run
from simulator.virtual.history import Line, history


def story(run: Run) -> list[Line]:
    """Everything that happened, in the order of time."""
    clock = run.world.stage.clock
    lines = history(run.world)
    for number, spell in enumerate(run.spells, 1):
        place = spell.place
        about = tuple(sorted(spell.cabinets or ()))
        for at_us, word in ((spell.from_us, "begins"), (spell.until_us, "ends")):
            at_ms = clock.start_ms + at_us // 1000
            lines.append(Line(at_ms, place, number, "fault", f"{spell} {word}", about))
    return sorted(lines)


@dataclass(frozen=True, slots=True)
class Filter:
    """What of a story is wanted; None: not asked."""

    station: str | None = None
    booking: str | None = None
    key: str | None = None

    def of(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines that fit everything asked for."""
        for line in lines:
            here = self.station is None or self._concerns_station(line)
            named = all(wanted is None or wanted in line.about for wanted in (self.booking, self.key))
            if here and named:
                yield line

    def _concerns_station(self, line: Line) -> bool:
        names = {self.station, f"{self.station}-1"}  # every station of this network has one cabinet
        return line.place in names or (line.who == "fault" and (not line.about or bool(names & set(line.about))))
