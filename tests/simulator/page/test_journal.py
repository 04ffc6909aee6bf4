import json
import os
from pathlib import Path

from contract.facts import DoorClosed, Fact
from runtime.clocks import SystemClock, SystemLineClock
from simulator.page.journal import AT_FIRST, JournalLane, facts_since, words_of
from station_agent.journal import Journal
from station_agent.storage import FileStorage


def facts(first: int, last: int) -> tuple[Fact, ...]:
    return tuple(DoorClosed(seq=seq, at_ms=seq, clock_trusted=True, slot=1) for seq in range(first, last + 1))


def numbers(texts: list[str]) -> list[int]:
    return [json.loads(text)["seq"] for text in texts]


def test_facts_are_read_while_their_agent_has_the_journal_open_each_once(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    assert facts_since(file, None) == ([], None), "there is no journal yet"
    journal = Journal.open(FileStorage(file), "desk-1", now_ms=1, random_bytes=os.urandom)
    assert facts_since(file, None)[0] == []
    journal.append(facts(1, 30), "")
    texts, last = facts_since(file, None)
    assert numbers(texts) == list(range(31 - AT_FIRST, 31))
    assert facts_since(file, last) == ([], last)
    journal.append(facts(31, 32), "")
    texts, last = facts_since(file, last)
    assert numbers(texts) == [31, 32]
    journal.close()


async def test_a_file_that_is_no_journal_yet_is_looked_at_again(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    file.touch()
    follow = JournalLane(file, SystemClock(), SystemLineClock()).follow()
    assert await follow() == []
    assert facts_since(file, (1, 4)) == ([], (1, 4))


def test_a_fact_is_told_by_its_number_its_kind_and_what_it_says() -> None:
    (fact,) = facts(7, 7)
    assert words_of(json.loads(fact.to_json())) == "7 door_closed: slot 1"
    told = {
        "kind": "inventory_due",
        "seq": 3,
        "at_ms": 1,
        "clock_trusted": False,
        "vehicle": {"age_s": 3},
        "slot": None,
    }
    assert words_of(told) == "3 inventory_due: clock not trusted"


async def test_a_fact_has_its_place_by_its_own_time(tmp_path: Path) -> None:
    file, clock, line_clock = tmp_path / "journal.sqlite", SystemClock(), SystemLineClock()
    journal = Journal.open(FileStorage(file), "desk-1", now_ms=1, random_bytes=os.urandom)
    at_ms = (clock.now_ms() - 5_000, clock.now_ms() + 5_000)
    journal.append(
        tuple(DoorClosed(seq=seq, at_ms=at, clock_trusted=True, slot=1) for seq, at in enumerate(at_ms, 1)), ""
    )
    rows = await JournalLane(file, clock, line_clock).follow()()
    journal.close()
    ago_s = [(line_clock.now_us() - row.at_us) / 1e6 for row in rows]
    assert 5 <= ago_s[0] < 6
    assert 0 <= ago_s[1] < 1, "a time ahead is now"
