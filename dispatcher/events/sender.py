"""Sends events to their receivers, several at once: one that is slow or gone holds up no other, and nothing else.

A watch looks whether something is due, and wakes a lane that is idle. A lane claims one subscription, sends what is
due to it, in order and one after the other, and writes down each outcome before the next is sent: whoever is killed
in between leaves at most one event that is sent again, under the same id.
"""

from collections import Counter
from functools import partial
from random import Random

import structlog
from sqlalchemy.exc import OperationalError

from dispatcher.core.deliveries import Attempt, Outcome
from dispatcher.events.envelope import EventNames, cloud_event, signed_headers
from dispatcher.events.post import Post
from dispatcher.store.database import Database
from dispatcher.store.deliveries import Turn, Waiting, claim_turn, end_turn, give_up, keep_attempt, outlook
from dispatcher.store.ids import RandomBytes, new_id
from runtime.clocks import Clock, LineClock
from runtime.steps import Step, Steps

LANES = 8  # receivers served at once: one that does not answer has a lane for a quarter of a minute, then it rests
TURN_US = 20_000_000  # a receiver that answers slowly makes room for others after this
LEASE_MS = 60_000  # a turn and one send that begins at its end, with room: only a sender that died is overtaken
QUIET_US = 5_000_000  # for events that another dispatcher wrote
SOON_US = 500_000  # where another sender was faster
GIVE_UP_EVERY_US = 600_000_000  # days are what it compares with

log = structlog.get_logger()


class EventSender:
    """Everything between the outbox and the receivers."""

    def __init__(  # what it stands on, each given from outside
        self,
        database: Database,
        post: Post,
        names: EventNames,
        clocks: tuple[Clock, LineClock],
        random_bytes: RandomBytes,
        steps: Steps,
    ) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        """Attempts since start."""
        self.failed = 0
        """Rounds that a mistake of ours ended, in the log with its traceback."""
        self._database = database
        self._post = post
        self._names = names
        self._clock, self._line_clock = clocks
        self._random_bytes = random_bytes
        self._random = Random(random_bytes(16))
        self._gave_up_us: int | None = None
        self._watching = steps.step("events", self._watch)
        lanes = range(LANES)
        self._lanes: list[Step] = [steps.step(f"events {lane}", partial(self._serve, lane)) for lane in lanes]
        self._idle = list(reversed(lanes))

    def wake(self) -> None:
        """An event may be new, or a subscription: look at once."""
        self._watching.soon()

    async def _watch(self) -> None:
        again_us = QUIET_US
        try:
            again_us = await self._look()
        except OperationalError as error:
            log.warning("events_not_read", reason=str(error.orig))
        except Exception:  # a mistake of ours: the next round may do better
            self.failed += 1
            log.exception("events_round_failed")
        self._watching.at_us(self._line_clock.now_us() + again_us)

    async def _look(self) -> int:
        """Wake a lane if there is work for one; microseconds until it is time to look again."""
        now_ms, now_us = self._clock.now_ms(), self._line_clock.now_us()
        view = await self._database.read(partial(outlook, now_ms=now_ms))
        if view.next_ms is None:
            return QUIET_US
        if self._gave_up_us is None or now_us - self._gave_up_us >= GIVE_UP_EVERY_US:
            self._gave_up_us = now_us
            await self._database.write(partial(give_up, now_ms=now_ms))
        if view.is_due:
            if self._idle:
                self._lanes[self._idle.pop()].soon()
            return QUIET_US  # the lane asks to look again once it has claimed its part
        return max(min((view.next_ms - now_ms) * 1000, QUIET_US), 0)

    async def _serve(self, lane: int) -> None:
        """One turn of one receiver."""
        found = False
        try:
            found = await self._turn()
        except OperationalError as error:
            log.warning("events_not_written", reason=str(error.orig))
        except Exception:  # a mistake of ours: what was claimed is free again when its time is over
            self.failed += 1
            log.exception("events_turn_failed")
        self._idle.append(lane)
        if found:
            self._watching.soon()
        else:
            self._watching.at_us(self._line_clock.now_us() + SOON_US)

    async def _turn(self) -> bool:
        """Whether there was anything to claim."""
        claim = partial(
            claim_turn, claim=new_id(self._random_bytes), now_ms=self._clock.now_ms(), lease_ms=LEASE_MS
        )
        turn = await self._database.write(claim)
        if turn is None:
            return False
        self._watching.soon()  # there may be work for another lane
        began_us = self._line_clock.now_us()
        for event in turn.events:
            if not await self._send(turn, event) or self._line_clock.now_us() - began_us >= TURN_US:
                break
        await self._database.write(partial(end_turn, turn=turn))
        return True

    async def _send(self, turn: Turn, event: Waiting) -> bool:
        """Send one event and write down what became of it; whether the turn may go on."""
        body = cloud_event(event, self._names)
        headers = signed_headers(event.id, body, turn.secrets, self._clock.now_ms())
        began_us = self._line_clock.now_us()
        attempt = await self._post.post(turn.webhook.url, headers, body)
        took_ms = (self._line_clock.now_us() - began_us) // 1000
        attempt = Attempt(attempt.outcome, attempt.status, attempt.retry_after_s, took_ms)
        self.outcomes[attempt.outcome] += 1
        if attempt.outcome is not Outcome.DELIVERED:
            log.info("event_not_delivered", webhook=turn.webhook.id, why=attempt.outcome, status=attempt.status)
        keep = partial(
            keep_attempt,
            turn=turn,
            event=event,
            attempt=attempt,
            now_ms=self._clock.now_ms(),
            chance=self._random.random(),
        )
        return await self._database.write(keep)
