"""Operators' commands on their way: at once, again until answered, in order, never late."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import insert
from structlog.testing import capture_logs

from contract.facts import CommandDecided
from contract.messages import Command, CommandReply, ReplyOutcome
from contract.reasons import Reason
from dispatcher.link.orders import RESEND_US
from dispatcher.store.schema import commands
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.orders_bench import known, order
from tests.dispatcher.running import Running, running
from tests.dispatcher.small_fleet import CABINET, NOW_MS, OTHER_CABINET
from tests.dispatcher.test_commands import columns
from tests.runtime.waiting import eventually

RESEND_S = RESEND_US / 1e6


def sent(bench: Running) -> list[str]:
    found: list[Any] = [message for message in bench.link.heard(Command) if isinstance(message, Command)]
    return [command.command for command in found if command.action == "release_slot"]


async def look(bench: Running) -> None:
    """Several rounds have passed."""
    for _ in range(3):
        bench.dispatcher.orders.wake()
        for _ in range(20):
            await asyncio.sleep(0)


async def answer(
    bench: Running, command: str, outcome: ReplyOutcome = ReplyOutcome.COMPLETED, reason: Reason | None = None
) -> None:
    reply = CommandReply(cabinet=CABINET, command=command, outcome=outcome, reason=reason)
    await bench.tell(reply)
    await eventually(lambda: not len(bench.dispatcher.intake))


async def test_a_command_is_sent_at_once_as_it_was_given() -> None:
    async with running() as bench:
        given = order(bench.database)
        bench.dispatcher.changed()
        await eventually(lambda: sent(bench))
        (command,) = [m for m in bench.link.heard(Command) if isinstance(m, Command)]
        assert (command.cabinet, command.slot, command.counter) == (CABINET, 1, given.counter)
        assert (command.issued_ms, command.expires_ms) == (given.issued_ms, given.expires_ms)


async def test_a_command_is_sent_again_until_it_is_answered() -> None:
    async with running() as bench:
        order(bench.database)
        await look(bench)
        assert len(sent(bench)) == 1
        bench.clock.pass_s(RESEND_S)
        await look(bench)
        assert len(sent(bench)) == 2, "once per resend time"
        await answer(bench, "order-1", ReplyOutcome.RECEIVED)
        bench.clock.pass_s(RESEND_S)
        await look(bench)
        assert len(sent(bench)) == 3, "received is not done"
        await answer(bench, "order-1")
        bench.clock.pass_s(RESEND_S)
        await look(bench)
        assert len(sent(bench)) == 3
        assert known(bench.database).outcome == "completed"


async def test_a_command_is_not_sent_when_its_time_is_over() -> None:
    async with running() as bench:
        bench.link.disconnect()
        order(bench.database)
        await look(bench)
        bench.clock.pass_s(60)
        await bench.link.connect()
        await look(bench)
        assert (sent(bench), known(bench.database).outcome) == ([], "unanswered")


async def test_the_commands_to_a_cabinet_are_sent_one_after_the_other() -> None:
    async with running() as bench:
        order(bench.database)
        order(bench.database, "order-2", slot=2)
        order(bench.database, "order-3", cabinet_id=OTHER_CABINET)
        await look(bench)
        assert sent(bench) == ["order-1", "order-3"]
        await answer(bench, "order-1", ReplyOutcome.REFUSED, Reason.BUSY)
        await eventually(lambda: sent(bench) == ["order-1", "order-3", "order-2"])


async def test_one_that_another_overtook_is_sent_again_under_its_new_number_a_little_later() -> None:
    async with running() as bench:
        order(bench.database)
        await look(bench)
        await answer(bench, "order-1", ReplyOutcome.REFUSED, Reason.OUT_OF_ORDER)
        await look(bench)
        assert len(sent(bench)) == 1, "two that cannot agree do not spin"
        bench.clock.pass_s(RESEND_S)
        await look(bench)
        first, second = (message for message in bench.link.heard(Command) if isinstance(message, Command))
        assert first.command == second.command
        assert first.counter < second.counter


async def test_on_a_new_connection_what_was_under_way_is_sent_again() -> None:
    async with running() as bench:
        order(bench.database)
        await look(bench)
        bench.link.disconnect()
        await bench.link.connect()
        await eventually(lambda: len(sent(bench)) == 2)


async def test_the_fact_of_the_decision_ends_it_too() -> None:
    async with running() as bench:
        box = FakeBox()
        order(bench.database)
        await look(bench)
        box.note(CommandDecided, command="order-1", outcome="completed", slot=1)
        await bench.tell(box.batch())
        await eventually(lambda: known(bench.database).outcome == "completed")
        bench.clock.pass_s(RESEND_S)
        await look(bench)
        assert len(sent(bench)) == 1


async def test_a_command_that_somebody_wrote_past_the_program_is_never_sent() -> None:
    async with running() as bench:
        bench.database.write_now(lambda c: c.execute(insert(commands).values(columns())))
        await look(bench)
        assert (sent(bench), known(bench.database, "order-9").outcome_reason) == ([], "row_without_origin")


async def test_a_request_for_a_report_takes_its_number_from_the_same_row() -> None:
    async with running() as bench:
        given = order(bench.database)
        await bench.dispatcher._requests.ask({CABINET})
        await eventually(lambda: len(bench.link.heard(Command)) >= 1)
        asked = [m for m in bench.link.heard(Command) if isinstance(m, Command) and m.action == "report_now"]
        assert [command.counter for command in asked] == [given.counter + 1]
        assert order(bench.database, "order-2").counter == given.counter + 2
        assert given.issued_ms == NOW_MS


async def test_a_round_that_breaks_is_counted_and_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise TypeError("nobody foresaw this")

    async with running() as bench:
        order(bench.database)
        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr(bench.dispatcher.orders, "_open", broken)
            bench.dispatcher.orders.wake()
            await eventually(lambda: bench.dispatcher.orders.failed == 1)
        assert "orders_round_failed" in {log["event"] for log in logs}
        await look(bench)
        assert sent(bench) == ["order-1"]
