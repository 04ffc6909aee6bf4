"""What comes from outside: verified, counted, bounded, and never harmful."""

import json
from typing import Any

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from contract.envelope import EnvelopeFault
from contract.messages import CommandReply, Presence, ReplyOutcome, TimeReply, TimeRequest
from contract.topics import FACTS, PRESENCE, TIME, Author
from dispatcher.dispatcher import LOOK_US
from dispatcher.link import receiver
from dispatcher.store.schema import cabinet_links, cabinets, facts
from tests.contract.keys import public_text, signer
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import NAMESPACE, box_signer, dispatcher_signer
from tests.dispatcher.running import Running, running
from tests.dispatcher.small_fleet import CABINET, OTHER_CABINET
from tests.runtime.waiting import eventually

PRESENCE_TOPIC = PRESENCE.topic(NAMESPACE, CABINET)
WIRE = box_signer().sign(FakeBox().presence())


def rejected(bench: Running) -> dict[str, int]:
    return {fault: count for fault, count in bench.dispatcher.rejects.counts.items() if count}


def rows(bench: Running, table: Any) -> int:
    return len(bench.database.read_now(lambda connection: connection.execute(select(table)).all()))


@pytest.mark.parametrize(
    ("topic", "payload", "fault"),
    [
        (PRESENCE_TOPIC, b"", EnvelopeFault.MALFORMED),
        (PRESENCE_TOPIC, b"\x00\xff garbage", EnvelopeFault.MALFORMED),
        (PRESENCE_TOPIC, b"{}.{}.{}", EnvelopeFault.MALFORMED),
        (PRESENCE_TOPIC, b"[" * 100_000, EnvelopeFault.MALFORMED),
        (PRESENCE_TOPIC, b"x" * 400_000, EnvelopeFault.TOO_LARGE),
        (PRESENCE_TOPIC, WIRE[:-4] + b"AAAA", EnvelopeFault.BAD_SIGNATURE),
        (PRESENCE_TOPIC, box_signer(OTHER_CABINET).sign(FakeBox().presence()), EnvelopeFault.WRONG_TOPIC),
        (PRESENCE.topic(NAMESPACE, OTHER_CABINET), WIRE, EnvelopeFault.WRONG_TOPIC),
        (FACTS.topic(NAMESPACE, CABINET), WIRE, EnvelopeFault.WRONG_TOPIC),
        (f"{NAMESPACE}/v1/cabinets/cab-a/presence/more", WIRE, EnvelopeFault.WRONG_TOPIC),
        ("other/v1/cabinets/cab-a/presence", WIRE, EnvelopeFault.WRONG_TOPIC),
        (
            PRESENCE.topic(NAMESPACE, "cab-z"),
            signer(Author.AGENT, "cab-z", 99).sign(FakeBox("cab-z").presence()),
            EnvelopeFault.UNKNOWN_AUTHOR,
        ),
        (PRESENCE_TOPIC, dispatcher_signer().sign(FakeBox().presence()), EnvelopeFault.WRONG_TOPIC),
    ],
)
async def test_a_message_that_is_not_accepted_is_counted_and_changes_nothing(
    topic: str, payload: bytes, fault: EnvelopeFault
) -> None:
    async with running() as bench:
        await bench.link.deliver(topic, payload)
        assert rejected(bench) == {fault: 1}
        await bench.tell(FakeBox().presence())
        await eventually(lambda: rows(bench, cabinet_links) == 1)
        assert rows(bench, facts) == 0


async def test_a_message_of_a_kind_from_a_newer_agent_is_counted_as_such() -> None:
    async with running() as bench:
        future = Presence.model_construct(**FakeBox().presence().model_dump() | {"kind": "presence_2"})
        await bench.link.deliver(PRESENCE_TOPIC, box_signer().sign(future))
        assert rejected(bench) == {EnvelopeFault.UNKNOWN_KIND: 1}


async def test_the_time_is_told_at_once_to_whom_asks() -> None:
    async with running() as bench:
        await bench.tell(TimeRequest(cabinet=CABINET, nonce="ab" * 16))
        await eventually(lambda: bench.link.heard(TimeReply))
        assert bench.link.heard(TimeReply) == [TimeReply(cabinet=CABINET, nonce="ab" * 16, at_ms=bench.clock.ms)]


async def test_our_own_answer_handed_back_by_the_broker_is_no_fault() -> None:
    async with running() as bench:
        reply = TimeReply(cabinet=CABINET, nonce="ab" * 16, at_ms=1)
        await bench.link.deliver(TIME.topic(NAMESPACE, CABINET), dispatcher_signer().sign(reply))
        assert rejected(bench) == {}


async def test_replies_to_commands_are_taken_note_of() -> None:
    async with running() as bench:
        await bench.tell(CommandReply(cabinet=CABINET, command="abcd", outcome=ReplyOutcome.COMPLETED))
        assert bench.dispatcher.receiver.accepted == {"reply": 1}


async def test_a_cabinet_whose_key_was_replaced_is_believed_under_the_new_one_only() -> None:
    async with running() as bench:
        replace = update(cabinets).where(cabinets.c.id == CABINET).values(public_key=public_text(77))
        bench.database.write_now(lambda connection: connection.execute(replace))
        bench.clock.pass_s(LOOK_US / 1e6)
        await bench.dispatcher.tick()
        await bench.tell(FakeBox().presence())
        assert rejected(bench) == {EnvelopeFault.BAD_SIGNATURE: 1}
        new = signer(Author.AGENT, CABINET, 77).sign(FakeBox().presence())
        await bench.link.deliver(PRESENCE_TOPIC, new)
        await eventually(lambda: rows(bench, cabinet_links) == 1)


@pytest.mark.parametrize("change", [{"life_cycle": "retired"}, {"public_key": None}, {"public_key": "no key"}])
async def test_a_cabinet_without_a_usable_key_is_not_believed(change: dict[str, Any]) -> None:
    async with running() as bench:
        values = update(cabinets).where(cabinets.c.id == CABINET).values(change)
        bench.database.write_now(lambda connection: connection.execute(values))
        bench.clock.pass_s(LOOK_US / 1e6)
        await bench.dispatcher.tick()
        await bench.tell(FakeBox().presence())
        assert rejected(bench) == {EnvelopeFault.UNKNOWN_AUTHOR: 1}


async def test_a_header_that_breaks_the_reader_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise TypeError("a library's own mistake")

    async with running() as bench:
        monkeypatch.setattr(receiver, "verify", broken)
        await bench.link.deliver(PRESENCE_TOPIC, WIRE)
        assert rejected(bench) == {EnvelopeFault.MALFORMED: 1}


async def test_no_payload_is_in_the_log() -> None:
    async with running() as bench:
        with capture_logs() as logs:
            secret = json.dumps({"kid": "secret-kid"}).encode()
            await bench.link.deliver(PRESENCE_TOPIC, b"c2VjcmV0LXVpZA." + secret)
        assert "c2VjcmV0" not in str(logs)
        assert "secret" not in str(logs)
