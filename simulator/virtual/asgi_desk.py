"""Members' phones over the dispatcher's own API: HTTP requests into its ASGI application, in no time at all."""

import asyncio
from typing import Final

import httpx

from dispatcher.api.app import create_app
from dispatcher.api.context import ApiContext
from dispatcher.api.rate_limits import Limits, Rate
from dispatcher.api.scopes import Scope
from dispatcher.api.tokens import Token, Tokens, digest
from dispatcher.dispatcher import Dispatcher
from dispatcher.metrics import monitored
from simulator.virtual.phone import CALLER, Answered, Question
from simulator.virtual.steps import Life
from simulator.world.acts import Book, CallOff, LookUp
from simulator.world.api import ApiAnswer, ApiUnreachableError
from simulator.world.http_api import HttpBookingApi

PHONES: Final = Rate(1e6, 1_000_000)
"""All the world's phones share one token, which no front end's would: no limit that they could meet."""
TOKEN: Final = "phones"  # noqa: S105  # nobody but this world's phones can reach this application


class AsgiDesk:
    """`simulator.virtual.phone.Desk`: every question is a task, which is over within the instant it began."""

    def __init__(
        self, dispatcher: Dispatcher, context: ApiContext, life: Life, loop: asyncio.AbstractEventLoop
    ) -> None:
        phones = Token(CALLER, digest(TOKEN), frozenset({Scope.BOOKINGS_READ, Scope.BOOKINGS_WRITE}), None)
        tokens = Tokens([phones])
        app = create_app(
            context,
            tokens=lambda: tokens,
            monitored=monitored(dispatcher, context.counters),
            limits=Limits(PHONES, PHONES),
        )
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),  # raises what the application raises: a bug of ours ends the run
            base_url="http://dispatcher",
            headers={"authorization": f"Bearer {TOKEN}"},
        )
        self._api = HttpBookingApi(client)
        self._life = life
        self._loop = loop
        self._asking: dict[asyncio.Task[None], None] = {}

    def answer(self, question: Question, answered: Answered) -> None:
        task = self._loop.create_task(self._answer(question, answered))
        self._asking[task] = None
        task.add_done_callback(self._asking.pop)

    async def _answer(self, question: Question, answered: Answered) -> None:
        try:
            answer = await self._ask(question)
        except ApiUnreachableError:
            answered(None)
        else:
            answered(answer if self._life.is_alive else None)

    async def _ask(self, question: Question) -> ApiAnswer:
        match question:
            case Book(request):
                return await self._api.book(request)
            case CallOff(booking):
                return await self._api.cancel(booking)
            case LookUp(booking):
                return await self._api.booking(booking)
