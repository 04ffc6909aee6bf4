"""The whole program without a network: bookings go out, facts come in, time passes, metrics tell."""

import asyncio
import re
import subprocess
from typing import Any

import pytest
from prometheus_client import generate_latest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from contract.facts import AccessGranted, DoorOpened, Identity, KeyReturned, KeyTaken, Purpose
from contract.messages import Command, Desired
from dispatcher import dispatcher as dispatcher_module
from dispatcher.api.counters import ApiCounters
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.link.hearing import Ears
from dispatcher.metrics import health, monitored, readiness
from dispatcher.series import SERIES
from dispatcher.store.deadlines import MARGIN_MS
from dispatcher.store.desired import mark_dirty
from station_agent.series import SERIES as AGENT_SERIES
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.running import Running, made, running
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    book,
    incidents,
    new_database,
    stored,
)
from tests.runtime.waiting import eventually

UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}


async def tell_facts(bench: Running, box: FakeBox, first: int) -> None:
    before = len(bench.acknowledged())
    await bench.tell(box.batch(first))
    await eventually(lambda: len(bench.acknowledged()) > before)


async def test_a_booking_from_the_desk_to_the_box_and_back_until_it_is_complete() -> None:
    async with running() as bench:
        box = FakeBox()
        book(bench.database)
        bench.database.write_now(lambda connection: mark_dirty(connection, CABINET))
        await bench.tell(box.presence())
        bench.dispatcher.publisher.wake()
        await eventually(lambda: any(_grants(message) for message in bench.link.heard(Desired)))
        box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
        box.now_ms += HOUR
        box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
        bench.clock.ms += HOUR
        await tell_facts(bench, box, 1)
        assert stored(bench.database).state is BookingState.RETURNED
        box.now_ms += 10 * MINUTE + MARGIN_MS
        bench.clock.ms += 10 * MINUTE + MARGIN_MS
        await bench.dispatcher.tick()
        await eventually(lambda: bench.link.heard(Command))  # the hold is over: how do you stand?
        await bench.tell(box.report())
        await eventually(lambda: len(bench.dispatcher.intake) == 0)
        await _tick_until(bench, BookingState.COMPLETED)
        await eventually(lambda: not _grants(bench.link.heard(Desired)[-1]))
        assert incidents(bench.database) == []


def _grants(message: Any) -> tuple[Any, ...]:
    found: tuple[Any, ...] = message.grants
    return found


async def _tick_until(bench: Running, state: BookingState) -> None:
    for _ in range(100):
        await bench.dispatcher.tick()
        if stored(bench.database).state is state:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"the booking is {stored(bench.database).state}")


async def test_a_cabinet_that_falls_silent_while_we_listen_is_an_incident() -> None:
    async with running() as bench:
        box = FakeBox()
        await bench.tell(box.presence())
        await bench.tell(box.presence(online=False))
        await eventually(lambda: len(bench.dispatcher.intake) == 0)
        bench.clock.pass_s(RULES.cabinet_silent_s + 1)
        await bench.dispatcher.tick()
        found = {(kind, subject) for kind, subject, _ in incidents(bench.database)}
        assert (IncidentKind.CABINET_SILENT, CABINET) in found


async def test_a_cabinet_is_not_blamed_for_our_own_deafness() -> None:
    async with running() as bench:
        await bench.tell(FakeBox().presence())
        bench.link.disconnect()
        bench.clock.pass_s(24 * 3600)
        await bench.dispatcher.tick()
        await bench.link.connect()
        await bench.dispatcher.tick()
        assert incidents(bench.database) == []


def test_what_was_heard_is_measured_on_the_line_clock_from_when_we_listen() -> None:
    clock = HandClock()
    ears = Ears(clock, clock)
    assert not ears.now().listening
    ears.listen()
    clock.pass_s(10)
    ears.heard("cab-a")
    clock.pass_s(5)
    now = ears.now()
    assert (now.listening, now.listening_s, now.quiet_s) == (True, 15, {"cab-a": 5})
    assert now.listening_since_ms == NOW_MS
    ears.go_deaf()
    clock.pass_s(100)
    ears.listen()
    assert ears.now().quiet_s == {"cab-a": 0}


async def test_timed_work_that_the_database_refuses_is_tried_again_and_seen_in_health() -> None:
    bench = await made(new_database())
    write = bench.database.write

    async def refuse(_work: Any) -> Any:
        raise OperationalError("BEGIN", None, Exception("database is locked"))

    bench.database.write = refuse  # type: ignore[assignment,method-assign]
    with capture_logs() as logs:
        await bench.dispatcher.tick()
    assert [log["event"] for log in logs] == ["timed_work_failed"]
    assert [check.name for check in health(bench.dispatcher) if not check.ok] == ["timed_work"]
    bench.database.write = write  # type: ignore[method-assign]
    await bench.dispatcher.tick()
    assert all(check.ok for check in health(bench.dispatcher))


async def test_ready_is_who_is_connected() -> None:
    bench = await made(new_database())
    assert [check.name for check in readiness(bench.dispatcher) if not check.ok] == ["broker"]
    await bench.link.connect() if bench.link.connected else None
    bench.link.connected = True
    assert all(check.ok for check in readiness(bench.dispatcher))


async def metrics(bench: Running) -> dict[str, float]:
    """The samples of a scrape by name and labels."""
    registry = monitored(bench.dispatcher, ApiCounters()).registry
    lines = generate_latest(registry).decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


async def test_every_bounded_label_is_there_from_the_start() -> None:
    seen = await metrics(await made(new_database()))
    assert all(name.startswith("dispatcher_") for name in seen)
    assert seen['dispatcher_ingest_facts_total{outcome="conflict"}'] == 0
    assert seen['dispatcher_messages_rejected_total{fault="bad_signature"}'] == 0
    assert seen['dispatcher_open_incidents{kind="key_overdue"}'] == 0
    assert seen['dispatcher_bookings{state="no_show"}'] == 0
    assert seen['dispatcher_incidents_unacknowledged{severity="urgent"}'] == 0
    assert seen['dispatcher_rows_past_limit{limit="rentals"}'] == 0
    assert seen['dispatcher_api_refusals_total{reason="unknown_token"}'] == 0
    assert seen["dispatcher_link_up"] == 0


def exported(bench: Running) -> str:
    return generate_latest(monitored(bench.dispatcher, ApiCounters()).registry).decode()


async def test_what_is_exported_is_what_is_declared_and_prometheus_finds_nothing_to_say_of_it() -> None:
    async with running() as bench:
        await bench.dispatcher.tick()
        text = exported(bench)
    assert set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)) == {one.name for one in SERIES}
    done = await asyncio.to_thread(check_metrics, text)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def check_metrics(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)


def test_no_label_can_name_a_person() -> None:
    of_the_network = {"cabinet", "station", "device", "line"}
    of_the_code = {
        "check",
        "direction",
        "fault",
        "kind",
        "limit",
        "method",
        "outcome",
        "reason",
        "route",
        "severity",
    }
    of_the_code |= {"source", "state", "status", "version", "why"}
    labels = {label for one in (*SERIES, *AGENT_SERIES) for label in one.labels}
    assert labels <= of_the_network | of_the_code


async def test_a_box_that_nobody_can_scrape_is_seen_through_the_dispatcher() -> None:
    place = f'cabinet="{CABINET}",station="st-a"'
    async with running() as bench:
        box = FakeBox()
        box.note(DoorOpened, slot=1, released=True)
        await bench.tell(box.presence())
        await bench.tell(box.report(clock_trusted=False))
        await eventually(lambda: len(bench.dispatcher.intake) == 0)
        bench.clock.pass_s(20)
        await bench.dispatcher.tick()
        seen = await metrics(bench)
        bench.clock.pass_s(5)
        later = await metrics(bench)
    assert seen[f"dispatcher_cabinet_online{{{place}}}"] == 1
    assert seen[f"dispatcher_cabinet_clock_trusted{{{place}}}"] == 0
    assert seen[f"dispatcher_cabinet_journal_depth{{{place}}}"] == 1
    assert seen[f"dispatcher_cabinet_silent_seconds{{{place}}}"] == 20
    assert later[f"dispatcher_cabinet_silent_seconds{{{place}}}"] == 25  # made at scrape time
    assert f'dispatcher_cabinet_silent_seconds{{cabinet="{OTHER_CABINET}",station="st-b"}}' not in seen
    assert seen[f'dispatcher_cabinet_slots{{cabinet="{CABINET}",state="unknown",station="st-a"}}'] == 3
    assert seen['dispatcher_check_ok{check="broker"}'] == 1


async def test_the_delay_of_facts_is_from_their_box_to_their_commit_where_its_clock_is_trusted() -> None:
    async with running() as bench:
        box = FakeBox()
        box.note(DoorOpened, slot=1, released=True)
        box.clock_trusted = False
        box.note(DoorOpened, slot=2, released=True)
        bench.clock.pass_s(3)
        await tell_facts(bench, box, 1)
        await tell_facts(bench, box, 1)  # told again: nothing new
        seen = await metrics(bench)
    assert seen["dispatcher_ingest_delay_seconds_count"] == 1
    assert seen["dispatcher_ingest_delay_seconds_sum"] == 3


async def test_the_metrics_show_what_happens() -> None:
    async with running() as bench:
        await bench.told_everybody()
        box = FakeBox()
        book(bench.database)
        box.note(DoorOpened, slot=1, released=True)
        box.note(KeyTaken, slot=2, identity=Identity.READ, key="key-2")
        await bench.tell(box.presence())
        await tell_facts(bench, box, 1)
        await bench.link.deliver("nothing/of/ours", b"garbage")
        bench.clock.pass_s(30)
        await bench.dispatcher.tick()
        seen = await metrics(bench)
    assert seen['dispatcher_ingest_facts_total{outcome="applied"}'] == 2
    assert seen['dispatcher_messages_rejected_total{fault="wrong_topic"}'] == 1
    assert seen['dispatcher_messages_accepted_total{kind="facts"}'] == 1
    assert seen['dispatcher_open_incidents{kind="key_out_without_right"}'] == 1
    assert seen['dispatcher_bookings{state="booked"}'] == 1
    assert seen["dispatcher_cabinets"] == 2
    assert seen["dispatcher_cabinets_online"] == 1
    assert seen["dispatcher_desired_outdated_cabinets"] == 2
    assert seen["dispatcher_desired_lag_seconds"] >= 30
    assert seen["dispatcher_link_up"] == 1


@pytest.mark.parametrize("what", ["cancel", "stop"])
async def test_it_ends_when_told(what: str) -> None:
    bench = await made(new_database())
    task = asyncio.create_task(bench.dispatcher.run())
    await eventually(lambda: bench.dispatcher.keyring.find("agent/cab-a") is not None)
    await bench.link.connect()
    if what == "stop":
        await bench.dispatcher.stop()
        await asyncio.wait_for(task, 5)
    else:
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()


async def test_timed_work_that_breaks_is_counted_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_more: object) -> frozenset[str]:
        raise TypeError("nobody foresaw this")

    bench = await made(new_database())
    with monkeypatch.context() as patched:
        patched.setattr(dispatcher_module, "run_timed", broken)
        await bench.dispatcher.tick()
    assert (bench.dispatcher.ticks_failed, bench.dispatcher.timed_work_ok) == (1, False)
    await bench.dispatcher.tick()
    assert bench.dispatcher.timed_work_ok


async def test_rows_past_their_limit_are_a_metric_and_the_dispatcher_forgets_them_by_itself() -> None:
    async with running() as bench:
        box = FakeBox()
        book(bench.database)
        box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
        box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
        await tell_facts(bench, box, 1)
        bench.clock.pass_s(366 * 24 * 3600)
        await bench.dispatcher.tick()
        scrape = monitored(bench.dispatcher, ApiCounters()).registry
        assert 'dispatcher_rows_past_limit{limit="rentals"} 1.0' in generate_latest(scrape).decode()
        assert not await bench.dispatcher.housekeeping.piece()
        bench.clock.pass_s(600)
        await bench.dispatcher.tick()
        shown = generate_latest(scrape).decode()
        assert 'dispatcher_rows_past_limit{limit="rentals"} 0.0' in shown
        assert "dispatcher_retention_failures_total 0.0" in shown


async def test_the_log_names_the_decision_that_a_fact_in_the_ledger_follows_from_and_no_person() -> None:
    async with running() as bench:
        book(bench.database)
        box = FakeBox()
        box.note(AccessGranted, reader="reader-1", slot=1, purpose=Purpose.TAKE, key="key-1", **UNDER_1)
        box.note(DoorOpened, slot=1, released=True)
        box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
        box.note(DoorOpened, slot=2, released=False)
        with capture_logs() as logs:
            await tell_facts(bench, box, 1)
            await tell_facts(bench, box, 1)  # what is told again is in the ledger already
    said = [log for log in logs if log["event"] == "fact_in_ledger"]
    assert [(log["fact"], log["seq"]) for log in said] == [
        ("access_granted", 1),
        ("door_opened", 2),
        ("key_taken", 3),
    ]
    assert {log["decision"] for log in said} == {f"{box.epoch[:8]}-1"}
    assert {name for log in said for name in log} == {"event", "log_level", "cabinet", "fact", "seq", "decision"}
