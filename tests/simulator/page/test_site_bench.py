"""What hands do at a network's cabinet is in the world's record, as if a member had done it."""

from pathlib import Path

import pytest

from runtime.clocks import SystemLineClock
from simulator.cabinet.bench import Event
from simulator.cabinet.commands import Commands
from simulator.cabinet.words import BadCommand
from simulator.clocks import ScaledClock
from simulator.network.model import Card
from simulator.page.site_bench import Known, SiteBench
from simulator.world.moment import Moment
from simulator.world.record import What, WorldRecord
from simulator.world.site import Site
from tests.simulator.world.plans import CABINET, KEY, START_MS

CARD = Card("mifare-7", 56, bytes(range(7)))
LINE = SystemLineClock()
CLOCK = ScaledClock(START_MS, 60.0, LINE)


@pytest.fixture
def record() -> WorldRecord:
    return WorldRecord()


@pytest.fixture
async def commands(tmp_path: Path, record: WorldRecord) -> Commands:
    site = Site(
        CABINET,
        {KEY.home_slot: KEY},
        seed=1,
        directory=tmp_path,
        moment=lambda: Moment(CLOCK.now_ms(), LINE.now_us()),
        line_clock=LINE,
        record=record,
    )
    heard: list[Event] = []
    known = Known({CARD.credential: "booking-1"}.get, {CARD.credential: "4711"}.get)
    bench = SiteBench(site, CLOCK, LINE, record, known, heard.append)
    return Commands(bench, str)


async def test_a_card_and_its_pin_are_recorded_with_what_they_are_for(
    commands: Commands, record: WorldRecord
) -> None:
    await commands.run(f"badge {CARD.data.hex()}")
    await commands.run("pin 4712")
    await commands.run("pin 4711#")
    await commands.run("badge 0102030405 return")
    deeds = [(fact.deed.what, fact.deed.credential, fact.deed.booking, fact.deed.is_right) for fact in record]
    assert deeds == [
        (What.BADGE_SHOWN, CARD.credential, "booking-1", False),
        (What.PIN_KEYED, CARD.credential, "booking-1", False),
        (What.PIN_KEYED, CARD.credential, "booking-1", True),
        (What.TAG_SHOWN, "em4100:0102030405", None, False),
    ]
    assert {fact.deed.who for fact in record} == {"somebody"}


async def test_what_a_reader_ignores_is_not_recorded(commands: Commands, record: WorldRecord) -> None:
    for _ in range(4):
        await commands.run(f"badge {CARD.data.hex()}")
    with pytest.raises(BadCommand, match="entrance ignores the card"):
        await commands.run(f"badge {CARD.data.hex()}")
    assert record.count(What.BADGE_SHOWN) == 4


async def test_its_power_fails_and_comes_back_for_boards_and_readers(commands: Commands) -> None:
    bench = commands._bench
    assert isinstance(bench, SiteBench)
    for word, is_on in (("off", False), ("on", True)):
        await commands.run(f"power {word}")
        assert [device.is_on for device in bench._site.powered] == [is_on] * 4
        assert bench.has_power is is_on


async def test_it_has_every_fault_of_a_desks_modbus_cabinet_but_twins(commands: Commands) -> None:
    faults: dict[str, set[str]] = {}
    for row in commands.faults.rows():
        faults.setdefault(row.device, set()).add(row.fault.name)
    assert set(faults) == {"cabinet", "relays-1", "doors-1", "entrance", "return", "locks", "readers"}
    assert "twin" not in faults["relays-1"] | faults["entrance"]
    assert {"silent", "late", "bad-crc"} <= faults["relays-1"]
