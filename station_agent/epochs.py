"""What the ledger's acknowledgements mean for the journal: a watermark, an older epoch to be told, a new epoch.

Facts are numbered within an epoch. Where ledger and box disagree about the past the box begins a new one, whose
first fact names the epoch that it goes on from, and how many facts of that count. So a ledger that was put back
can ask for what it lacks, epoch by epoch, for as long as the box keeps it (decision 0019).
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

import structlog

from contract.facts import UnknownFact, parse_fact
from contract.messages import Acknowledged
from runtime.clocks import Clock, LineClock
from runtime.executor import Executor
from station_agent.core import model
from station_agent.core.station import Station
from station_agent.fact_sender import FactSender
from station_agent.journal import Journal
from station_agent.journal_database import CannotNow
from station_agent.outgoing import Outgoing

BEYOND_MAX = 3  # a watermark of each of two dispatchers, and an answer
Why = Literal["acknowledged_beyond_sent", "hash_conflict", "facts_forgotten", "journal_damaged"]


class Epochs:
    """Of one agent, from the moment that its journal is open."""

    def __init__(
        self,
        opened: tuple[Journal, Station, FactSender],
        outgoing: Outgoing,
        clocks: tuple[Clock, LineClock],
        executor: Executor,
        random_bytes: Callable[[int], bytes],
        carry_out: Callable[[list[model.Effect]], Awaitable[None]],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._journal, self._station, self._sender = opened
        self._outgoing = outgoing
        self._clock, self._line_clock = clocks
        self._executor = executor
        self._random_bytes = random_bytes
        self._carry_out = carry_out
        self._log = log
        self._told_from_start = False
        """Whether the ledger was asked, in this conflict, to compare from the last number that it had confirmed."""
        self._beyond = 0
        """Words in a row that confirm more than was ever sent, while there is something to tell."""

    async def acknowledged(self, message: Acknowledged) -> None:
        """Move the watermark; where ledger and journal disagree about the past, start a new epoch."""
        journal, run = self._journal, self._executor.run
        if message.epoch != journal.epoch.epoch:
            await self._tell_older(message)
            return
        known_hash = await run(partial(journal.hash_at, message.seq))
        lowered = message.seq < journal.epoch.acknowledged_seq
        if message.seq > journal.epoch.last_seq:
            # A box that was put back, or copied. As long as it has something to tell that may differ from what the
            # ledger has, and the answer to it names the last number in common: to number anew before would tell
            # twice what the ledger has. Where no answer says so, it does not differ.
            self._beyond += 1
            if journal.depth == 0 or self._beyond >= BEYOND_MAX:
                await self._start("acknowledged_beyond_sent", journal.epoch.acknowledged_seq)
            return
        self._beyond = 0
        if message.conflict or known_hash not in {None, message.hash}:
            fits = message.conflict and known_hash == message.hash
            if fits and lowered and journal.depth and not self._told_from_start:
                self._told_from_start = True  # the answer to a later batch knows less than that to the first will
                self._sender.from_start()
                return
            await self._start("hash_conflict", message.seq if fits else journal.epoch.acknowledged_seq)
        elif lowered and await run(partial(journal.has_forgotten, message.seq + 1)):
            await self._start("facts_forgotten", message.seq)  # it was put back to long ago
        else:
            await self._sender.acknowledged(message)

    async def after_damage(self) -> None:
        """This journal took the place of a damaged one: number anew, and tell all that the ledger may lack.

        What the damaged one held behind a gap has lost its number; nothing can be told in the epoch that it was of.
        """
        note = await self._executor.run(lambda: self._journal.rescued)
        if note is None:
            return
        self._log.error("journal_set_aside", why=note.why, kept_as=note.aside, facts_taken_over=note.facts,
                        behind_a_gap=len(note.behind_gap))  # fmt: skip
        if note.epochs:
            await self._start("journal_damaged", self._journal.epoch.acknowledged_seq, note.behind_gap)
        else:
            await self._executor.run(self._journal.forget_rescue)  # a journal like any new one

    async def _tell_older(self, message: Acknowledged) -> None:
        """The ledger speaks of an epoch that ended here: what it lacks of that comes before all of the present one.

        One batch for each word: the next word asks for the next batch, and where one is lost the present epoch's
        batches, which are sent until they are confirmed, have the ledger ask again.
        """
        if message.conflict:
            return  # the answer to what was under way when that epoch ended
        try:
            older = await self._executor.run(partial(self._journal.older_batch, message.epoch, message.seq))
        except CannotNow as error:
            self._log.error("older_facts_not_read", why=str(error))
            return
        if older.batch is not None:
            await self._outgoing.post_or_leave(older.batch)
        elif older.is_complete:
            self._sender.from_start()
        elif older.is_forgotten and self._journal.epoch.acknowledged_seq == 0:  # else it is an old word, replayed
            await self._start("facts_forgotten", 0)

    async def _start(self, why: Why, common_seq: int, more: tuple[str, ...] = ()) -> None:
        """Number anew, and tell again what lies beyond the last number that ledger and journal have in common.

        `more`: texts of facts to be told after these.
        """
        journal, run = self._journal, self._executor.run
        if not self._station.durable or not await run(journal.settle):
            return  # the ledger says it again when there is room to write
        ended = journal.epoch
        self._log.error("epoch_starts", why=why, common_seq=common_seq, was=ended.epoch, at_seq=ended.last_seq)
        try:
            texts = await run(partial(journal.texts_after, common_seq))
            after = None if why == "facts_forgotten" else await run(partial(journal.goes_on_from, common_seq))
        except CannotNow as error:
            self._log.error("epoch_not_started", why=str(error))
            return
        facts = (parse_fact(text) for text in (*texts, *more))
        carried = tuple(fact for fact in facts if not isinstance(fact, UnknownFact))
        now = model.Now(self._clock.now_ms(), self._line_clock.now_us() // 1000)
        first, *others = self._station.start_epoch(now, why, carried, after)
        assert isinstance(first, model.Journal), "facts come before actions"
        epoch = self._random_bytes(16).hex()
        if not await run(partial(journal.start_epoch, epoch, self._clock.now_ms(), first.facts, first.picture)):
            self._station.epoch_not_started(ended.last_seq)
            return
        self._told_from_start, self._beyond = False, 0
        self._sender.new_epoch()
        await self._carry_out(others)
