"""The dispatcher as a process, on a real mosquitto: acknowledged is durable, and nothing stops it for long."""

import asyncio
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random

import pytest

from contract.facts import DoorOpened
from contract.messages import Command, TimeReply, TimeRequest
from contract.topics import TOPICS
from dispatcher.core.incidents import IncidentKind
from runtime.clocks import SystemClock
from tests.dispatcher.fake_link import NAMESPACE
from tests.dispatcher.origin_bench import booking_columns
from tests.dispatcher.small_fleet import CABINET, HOUR, book, incidents
from tests.runtime.waiting import eventually
from tests.wire.brokers import HOST, Mosquitto, mosquitto, mosquitto_program
from tests.wire.dispatcher_bench import Program, program, wire_box

KILL_BEFORE_ACKNOWLEDGING = """
import os, signal, sys
from contract.messages import Acknowledged
from dispatcher.cli import main
from dispatcher.link.courier import Courier

send = Courier.send

def die_or_send(self, message):
    if isinstance(message, Acknowledged) and message.seq > 0:
        os.kill(os.getpid(), signal.SIGKILL)
    send(self, message)

Courier.send = die_or_send
main(["serve", "--config", sys.argv[1]])
"""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    async with mosquitto(folder) as running:
        yield running


async def test_facts_are_in_the_ledger_when_they_are_acknowledged(broker: Mosquitto, tmp_path: Path) -> None:
    async with program(tmp_path, broker) as running, wire_box(broker.port) as cabinet:
        for _ in range(25):
            cabinet.box.note(DoorOpened, slot=1, released=True)
        await cabinet.say(cabinet.box.presence())
        await cabinet.send_until_acknowledged(25)
        assert [fact.seq for fact in running.ledger()] == list(range(1, 26))
        await cabinet.say(TimeRequest(cabinet=CABINET, nonce="cd" * 16))
        await eventually(lambda: [told for told in cabinet.told if isinstance(told, TimeReply)])
        assert cabinet.desired[-1].boot_nonce == cabinet.box.boot_nonce


async def test_killed_between_commit_and_acknowledgement_the_facts_are_there_once(
    broker: Mosquitto, tmp_path: Path
) -> None:
    running = Program(tmp_path, broker.port)
    running.start("-c", KILL_BEFORE_ACKNOWLEDGING)
    await running.started()
    async with wire_box(broker.port) as cabinet:
        for _ in range(3):
            cabinet.box.note(DoorOpened, slot=1, released=True)
        await cabinet.say(cabinet.box.batch())
        assert running.wait() == -signal.SIGKILL
        assert [fact.seq for fact in running.ledger()] == [1, 2, 3]
        assert cabinet.acknowledged == 0
        await eventually(lambda: cabinet.dispatcher_online is False)  # its last will
        running.start()
        await running.started()
        await cabinet.send_until_acknowledged(3)
        assert [fact.seq for fact in running.ledger()] == [1, 2, 3]
    running.close()


@pytest.mark.long
async def test_killed_at_any_moment_it_loses_and_doubles_nothing(broker: Mosquitto, tmp_path: Path) -> None:
    count = 300
    async with program(tmp_path, broker) as running, wire_box(broker.port) as cabinet:
        for _ in range(count):
            cabinet.box.note(DoorOpened, slot=1, released=True)
        sending = asyncio.create_task(cabinet.send_until_acknowledged(count))
        for reached in (17, 113):
            await eventually(partial(cabinet.has_acknowledged, reached))
            running.end(signal.SIGKILL)
            running.start()
            await running.started()
        await sending
        assert [fact.text for fact in running.ledger()] == cabinet.box.texts
        assert [fact.hash for fact in running.ledger()] == cabinet.box.hashes[1:]


async def test_garbage_on_every_topic_is_counted_and_harmless(broker: Mosquitto, tmp_path: Path) -> None:
    rng = Random("garbage")
    payloads = [b"\x00", b"hello", b"{}", b"a.b.c", rng.randbytes(5000), rng.randbytes(600_000)]
    async with program(tmp_path, broker) as running, wire_box(broker.port) as cabinet:
        for number, rule in enumerate(TOPICS):
            payload = payloads[number % len(payloads)]
            _mosquitto_pub(broker, rule.topic(NAMESPACE, CABINET), payload, retain=rule.retain)
        for payload in payloads:
            _mosquitto_pub(broker, f"{NAMESPACE}/v1/cabinets/{CABINET}/facts", payload)
        faults = ("malformed", "too_large")
        await eventually(
            lambda: (
                sum(running.metric(f'dispatcher_messages_rejected_total{{fault="{fault}"}}') for fault in faults)
                >= len(payloads) + 5
            )
        )
        cabinet.box.note(DoorOpened, slot=1, released=True)
        await cabinet.send_until_acknowledged(1)
        assert running.get("readyz")[0] == 200
        assert 1 <= running.log_events().count("message_rejected") <= 3


def _mosquitto_pub(broker: Mosquitto, topic: str, payload: bytes, *, retain: bool = False) -> None:
    command = [mosquitto_program("mosquitto_pub"), "-h", HOST, "-p", str(broker.port), "-q", "1", "-t", topic, "-s"]
    subprocess.run([*command, *(["-r"] if retain else [])], input=payload, check=True, timeout=10)


async def test_rows_that_somebody_wrote_are_in_no_word_that_a_box_gets(broker: Mosquitto, tmp_path: Path) -> None:
    """By plain SQL on the program's file: a booking of his own, and an order to open a slot."""
    running = Program(tmp_path, broker.port)
    now_ms = SystemClock().now_ms()
    own = running.database()
    book(own, 1, start_ms=now_ms)
    own.close()
    forged = booking_columns(start_ms=now_ms, vehicle_id="car-2", key_id="key-2", member_id="member-2")
    forged |= {"id": "booking-9", "grant_id": "grant-9", "end_ms": now_ms + HOUR, "take_by_ms": now_ms + HOUR}
    forged["state"] = "booked"
    order = {"id": "order-9", "cabinet_id": CABINET, "slot": 2, "counter": now_ms, "action": "release_slot"}
    order |= {"author": "nobody", "reason": "", "issued_ms": now_ms, "expires_ms": now_ms + HOUR}
    with closing(sqlite3.connect(tmp_path / "dispatcher.sqlite")) as somebody, somebody:
        for table, row in (("bookings", forged), ("commands", order)):
            names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            somebody.execute(f"INSERT INTO {table} ({names}) VALUES ({values})", row)  # noqa: S608  # names of ours
    try:
        async with wire_box(broker.port) as cabinet:
            running.start()
            await running.started()
            await cabinet.say(cabinet.box.presence())
            await eventually(lambda: cabinet.desired and cabinet.desired[-1].boot_nonce == cabinet.box.boot_nonce)
            assert [grant.grant for grant in cabinet.desired[-1].grants] == ["grant-1"]
            await eventually(lambda: _named(running) == ["bookings/booking-9", "commands/order-9"], within_s=20)
            assert [message for message in cabinet.told if isinstance(message, Command)] == []
    finally:
        running.close()


def _named(running: Program) -> list[str]:
    """Rows without an origin, as incidents name them."""
    database = running.database()
    found = sorted(subject for kind, subject, _ in incidents(database) if kind == IncidentKind.ROW_WITHOUT_ORIGIN)
    database.close()
    return found


async def test_after_a_broker_lost_everything_all_is_published_again(broker: Mosquitto, tmp_path: Path) -> None:
    async with program(tmp_path, broker) as running:
        async with wire_box(broker.port) as cabinet:
            cabinet.box.note(DoorOpened, slot=1, released=True)
            await cabinet.say(cabinet.box.presence())
            await cabinet.send_until_acknowledged(1)
            await eventually(lambda: cabinet.desired and cabinet.desired[-1].boot_nonce is not None)
            version = cabinet.desired[-1].version
        broker.kill()
        await eventually(lambda: running.get("readyz")[0] == 503)
        assert running.get("healthz")[0] == 200
        await broker.start()
        await running.started()
        async with wire_box(broker.port) as cabinet:  # it only listens: these are the retained messages
            await eventually(lambda: cabinet.desired and cabinet.acknowledged == 1)
            assert cabinet.desired[-1].version == version
            await eventually(lambda: cabinet.dispatcher_online)


async def test_sigterm_is_a_clean_farewell(broker: Mosquitto, tmp_path: Path) -> None:
    async with program(tmp_path, broker) as running, wire_box(broker.port) as cabinet:
        await eventually(lambda: cabinet.dispatcher_online)
        assert running.end(signal.SIGTERM) == 0
        await eventually(lambda: cabinet.dispatcher_online is False)
        assert running.log_events()[-1] == "dispatcher_stopped"
        assert not (tmp_path / "dispatcher.sqlite-wal").exists()


async def test_without_a_broker_it_serves_and_connects_when_there_is_one(broker: Mosquitto, tmp_path: Path) -> None:
    broker.stop()
    running = Program(tmp_path, broker.port)
    running.start()
    await running.started("healthz")
    assert running.get("readyz")[0] == 503
    await broker.start()
    await running.started()
    running.close()


async def test_a_file_that_is_no_database_is_refused_by_name(broker: Mosquitto, tmp_path: Path) -> None:
    running = Program(tmp_path, broker.port)
    (tmp_path / "dispatcher.sqlite").write_bytes(b"this is no database" * 100)
    running.start()
    assert running.wait() == 2
    assert "database.url" in running.log.read_text()
