"""One dispatcher is active on a database; whoever else is started stands by, and takes over when it is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from dispatcher.duty import ClaimLost, OnDuty
from dispatcher.store.claim import AdvisoryLock, Whose, claim_of
from dispatcher.store.database import open_engine
from runtime.executor import InlineExecutor
from tests.dispatcher.backends import own_cluster
from tests.dispatcher.small_fleet import new_database
from tests.runtime.waiting import eventually

BACKENDS = ["postgresql"]
LOOK_S = 0.01


@dataclass
class Works:
    """A dispatcher, as far as its duty goes."""

    said: list[str] = field(default_factory=list)
    told_to_stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        self.said.append("runs")
        await self.told_to_stop.wait()

    async def stop(self) -> None:
        self.said.append("stops")
        self.told_to_stop.set()


@dataclass
class Told:
    """A claim as the test says."""

    whose: Whose = Whose.ANOTHERS
    asked: int = 0

    def look(self) -> Whose:
        self.asked += 1
        return self.whose

    def close(self) -> None:
        self.whose = Whose.ANOTHERS


@asynccontextmanager
async def on_duty(claim: Told) -> AsyncIterator[tuple[OnDuty, Works, "asyncio.Task[None]"]]:
    works = Works()
    duty = OnDuty(works, claim, InlineExecutor(), LOOK_S)
    task = asyncio.create_task(duty.run())
    try:
        yield duty, works, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def asked_again(claim: Told) -> Callable[[], bool]:
    before = claim.asked
    return lambda: claim.asked > before + 1


async def test_it_stands_by_until_the_claim_is_free_and_then_runs_once() -> None:
    claim = Told()
    async with on_duty(claim) as (duty, works, _):
        for whose in (Whose.ANOTHERS, Whose.UNKNOWN):
            claim.whose = whose
            await eventually(asked_again(claim))
            assert (duty.is_active, works.said) == (False, [])
        claim.whose = Whose.OURS
        await eventually(lambda: duty.is_active)
        await eventually(asked_again(claim))
        assert works.said == ["runs"]


async def test_one_that_stands_by_has_nobody_to_say_goodbye_to() -> None:
    async with on_duty(Told()) as (duty, works, _):
        await duty.stop()
        assert works.said == []


async def test_it_ends_when_its_work_ends() -> None:
    async with on_duty(Told(Whose.OURS)) as (duty, works, task):
        await eventually(lambda: duty.is_active)
        await duty.stop()
        await task
        assert (works.said, duty.is_active) == (["runs", "stops"], False)


async def test_a_database_that_is_away_for_a_while_takes_nobody_off_duty() -> None:
    claim = Told(Whose.OURS)
    async with on_duty(claim) as (duty, works, _):
        await eventually(lambda: duty.is_active)
        for whose in (Whose.UNKNOWN, Whose.OURS):
            claim.whose = whose
            await eventually(asked_again(claim))
            assert (duty.is_active, works.said) == (True, ["runs"])


async def test_one_whose_claim_is_anothers_ends_at_once() -> None:
    claim = Told(Whose.OURS)
    async with on_duty(claim) as (duty, works, task):
        await eventually(lambda: duty.is_active)
        claim.whose = Whose.ANOTHERS
        with pytest.raises(ClaimLost):
            await task
        assert (works.said, duty.is_active) == (["runs"], False)


def test_of_two_claims_one_is_ours_until_it_is_given_up() -> None:
    database = new_database()
    first, second = claim_of(database.engine), claim_of(database.engine)
    assert [first.look(), first.look(), second.look()] == [Whose.OURS, Whose.OURS, Whose.ANOTHERS]
    first.close()
    assert [second.look(), first.look()] == [Whose.OURS, Whose.ANOTHERS]
    second.close()
    first.close()


def test_a_claim_whose_connection_broke_is_taken_again_unless_another_was_faster() -> None:
    database = new_database()
    first, second = claim_of(database.engine), claim_of(database.engine)
    assert first.look() is Whose.OURS
    break_claims()
    assert [first.look(), first.look()] == [Whose.UNKNOWN, Whose.OURS]
    break_claims()
    assert [second.look(), first.look(), first.look()] == [Whose.OURS, Whose.UNKNOWN, Whose.ANOTHERS]
    first.close()
    second.close()


def break_claims() -> None:
    admin = new_database()
    end = text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'carshare-dispatcher claim'"
    )
    assert admin.write_now(lambda connection: connection.execute(end).scalars().all())


def test_a_database_that_is_not_there_says_nothing_of_the_claim() -> None:
    engine = open_engine(own_cluster().url("nowhere"))
    claim = claim_of(engine)
    assert claim.look() is Whose.UNKNOWN
    assert isinstance(claim, AdvisoryLock)
    assert 'database "nowhere" does not exist' in claim.problem
    engine.dispose()


def test_on_sqlite_there_is_only_one() -> None:
    assert claim_of(open_engine("sqlite://")).look() is Whose.OURS
