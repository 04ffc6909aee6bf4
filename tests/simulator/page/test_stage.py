"""What is done from a page is done at the cabinet, seen in its picture and heard in its rows."""

import asyncio
from pathlib import Path

import pytest

from runtime.clocks import SystemLineClock
from simulator.cabinet.options import KERONG, RDM6300
from simulator.cabinet.words import BadCommand
from simulator.clocks import JumpingClock
from simulator.page.around import Around
from simulator.page.levers import LEVERS
from simulator.page.people import STRANGERS_CARD, Person
from simulator.page.picture import AroundSeen, FaultOn
from simulator.page.place import Place
from simulator.page.stage import Stage
from tests.runtime.waiting import eventually
from tests.simulator.page.desk import desk

TAG_1 = "0100000001"
STRANGER = Person("stranger", "somebody", STRANGERS_CARD)


class FakeAgent:
    def __init__(self) -> None:
        self.is_running = True
        self.ends: list[str] = []

    async def start(self) -> None:
        self.is_running = True

    async def kill(self) -> None:
        self.is_running = False
        self.ends.append("killed")

    async def stop(self) -> None:
        self.is_running = False
        self.ends.append("stopped")


async def heard(stage: Stage) -> list[str]:
    return [row.words for follow in stage.follows() for row in await follow()]


async def test_a_key_is_taken_and_brought_back_to_another_slot(tmp_path: Path) -> None:
    with desk(tmp_path) as stage:
        assert [slot.key for slot in stage.picture().slots] == [*(f"key-{n}" for n in range(1, 8)), None]
        await stage.do("open 1")
        assert stage.picture().slots[0].is_open
        assert (await stage.do("take 1")).text == "key-1 taken out of slot 1, door shut"
        assert [(held.key, held.tag, held.home_slot) for held in stage.picture().holding] == [("key-1", TAG_1, 1)]
        await stage.do("open 8")
        await stage.do(f"return {TAG_1} 8")
        picture = stage.picture()
        assert (picture.slots[0].key, picture.slots[7].key, picture.slots[7].tag) == (None, "key-1", TAG_1)
        assert picture.holding == ()
        assert "slot 8: key inserted by somebody" in await heard(stage)
        assert stage.broke == {"open"}, "a mechanical key is no member's"


async def test_a_pulled_cable_a_stuck_lock_and_a_power_cut_are_seen_and_mended(tmp_path: Path) -> None:
    with desk(tmp_path) as stage:
        before = stage.picture()
        await stage.do("pull-cable locks")
        await stage.do("fault cabinet stuck 3")
        await stage.do("power off")
        picture = stage.picture()
        assert [line.is_plugged for line in picture.lines] == [False, True]
        assert FaultOn("cabinet", "stuck", "3") in picture.faults
        assert [slot.slot for slot in picture.slots if slot.is_stuck] == [3]
        assert (picture.has_power, picture.readers[0].means) == (False, "dark")
        await stage.mend()
        after = stage.picture()
        assert (after.lines, after.faults, after.slots) == (before.lines, before.faults, before.slots)
        assert after.has_power


async def test_every_command_is_known_by_its_name_and_a_wrong_one_says_what_was_expected(tmp_path: Path) -> None:
    with desk(tmp_path) as stage:
        assert [usage.split()[0] for usage in LEVERS] == list(stage.known)[: len(LEVERS)]
        assert [command["usage"].split()[0] for command in stage.about()["commands"]] == list(stage.known)
        assert {"badge", "pin", "take", "return", "open", "close", "pull-cable", "fault", "clear"} <= set(
            stage.known
        )
        assert not {"wait", "config", "help", "quit"} & set(stage.known)
        for line, expected in (
            ("tkae 1", "command 'tkae': did you mean take? expected one of agent, badge, "),
            ("take 1", "slot 1 is shut: expected an open one; open now: none"),
            ("show member", "person 'member': expected one of none: there is nothing here"),
            (
                "cut-network",
                "cut-network: the agent's connection does not pass here: expected the page of `simulator",
            ),
            ("mend-network", "mend-network: the agent's connection does not pass here"),
            (
                "forget",
                "forget: this broker cannot be killed from here: expected the page of `simulator demo --broker",
            ),
            ("agent kill", "agent: it is no process of its own here: expected the page of `simulator demo --proc"),
            ("jump 5", "jump: the clock is not this program's: expected the page of `simulator demo` without"),
            ("jump 0", "minutes '0': expected a whole number from 1 to 10080"),
        ):
            with pytest.raises(BadCommand) as refused:
                await stage.do(line)
            assert str(refused.value).startswith(expected), line


async def test_an_agent_is_killed_started_and_stopped_and_mending_starts_it(tmp_path: Path) -> None:
    agent = FakeAgent()
    with desk(tmp_path, Around(agent=agent)) as stage:
        assert stage.picture().around == AroundSeen(agent="running")
        await stage.do("agent kill")
        assert stage.picture().around == AroundSeen(agent="stopped")
        with pytest.raises(BadCommand, match="agent stop: it is stopped already: expected start"):
            await stage.do("agent stop")
        await stage.do("agent start")
        with pytest.raises(BadCommand, match="agent start: it is running already: expected stop or kill"):
            await stage.do("agent start")
        await stage.do("agent stop")
        await stage.mend()
        assert (agent.is_running, agent.ends) == (True, ["killed", "stopped"])


async def test_who_waits_for_a_clock_that_jumps_is_called_within_a_second(tmp_path: Path) -> None:
    clock = JumpingClock(0, 1.0, SystemLineClock())
    with desk(tmp_path, Around(clock=clock)) as stage:
        waiting = asyncio.create_task(clock.sleep_until_ms(3_600_000))
        await asyncio.sleep(0)
        await stage.do("jump 60")
        await eventually(waiting.done, within_s=2.0)
        assert clock.now_ms() // 60_000 == 60


async def test_hands_wait_for_whoever_stands_there_and_leave_a_while_after_their_last_deed(tmp_path: Path) -> None:
    turn = asyncio.Lock()
    leaving: list[object] = []

    def later(_seconds: float, call: object) -> object:
        leaving.append(call)
        return lambda: leaving.remove(call)

    place = Place(turn, later)  # type: ignore[arg-type]  # a fake of loop.call_later
    with desk(tmp_path, Around(place=place, people=(STRANGER,))) as stage:
        await turn.acquire()
        opening = asyncio.create_task(stage.do("open 1"))
        await asyncio.sleep(0)
        assert not stage.picture().slots[0].is_open, "a member stands there"
        turn.release()
        await opening
        await stage.do("show stranger")
        assert (turn.locked(), len(leaving)) == (True, 1)
        place.leave()
        assert not turn.locked()


@pytest.mark.parametrize("tag_reader", [RDM6300, "none"])
async def test_other_hardware_is_shown_too(tmp_path: Path, tag_reader: str) -> None:
    with desk(tmp_path, locks=KERONG, tag_reader=tag_reader) as stage:
        readers = [(reader.name, reader.has_keypad) for reader in stage.picture().readers]
        assert readers == [("entrance", True), *([("return", False)] if tag_reader == RDM6300 else [])]
        assert stage.about()["lanes"][:2] == ["locks", "readers"]
        assert await heard(stage) == []
