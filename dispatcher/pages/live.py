"""The stream of server-sent events that tells an open page which topics changed (WHATWG HTML, section 9.2)."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import StreamingResponse

from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.scopes import Scope, needs
from dispatcher.pages.hub import Hub
from dispatcher.pages.routing import pages

HUB = "dispatcher.hub"  # of a request: who tells
RETRY_MS = 1000  # after which a browser asks again on its own: a dispatcher that was restarted is soon live again
FULL_RETRY_S = 10
STREAM_S = 3600.0  # then the gate is asked again: a token that was revoked meanwhile hears nothing more

router = pages()


async def _hub(request: Request) -> Hub:
    hub = request.scope[HUB]
    assert isinstance(hub, Hub)
    return hub


@router.get("/live", dependencies=[needs(Scope.INCIDENTS_READ)])
async def live(hub: Annotated[Hub, Depends(_hub)]) -> StreamingResponse:
    """`changed` with a list of topics, as soon as anything did; `beat` where nothing does."""
    if hub.is_full:
        headers = {"retry-after": str(FULL_RETRY_S)}
        raise Refusal(ApiReason.TOO_MANY_REQUESTS, "expected fewer open pages", headers=headers)
    return StreamingResponse(_events(hub), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _events(hub: Hub) -> AsyncGenerator[str, None]:
    loop = asyncio.get_running_loop()
    with hub.listening() as listener:
        await hub.watching()
        ending = loop.call_later(STREAM_S, listener.end)
        try:
            yield f"retry: {RETRY_MS}\nevent: beat\ndata: []\n\n"
            async for topics in listener.topics():
                yield f"event: {'changed' if topics else 'beat'}\ndata: {json.dumps(topics)}\n\n"
        finally:
            ending.cancel()
