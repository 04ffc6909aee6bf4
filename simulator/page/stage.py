"""One cabinet as the page has it: what there is to see, to do and to hear.

stage.picture()                             # as it is now
await stage.do("take 3")                    # the words of a person in front of it; raises BadCommand
for follow in stage.follows(): ...          # what passes
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from simulator.cabinet.any_bench import AnyBench
from simulator.cabinet.bench import TAG_LINE, TRACKER_LINE, Event
from simulator.cabinet.commands import Answer, Command, Commands, carry_out
from simulator.devices.kerong_board import KerongBoard
from simulator.network.wiring import LOCK_LINE, READER_LINE
from simulator.page.around import Around
from simulator.page.journal import LANE as JOURNAL_LANE
from simulator.page.levers import Levers
from simulator.page.messages import LANE as MQTT_LANE
from simulator.page.picture import Picture, Seen, picture_of
from simulator.page.rows import CABINET_LANE, Follow, Lane, SerialLane, Source, row_of_event
from station_agent.drivers.kerong.annotate import KerongAnnotator
from station_agent.drivers.modbus.annotate import ModbusAnnotator
from station_agent.drivers.osdp.annotate import OsdpAnnotator
from station_agent.drivers.talkers import TalkerAnnotator

AT_THE_CABINET: Final = frozenset({"badge", "show", "pin", "take", "return", "open", "close"})
"""What is done by hands: in a network somebody else may stand there."""
USES: Final = AT_THE_CABINET - {"open"} | {"book", "slots", "faults"}
"""What members and staff do all day: everything else puts something wrong, or right again."""
NOT_HERE: Final = frozenset({"wait", "config", "help"})
"""Of the terminal's commands, those that a page has no use for."""


@dataclass(slots=True)
class Stage:
    """Begins to listen on the cabinet's ports when it is made, at the cost of a comparison for each piece."""

    name: str
    title: str
    bench: AnyBench
    commands: Commands
    around: Around
    events: Lane = field(default_factory=Lane)
    """What somebody in front of the cabinet would notice."""
    broke: set[str] = field(default_factory=set)
    """Commands that did what nobody does who just uses the cabinet, by name."""
    known: Mapping[str, Command] = field(init=False)
    _sources: tuple[Source, ...] = field(init=False)
    _one_after_the_other: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        levers = Levers(self.name, self.bench, self.commands, self.around)
        of_cabinet = {name: command for name, command in self.commands.known.items() if name not in NOT_HERE}
        self.known = {**levers.known, **of_cabinet}
        assert len(self.known) == len(levers.known) + len(of_cabinet), "no name means two things"
        serial = [SerialLane(line, self._annotator(line), self.bench.line_clock) for line in self.bench.ports]
        for lane, port in zip(serial, self.bench.ports.values(), strict=True):
            port.tap = lane.note
        beyond = (self.around.messages, self.around.journal)
        self._sources = (*serial, self.events, *(source for source in beyond if source is not None))

    def _annotator(self, line: str) -> Any:
        is_kerong = any(isinstance(board, KerongBoard) for board in self.bench.locks.boards.values())
        return {
            LOCK_LINE: KerongAnnotator if is_kerong else ModbusAnnotator,
            READER_LINE: OsdpAnnotator,
            TAG_LINE: partial(TalkerAnnotator, "tag reader"),
            TRACKER_LINE: partial(TalkerAnnotator, "tracker"),
        }[line]

    def noticed(self, event: Event) -> None:
        self.events.put(row_of_event(self.bench.line_clock.now_us(), event))

    def picture(self) -> Picture:
        return picture_of(
            Seen(
                bench=self.bench,
                faults=tuple(self.commands.faults.rows()),
                holding=self.commands.hands.holding,
                vehicles=self.around.vehicles,
                around=self.around.seen(),
            )
        )

    def follows(self) -> list[Follow]:
        """For one who looks: a way to follow each of what can be heard here."""
        return [source.follow() for source in self._sources]

    async def do(self, line: str) -> Answer:
        """Carries out one command after the other: there is one pair of hands. Raises BadCommand."""
        async with self._one_after_the_other:
            if self.around.place is not None and not AT_THE_CABINET.isdisjoint(line.split(maxsplit=1)[:1]):
                await self.around.place.step_up()
            answer = await carry_out(self.known, line)
            self.broke |= {line.split(maxsplit=1)[0]} - USES
            return answer

    def about(self) -> dict[str, Any]:
        """What does not change: for a page to be built."""
        return {
            "name": self.name,
            "title": self.title,
            "lanes": [*self.bench.ports, MQTT_LANE, JOURNAL_LANE, CABINET_LANE],
            "commands": [{"usage": command.usage, "what": command.what} for command in self.known.values()],
            "people": [person.to_document() for person in self.around.people],
            "faults": [
                {
                    "device": row.device,
                    "name": row.fault.name,
                    "takes": row.fault.takes,
                    "what": row.fault.what,
                }
                for row in self.commands.faults.rows()
            ],
        }

    async def mend(self) -> None:
        """Everything that was broken from here is put right again, as far as it can be."""
        async with self._one_after_the_other:
            self.commands.faults.clear()
            if not self.bench.has_power:
                self.bench.switch_power(on=True)
            await self.around.mend()
