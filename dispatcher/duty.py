"""Of the dispatchers on one database one is active; the others stand by, and take over when it is gone."""

import asyncio
from typing import Protocol

import structlog

from dispatcher.store.claim import Claim, Whose
from runtime.executor import Executor

LOOK_S = 1.0  # a take-over costs as much; the broker and the boxes take longer to notice anything

log = structlog.get_logger()


class ClaimLost(Exception):
    """Another dispatcher is active now: this one ends, and stands by when it is started again."""


class Active(Protocol):
    """What only one of them does. It may be started once."""

    async def run(self) -> None: ...

    async def stop(self) -> None: ...


class OnDuty:
    """Runs a dispatcher while it has the claim."""

    def __init__(self, dispatcher: Active, claim: Claim, executor: Executor, look_s: float = LOOK_S) -> None:
        self.is_active = False
        self._dispatcher = dispatcher
        self._claim = claim
        self._executor = executor
        self._look_s = look_s

    async def run(self) -> None:
        """Wait for the claim, then run until `stop`.

        Raises:
            ClaimLost: the database was away, and another dispatcher was faster when it came back.
        """
        await self._wait()
        self.is_active = True
        log.info("on_duty")
        working = asyncio.create_task(self._dispatcher.run(), name="dispatcher")
        watching = asyncio.create_task(self._watch(), name="claim")
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            await (watching if watching.done() else working)
        finally:
            self.is_active = False
            for task in (working, watching):
                task.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def stop(self) -> None:
        """Say goodbye, where anybody heard of us."""
        if self.is_active:
            await self._dispatcher.stop()

    async def _wait(self) -> None:
        said = None
        while (whose := await self._executor.run(self._claim.look)) is not Whose.OURS:
            if whose is not said:
                log.info("standing_by", claim=whose.value)
                said = whose
            await asyncio.sleep(self._look_s)

    async def _watch(self) -> None:
        """A claim that is nobody's, since the database does not answer, is waited for: nobody else can have it."""
        was = Whose.OURS
        while (whose := await self._executor.run(self._claim.look)) is not Whose.ANOTHERS:
            if whose is not was:
                log.warning("claim_in_doubt" if whose is Whose.UNKNOWN else "claim_held_again")
                was = whose
            await asyncio.sleep(self._look_s)
        raise ClaimLost("another dispatcher is active: this one ends, and stands by when it is started again")
