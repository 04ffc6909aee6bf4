"""The desired states on their way: new ones at once, again while a box lags, all of them on every connection."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from contract.facts import DoorOpened
from contract.messages import Acknowledged, Command, Desired, TimeReply
from dispatcher.link.courier import RETRY_US, Courier
from dispatcher.link.publisher import RESEND_US
from dispatcher.link.report_requests import ReportRequests
from dispatcher.store.desired import mark_dirty
from dispatcher.store.schema import cabinets
from runtime.link import LinkOwner, PublishRefused, PublishUnconfirmed
from runtime.steps import LoopSteps
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import NAMESPACE, FakeLink, HandClock, dispatcher_signer
from tests.dispatcher.running import Running, running
from tests.dispatcher.small_fleet import CABINET, OTHER_CABINET, book, counted_bytes, new_database
from tests.runtime.waiting import eventually


async def quiet(bench: Running) -> None:
    """Several rounds of the publisher have passed."""
    for _ in range(3):
        bench.dispatcher.publisher.wake()
        for _ in range(20):
            await asyncio.sleep(0)


def of(bench: Running, cabinet: str = CABINET) -> list[int]:
    """The versions that a cabinet was sent."""
    return [version for found, version in bench.desired() if found == cabinet]


async def test_every_cabinet_is_told_on_connecting() -> None:
    async with running() as bench:
        await bench.told_everybody()
        assert [cabinet for cabinet, _ in bench.desired()] == [CABINET, OTHER_CABINET]
        assert all(publication.retain for publication in bench.link.published)


async def test_a_booking_reaches_its_box_as_soon_as_the_api_wakes_us() -> None:
    async with running() as bench:
        await bench.told_everybody()
        bench.clock.pass_s(1)
        book(bench.database)
        bench.database.write_now(lambda connection: mark_dirty(connection, CABINET))
        bench.dispatcher.publisher.wake()
        await eventually(lambda: len(of(bench)) == 2)
        last = bench.link.heard(Desired)[-1]
        assert isinstance(last, Desired)
        assert [grant.grant for grant in last.grants] == ["grant-1"]
        assert of(bench, OTHER_CABINET) == of(bench, OTHER_CABINET)[:1]


async def test_what_did_not_change_is_not_sent_again() -> None:
    async with running() as bench:
        await bench.told_everybody()
        bench.database.write_now(lambda connection: mark_dirty(connection, CABINET))
        await quiet(bench)
        assert len(bench.desired()) == 2


async def test_a_box_that_lags_is_told_again_and_again_until_it_holds_the_version() -> None:
    async with running() as bench:
        await bench.told_everybody()
        box = FakeBox()
        await bench.tell(box.presence())
        await eventually(lambda: len(of(bench)) == 2)  # the echo of its boot nonce is new content
        await quiet(bench)
        for expected in (3, 4):
            bench.clock.pass_s(RESEND_US / 1e6)
            bench.dispatcher.publisher.wake()
            await quiet(bench)
            assert len(of(bench)) == expected, "once per resend time"
        box.desired_version = of(bench)[-1]
        await bench.tell(box.report())
        await quiet(bench)
        bench.clock.pass_s(RESEND_US / 1e6)
        await quiet(bench)
        assert len(of(bench)) == 4


async def test_a_box_that_is_offline_is_not_told_again() -> None:
    async with running() as bench:
        await bench.told_everybody()
        await bench.tell(FakeBox().presence(online=False))
        await eventually(lambda: len(of(bench)) == 2)
        bench.clock.pass_s(RESEND_US / 1e6)
        await quiet(bench)
        assert len(of(bench)) == 2


async def test_on_every_connection_states_and_watermarks_are_published_again() -> None:
    async with running() as bench:
        box = FakeBox()
        box.note(DoorOpened, slot=1, released=True)
        await bench.tell(box.batch())
        await eventually(bench.acknowledged)
        await bench.told_everybody()
        bench.link.disconnect()
        with bench.link.expecting(Acknowledged) as again, bench.link.expecting(Desired) as desired:
            await bench.link.connect()
            await eventually(lambda: len(desired()) == 2 and again())
        assert bench.acknowledged() == [1, 1]


async def test_our_presence_comes_first_and_offline_is_our_will_and_our_farewell() -> None:
    async with running() as bench:
        assert bench.link.published[0].topic == f"{NAMESPACE}/v1/dispatchers/main/presence"
        will = bench.link.owner.will(1)
        await bench.dispatcher.stop()
        assert will is not None
        assert will.topic == bench.link.published[0].topic == bench.link.published[-1].topic
        assert will.payload == bench.link.published[-1].payload != bench.link.published[0].payload


def courier() -> tuple[Courier, HandClock, FakeLink, LoopSteps]:
    clock = HandClock()
    link = FakeLink(LinkOwner((), lambda _incoming: None, _nothing))
    link.connected = True
    steps = LoopSteps(clock)
    made = Courier(NAMESPACE, dispatcher_signer(), clock, steps)
    made.use(link)
    return made, clock, link, steps


async def _nothing(_count: int) -> None:
    pass


def reply(number: int, cabinet: str = CABINET) -> TimeReply:
    return TimeReply(cabinet=cabinet, nonce="ab" * 16, at_ms=number)


async def test_of_one_topic_only_the_newest_message_waits() -> None:
    post, _clock, link, steps = courier()
    for number in range(500):
        post.send(reply(number))
        post.send(reply(number, OTHER_CABINET))
    task = asyncio.create_task(steps.run())
    await eventually(lambda: len(link.published) == 2)
    assert link.heard(TimeReply) == [reply(499), reply(499, OTHER_CABINET)]
    task.cancel()


async def test_of_two_commands_to_one_cabinet_both_are_sent_and_of_one_that_waits_its_newest_form() -> None:
    post, clock, link, steps = courier()
    requests = ReportRequests(new_database(), post, (clock, clock), counted_bytes())
    await requests.ask({CABINET})
    order = Command(
        cabinet=CABINET, command="order-1", counter=7, action="release_slot", slot=1, issued_ms=1, expires_ms=2
    )
    post.send(order)
    post.send(order.model_copy(update={"counter": 8}))
    task = asyncio.create_task(steps.run())
    await eventually(lambda: len(link.published) == 2)
    task.cancel()
    sent: list[Any] = link.heard(Command)
    assert [(command.action, command.counter) for command in sent][1] == ("release_slot", 8)
    assert sent[0].action == "report_now"


async def test_what_the_broker_does_not_take_is_counted_and_logged_once_a_minute() -> None:
    post, clock, link, steps = courier()
    task = asyncio.create_task(steps.run())
    with capture_logs() as logs:
        link.fails = PublishRefused(0x87, "not authorised")
        for number in range(3):
            post.send(reply(number))
            await eventually(lambda: not post.waiting)
        link.fails = PublishUnconfirmed("no answer")
        clock.pass_s(60)
        post.send(reply(9))
        await eventually(lambda: post.failed == 4)
    assert [log["event"] for log in logs] == ["publish_refused", "publish_failed"]
    link.fails = None
    post.send(reply(10))
    await eventually(lambda: link.published)
    task.cancel()


async def test_what_the_broker_does_not_confirm_is_tried_again_unless_something_newer_waits() -> None:
    post, clock, link, steps = courier()
    task = asyncio.create_task(steps.run())
    link.fails = PublishUnconfirmed("no answer")
    post.send(reply(1))
    post.send(reply(1, OTHER_CABINET))
    await eventually(lambda: (post.failed, post.waiting) == (2, 2))
    link.fails = None
    clock.pass_s(RETRY_US / 1e6)
    post.send(reply(2))
    await eventually(lambda: len(link.published) == 2)
    task.cancel()
    assert link.heard(TimeReply) == [reply(1, OTHER_CABINET), reply(2)]


async def test_what_waits_when_the_connection_ends_is_forgotten() -> None:
    post, _clock, _link, _steps = courier()
    post.send(reply(1))
    post.forget()
    assert not post.waiting


async def test_a_cabinet_that_a_decision_waits_for_is_asked_for_its_report_now_and_then() -> None:
    post, clock, link, steps = courier()
    database = new_database()
    requests = ReportRequests(database, post, (clock, clock), counted_bytes())
    task = asyncio.create_task(steps.run())
    for _ in range(5):
        await requests.ask({CABINET})
    await eventually(lambda: link.heard(Command))
    clock.pass_s(10)
    await requests.ask({CABINET, OTHER_CABINET})
    await eventually(lambda: len(link.heard(Command)) == 3)
    task.cancel()
    asked: list[Any] = link.heard(Command)
    assert [command.cabinet for command in asked] == [CABINET, CABINET, OTHER_CABINET]
    assert {command.action for command in asked} == {"report_now"}
    assert asked[0].counter < asked[1].counter
    assert len({command.command for command in asked}) == 3
    assert all(command.expires_ms > command.issued_ms for command in asked)


async def test_a_cabinet_that_is_offline_is_asked_less_often_whether_it_is_back() -> None:
    post, clock, link, steps = courier()
    requests = ReportRequests(new_database(), post, (clock, clock), counted_bytes())
    task = asyncio.create_task(steps.run())
    for _ in range(7):  # at 0, 10, ... 60 s
        await requests.ask({CABINET}, {CABINET, OTHER_CABINET})
        await eventually(lambda: not post.waiting)
        clock.pass_s(10)
    task.cancel()
    asked: list[Any] = link.heard(Command)
    assert [command.cabinet for command in asked].count(CABINET) == 7
    assert [command.cabinet for command in asked].count(OTHER_CABINET) == 3


async def test_a_round_that_breaks_is_counted_and_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> int:
        raise TypeError("nobody foresaw this")

    async with running() as bench:
        await bench.told_everybody()
        with monkeypatch.context() as patched:
            patched.setattr(bench.dispatcher.publisher, "_to_do", broken)
            bench.dispatcher.publisher.wake()
            await eventually(lambda: bench.dispatcher.publisher.failed == 1)
        await bench.link.connect()
        await bench.told_everybody(times=2)


async def test_a_publication_that_breaks_is_counted_and_the_next_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_publication: object) -> None:
        raise TypeError("nobody foresaw this")

    post, _clock, link, steps = courier()
    task = asyncio.create_task(steps.run())
    with monkeypatch.context() as patched:
        patched.setattr(link, "publish", broken)
        post.send(reply(1))
        await eventually(lambda: post.failed == 1)
    post.send(reply(2))
    await eventually(lambda: link.published)
    task.cancel()


async def test_what_a_broker_keeps_for_a_retired_cabinet_is_taken_back() -> None:
    async with running() as bench:
        await bench.told_everybody()
        retired = update(cabinets).where(cabinets.c.id == OTHER_CABINET).values(life_cycle="retired")
        bench.database.write_now(lambda connection: connection.execute(retired))
        told = len(bench.link.published)
        await quiet(bench)
        emptied = bench.link.published[told:]
        assert {one.topic for one in emptied} == {
            f"{NAMESPACE}/v1/cabinets/{OTHER_CABINET}/{channel}" for channel in ("desired", "acknowledged")
        }
        assert all(one.retain and one.payload == b"" for one in emptied)
        await quiet(bench)
        assert bench.link.published[told:] == emptied, "once for each connection"
