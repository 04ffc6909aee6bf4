"""Sends facts until the ledger has them: the shell around `core.uplink`."""

from functools import partial

import structlog

from contract.messages import Acknowledged
from runtime.clocks import LineClock
from runtime.executor import Executor
from runtime.link import LinkError
from runtime.steps import Steps
from station_agent.core.uplink import Uplink
from station_agent.journal import Journal
from station_agent.outgoing import Outgoing


class FactSender:
    """Reads batches from the journal and publishes them; told of acknowledgements by the agent."""

    def __init__(
        self,
        journal: Journal,
        outgoing: Outgoing,
        executor: Executor,
        line_clock: LineClock,
        steps: Steps,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._journal = journal
        self._outgoing = outgoing
        self._executor = executor
        self._line_clock = line_clock
        self._log = log
        epoch = journal.epoch
        self.uplink = Uplink(acknowledged_seq=epoch.acknowledged_seq, last_seq=epoch.last_seq)
        self._sending = steps.step("facts", self._send)

    def appended(self) -> None:
        """The journal has more."""
        self.uplink.appended(self._journal.epoch.last_seq)
        self._sending.soon()

    def new_epoch(self) -> None:
        self.uplink.new_epoch(self._journal.epoch.last_seq)
        self._sending.soon()

    def from_start(self) -> None:
        """Tell everything again that the ledger has not confirmed, at once."""
        self.uplink.from_start()
        self._sending.soon()

    def connected(self) -> None:
        self.uplink.connected()
        self._sending.soon()

    def disconnected(self) -> None:
        self.uplink.disconnected()

    async def acknowledged(self, message: Acknowledged) -> None:
        """The ledger's word about the present epoch, already checked against the journal."""
        before = self.uplink.acknowledged_seq
        self.uplink.acknowledged(message.seq)
        if self.uplink.acknowledged_seq != before:
            await self._executor.run(partial(self._journal.acknowledge, self.uplink.acknowledged_seq))
        self._sending.soon()

    async def _send(self) -> None:
        await self._send_due()
        wake_ms = self.uplink.wake_at_line_ms
        self._sending.at_us(None if wake_ms is None else wake_ms * 1000)

    async def _send_due(self) -> None:
        while (first := self.uplink.next_first(self._now_ms())) is not None:
            epoch = self._journal.epoch.number
            batch = await self._executor.run(partial(self._journal.batch, first))
            if batch is None:
                self._log.error("facts_gone", first_seq=first, expected="facts kept until acknowledged")
                return
            if self._journal.epoch.number != epoch or self.uplink.next_first(self._now_ms()) != first:
                continue  # an acknowledgement or a new epoch came in between
            self.uplink.sent(self._now_ms(), first, batch.last_seq)
            try:
                await self._outgoing.post(batch)
                self.uplink.delivered(self._now_ms(), batch.last_seq)
            except LinkError as error:
                # down: sent again on connection; refused or unconfirmed: sent again when its time is over
                self._log.info("facts_not_sent", first_seq=first, why=str(error))
                return

    def _now_ms(self) -> int:
        return self._line_clock.now_us() // 1000
