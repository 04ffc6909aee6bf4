"""A cabinet behind its ports, used by one person and read by the agent's own drivers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.clocks import SystemLineClock
from simulator.clocks import ScaledClock
from simulator.world.acts import ReaderLight
from simulator.world.api import ApiAnswer, BookingRequest, BookingView
from simulator.world.body import Body, Surroundings
from simulator.world.members import Member
from simulator.world.moment import Moment
from simulator.world.record import Deed, Intent, What, WorldRecord
from simulator.world.site import TAP_GAP_US, Site
from simulator.world.traffic import Traffic
from station_agent.core.device_events import CardRead
from tests.runtime.waiting import eventually
from tests.simulator.world.fake_agent import FakeAgent
from tests.simulator.world.plans import CABINET, KEY, MEMBER, NETWORK, START_MS, VEHICLE, plan

SEED = 1
LINE = SystemLineClock()
KEYS = {vehicle.key.home_slot: vehicle.key for vehicle in NETWORK.vehicles}
TAP = Deed(What.BADGE_SHOWN, "member:m-1", reader="entrance", intent=Intent.TAKE)


class FakeApi:
    """Every booking is made and is on its box."""

    async def book(self, request: BookingRequest) -> ApiAnswer:
        return BookingView("booking-1", VEHICLE.id, CABINET, "booked", "on_box")

    async def booking(self, booking: str) -> ApiAnswer:
        return BookingView(booking, VEHICLE.id, CABINET, "booked", "on_box")

    async def cancel(self, booking: str) -> ApiAnswer:
        return BookingView(booking, VEHICLE.id, CABINET, "cancelled", None)


def now() -> Moment:
    return Moment(START_MS, LINE.now_us())


async def live(member: Member, body: Body) -> None:
    script = member.live()
    act = next(script, None)
    while act is not None:
        outcome = await body.do(act)
        try:
            act = script.send(outcome)
        except StopIteration:
            return


@pytest.fixture
def record() -> WorldRecord:
    return WorldRecord()


@pytest.fixture
async def site(tmp_path: Path, record: WorldRecord) -> AsyncIterator[Site]:
    site = Site(CABINET, KEYS, seed=SEED, directory=tmp_path / "ports", moment=now, line_clock=LINE, record=record)
    site.open()
    yield site
    site.close()


def opens_home(card: CardRead) -> int | None:
    """Only the member's badge and the key's fob are known."""
    known = {MEMBER.badges[0].data, KEY.tag.data}
    return KEY.home_slot if card.data in known else None


@pytest.fixture
async def agent(site: Site, tmp_path: Path) -> AsyncIterator[FakeAgent]:
    agent = FakeAgent(tmp_path / "ports", SEED, site.name, opens_home)
    async with agent.running():
        await eventually(lambda: agent.seen)
        yield agent


async def test_the_agents_drivers_see_the_cabinet_as_it_is(agent: FakeAgent) -> None:
    keys = {slot.slot for slot in agent.seen[0].slots if slot.key_present}
    assert keys == set(KEYS)
    assert not any(slot.door_open for slot in agent.seen[0].slots)


async def test_a_member_lives_a_whole_rental_on_the_lines(
    site: Site, agent: FakeAgent, record: WorldRecord
) -> None:
    clock = ScaledClock(START_MS + 3_600_000, 1.0, LINE)

    async def publish(_topic: str, _payload: bytes) -> None:
        """Nobody listens to trackers here."""

    traffic = Traffic(NETWORK, SEED, clock, publish, "carshare")
    around = Surroundings(clock, now, {CABINET: site}, traffic, FakeApi(), asyncio.Semaphore(1), Counter())
    member = Member(plan())
    body = Body(member.name, around)
    await live(member, body)
    assert [fact.deed.what for fact in record] == [
        What.BADGE_SHOWN,
        What.LOCK_PULSED,
        What.DOOR_OPENED,
        What.KEY_REMOVED,
        What.DOOR_CLOSED,
        What.TAG_SHOWN,
        What.LOCK_PULSED,
        What.DOOR_OPENED,
        What.KEY_INSERTED,
        What.DOOR_CLOSED,
    ]
    assert [card.data for card in agent.cards] == [MEMBER.badges[0].data, KEY.tag.data]
    await eventually(lambda: agent.shows(KEY.home_slot) == (True, False))
    hung = (True, False)
    taking = [hung, (True, True), (False, True), (False, False)]
    bringing_back = [(False, True), (True, True), hung]
    states = [next(it for it in seen.slots if it.slot == KEY.home_slot) for seen in agent.seen]
    assert [(it.key_present, it.door_open) for it in states] == taking + bringing_back
    assert not site.turn.locked()


@pytest.mark.usefixtures("agent")
async def test_a_person_sees_the_light_that_says_no(site: Site) -> None:
    assert MEMBER.old_badge is not None
    assert await site.show_card("entrance", MEMBER.old_badge, TAP)
    assert await site.watch(5_000_000) is ReaderLight.RED


async def test_a_person_sees_the_door_that_springs_open(site: Site, agent: FakeAgent) -> None:
    assert await site.show_card("entrance", MEMBER.badges[0], TAP)
    assert await site.watch(5_000_000) == KEY.home_slot
    await eventually(lambda: agent.shows(KEY.home_slot) == (True, True))


async def test_taps_at_one_reader_keep_their_distance(site: Site, agent: FakeAgent, record: WorldRecord) -> None:
    await site.show_card("entrance", MEMBER.badges[0], TAP)
    await site.show_card("entrance", MEMBER.badges[0], TAP)
    taps = [fact.moment.line_us for fact in record if fact.deed.what is What.BADGE_SHOWN]
    assert taps[1] - taps[0] >= TAP_GAP_US
    await eventually(lambda: len(agent.cards) == 2)


@pytest.mark.usefixtures("agent")
async def test_a_stuck_lock_gets_current_and_nobody_sees_a_door(site: Site, record: WorldRecord) -> None:
    site.cabinet.set_stuck(KEY.home_slot, stuck=True)
    assert await site.show_card("entrance", MEMBER.badges[0], TAP)
    await eventually(lambda: record.count(What.LOCK_PULSED))
    assert await site.watch(1) is None
    assert record.count(What.DOOR_OPENED) == 0


async def test_nobody_holds_a_card_against_a_dark_reader(
    site: Site, record: WorldRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.world.site.READY_WAIT_S", 0.25)
    assert not await site.show_card("entrance", MEMBER.badges[0], TAP)
    assert record.count(What.BADGE_SHOWN) == 0
