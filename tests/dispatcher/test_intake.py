"""From messages to commits: grouped, bounded, acknowledged after the commit, and stopped by nothing."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from contract.facts import DoorOpened
from contract.messages import Acknowledged
from dispatcher.core.ingest import FactOutcome
from dispatcher.link.intake import PER_COMMIT_MAX, RETRY_US, WAITING_MAX
from dispatcher.store.database import Database
from dispatcher.store.schema import cabinet_links, cabinets, facts
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.running import Running, running
from tests.dispatcher.small_fleet import OTHER_CABINET
from tests.runtime.waiting import eventually

T = TypeVar("T")


class Moody:
    """Stands before a database: counts commits, waits or fails when told."""

    def __init__(self, database: Database) -> None:
        self._write = database.write
        self.commits = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        database.write = self.write  # type: ignore[method-assign]

    async def write(self, fn: Callable[[Connection], T]) -> T:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        result = await self._write(fn)
        self.commits += 1
        return result


def box_with(count: int, cabinet: str = "cab-a") -> FakeBox:
    box = FakeBox(cabinet)
    for _ in range(count):
        box.note(DoorOpened, slot=1, released=True)
    return box


def stored_facts(bench: Running) -> int:
    return len(bench.database.read_now(lambda connection: connection.execute(select(facts)).all()))


async def test_facts_are_acknowledged_after_their_commit() -> None:
    async with running() as bench:
        await bench.tell(box_with(3).batch())
        await eventually(bench.acknowledged)
        assert bench.acknowledged() == [3]
        assert stored_facts(bench) == 3


async def test_nothing_is_acknowledged_that_was_not_committed() -> None:
    async with running() as bench:
        await bench.told_everybody()
        moody = Moody(bench.database)
        moody.gate.clear()
        await bench.tell(box_with(3).batch())
        for _ in range(100):  # every task had its turn many times over
            await asyncio.sleep(0)
        assert bench.acknowledged() == []
        moody.gate.set()
        await eventually(bench.acknowledged)


async def test_what_waits_goes_into_one_commit() -> None:
    async with running() as bench:
        await bench.told_everybody()
        moody = Moody(bench.database)
        moody.gate.clear()
        box, other = box_with(40), box_with(1, OTHER_CABINET)
        await bench.tell(other.batch())
        for seq in range(1, 41):
            await bench.tell(box.batch(seq, seq))
        before = moody.commits
        moody.gate.set()
        await eventually(lambda: stored_facts(bench) == 41)
        await eventually(lambda: bench.acknowledged()[-1:] == [40])
        taken_in = moody.commits - before
        assert taken_in <= 15, "41 batches, three commits, and the publisher's own between them"


async def test_a_full_intake_makes_the_broker_wait() -> None:
    async with running() as bench:
        await bench.told_everybody()
        moody = Moody(bench.database)
        moody.gate.clear()
        box = box_with(1)

        async def bring() -> None:
            for _ in range(WAITING_MAX + PER_COMMIT_MAX + 20):
                await bench.tell(box.batch())

        bringing = asyncio.create_task(bring())
        await eventually(lambda: len(bench.dispatcher.intake) == WAITING_MAX)
        assert not bringing.done()
        moody.gate.set()
        await bringing
        await eventually(lambda: len(bench.dispatcher.intake) == 0)
        assert stored_facts(bench) == 1


async def test_a_database_that_is_away_loses_nothing_and_is_seen_in_health() -> None:
    async with running() as bench:
        await bench.told_everybody()
        moody = Moody(bench.database)
        moody.error = OperationalError("INSERT", None, Exception("database is locked"))
        with capture_logs() as logs:
            await bench.tell(box_with(2).batch())
            await eventually(lambda: not bench.dispatcher.intake.healthy)
            moody.error = None
            await eventually(bench.acknowledged, within_s=RETRY_US / 1e6 + 5)
        assert bench.acknowledged() == [2]
        assert bench.dispatcher.intake.healthy
        assert "database_unavailable" in [log["event"] for log in logs]


async def test_a_message_that_breaks_the_store_does_not_stop_the_others() -> None:
    async with running() as bench:
        await bench.told_everybody()
        moody = Moody(bench.database)
        moody.gate.clear()
        gone = cabinets.delete().where(cabinets.c.id == OTHER_CABINET)
        with capture_logs() as logs:
            await bench.tell(box_with(1).batch())
            await bench.tell(box_with(2, OTHER_CABINET).batch())
            _delete_row(bench.database, gone)
            moody.gate.set()
            await eventually(lambda: bench.dispatcher.intake.failed == 1)
        await eventually(bench.acknowledged)
        assert bench.acknowledged() == [1]
        assert [log["cabinet"] for log in logs if log["event"] == "message_not_taken"] == [OTHER_CABINET]


def _delete_row(database: Database, statement: Any) -> None:
    """Behind the program's back, as nobody should."""
    with database.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql(
            "PRAGMA defer_foreign_keys = ON" if is_sqlite else "SET LOCAL session_replication_role = replica"
        )
        connection.exec_driver_sql("DELETE FROM keys WHERE home_cabinet_id = 'cab-b'")
        connection.exec_driver_sql("DELETE FROM key_tags WHERE key_id = 'key-3'")
        connection.exec_driver_sql("DELETE FROM desired_states WHERE cabinet_id = 'cab-b'")
        connection.execute(statement)
        connection.commit()


async def test_of_a_cabinets_reports_in_one_commit_the_newest_is_kept() -> None:
    async with running() as bench:
        await bench.told_everybody()
        moody, box = Moody(bench.database), FakeBox()
        moody.gate.clear()
        for version in (1, 2, 3):
            await bench.tell(box.report(desired_version=version))
        moody.gate.set()
        held = select(cabinet_links.c.desired_version_held)
        await eventually(lambda: bench.database.read_now(lambda c: c.execute(held).scalars().all()) == [3])


async def test_a_conflict_is_told_even_when_another_batch_follows_it() -> None:
    async with running() as bench:
        await bench.tell(box_with(2).batch())
        await eventually(bench.acknowledged)
        moody = Moody(bench.database)
        moody.gate.clear()
        clone = FakeBox()
        for _ in range(5):
            clone.note(DoorOpened, slot=2, released=False)
        await bench.tell(clone.batch(1, 2))
        await bench.tell(clone.batch(4, 5))  # ahead, and no conflict by itself
        moody.gate.set()
        await eventually(lambda: len(bench.acknowledged()) == 2)
        last = bench.link.heard(Acknowledged)[-1]
        assert isinstance(last, Acknowledged)
        assert last.conflict


async def test_outcomes_are_counted_by_fact() -> None:
    async with running() as bench:
        box = box_with(3)
        await bench.tell(box.batch(1, 2))
        await bench.tell(box.batch())
        await eventually(lambda: bench.dispatcher.intake.outcomes[FactOutcome.APPLIED] == 3)
        assert bench.dispatcher.intake.outcomes[FactOutcome.DUPLICATE] == 2


async def test_the_newest_report_counts_also_when_an_older_one_comes_again_in_the_same_commit() -> None:
    async with running() as bench:
        moody, box = Moody(bench.database), FakeBox()
        older = box.report()
        box.desired_version = 7
        newer = box.report()
        moody.gate.clear()
        for message in (older, newer, older):
            await bench.tell(message)
        moody.gate.set()
        await eventually(lambda: not len(bench.dispatcher.intake) and _held(bench.database) == [7])


def _held(database: Database) -> list[int | None]:
    statement = select(cabinet_links.c.desired_version_held)
    return list(database.read_now(lambda connection: connection.execute(statement).scalars().all()))


async def test_a_report_of_an_epoch_that_the_ledger_never_met_is_answered_with_its_beginning() -> None:
    async with running() as bench:
        box = box_with(2)
        await bench.tell(box.report())
        await eventually(lambda: bench.acknowledged() == [0])
        await bench.tell(box.batch())
        await eventually(lambda: bench.acknowledged() == [0, 2])
        await bench.tell(box.report())
        await bench.tell(box.batch())
        await eventually(lambda: bench.acknowledged() == [0, 2, 2])


async def test_a_box_whose_copy_spoke_last_is_told_what_the_ledger_has_of_its_own_epoch() -> None:
    """Put back to here, the ledger knows the copy as the box: its watermark would be no news to the box itself."""
    async with running() as bench:
        box, copy = box_with(3), FakeBox(epoch="e2" * 16)
        copy.note(DoorOpened, slot=1, released=True)
        await bench.tell(box.batch(1, 1))
        await eventually(lambda: bench.acknowledged() == [1])
        await bench.tell(copy.batch())
        await eventually(lambda: bench.acknowledged() == [1, 1])
        await bench.tell(box.report())
        await eventually(lambda: bench.acknowledged() == [1, 1, 1])
        await bench.tell(box.batch(2))
        await eventually(lambda: bench.acknowledged() == [1, 1, 1, 3])
        await bench.tell(box.report())
        await bench.tell(box.batch(3))
        await eventually(lambda: bench.acknowledged() == [1, 1, 1, 3, 3])


async def test_an_answer_that_cannot_be_given_does_not_end_the_intake(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_message: object) -> None:
        raise TypeError("nobody foresaw this")

    async with running() as bench:
        box = box_with(2)
        with monkeypatch.context() as patched:
            patched.setattr(bench.dispatcher.courier, "send", broken)
            await bench.tell(box.batch(1, 1))
            await eventually(lambda: bench.dispatcher.intake.failed == 1)
        await bench.tell(box.batch())
        await eventually(lambda: bench.acknowledged() == [2])
