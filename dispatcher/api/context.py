"""What the endpoints work with: one object, made by `create_app`, reached through the request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from dispatcher.api.counters import ApiCounters
from dispatcher.core.retention import Retention
from dispatcher.core.rules import FleetRules
from dispatcher.open_data.shelf import Shelf
from dispatcher.store.database import Database
from dispatcher.store.erasure_list import ErasureList
from dispatcher.store.ids import RandomBytes
from runtime.clocks import Clock, LineClock


@dataclass(frozen=True, slots=True)
class ApiContext:
    database: Database
    """All work in it goes through its executors: an endpoint never blocks the loop."""
    clock: Clock
    line_clock: LineClock
    random_bytes: RandomBytes
    """A source of secure randomness, for ids."""
    rules: FleetRules
    digest_secret: bytes
    """The master secret of all cabinets: what release codes are made under."""
    wake: Callable[[], None]
    """Called after a write that changed rights: the publisher looks at once instead of at its next round."""
    retention: Retention = field(default_factory=Retention)
    erasures: ErasureList | None = None
    """Where erasures are kept outside the database; without it nobody is erased."""
    open_data: Shelf | None = None
    """What the public is told; None: nothing."""
    counters: ApiCounters = field(default_factory=ApiCounters)
    running: set[str] = field(default_factory=set)
    """Requests with an `Idempotency-Key` that this process is at; who else has the database is told by that."""


async def _context(request: Request) -> ApiContext:
    context = request.state.context
    assert isinstance(context, ApiContext)
    return context


async def _caller(request: Request) -> str:
    caller = request.state.caller
    assert isinstance(caller, str), "the gate lets nobody pass without a name"
    return caller


Context = Annotated[ApiContext, Depends(_context)]
Caller = Annotated[str, Depends(_caller)]
"""The name of the token that the request came with."""
