"""Writes into the log what the agent noted and did, each line with the decision that it follows from."""

from collections.abc import Iterable
from typing import Any

import structlog

from contract.facts import Fact, VehicleReading
from contract.trails import Trails


class FactLog:
    """One line for each fact that is durable, and for each order to a lock."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        self._log = log
        self._trails = Trails()

    def noted(self, epoch: str, facts: Iterable[Fact]) -> None:
        """Facts of an epoch, in their order, without readings of vehicles."""
        for fact in facts:
            readings = {name for name, value in fact if isinstance(value, VehicleReading)}
            fields = fact.model_dump(mode="json", exclude={"kind", *readings}, exclude_none=True)
            decision = self._trails.follow(epoch, fact)
            self._log.info(fact.kind, **fields, **({} if decision is None else {"decision": decision}))

    def released(self, slot: int, after_us: int | None, *, again: bool) -> None:
        """The order is on its way to the lock, `after_us` after the card that it is for; None: it is for none."""
        fields: dict[str, Any] = {} if after_us is None else {"after_ms": round(after_us / 1000, 1)}
        decision = self._trails.of_slot(slot)
        if decision is not None:
            fields["decision"] = decision
        self._log.info("slot_released", slot=slot, again=again, **fields)
