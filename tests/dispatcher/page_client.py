"""A person's browser before the application: it keeps cookies, and says of its requests what browsers say."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from dispatcher.api.rate_limits import Limits
from tests.dispatcher.api_client import NO_LIMITS, OTHER_TOKEN, Api, running_api

WANTS_PAGES = {"accept": "text/html,application/xhtml+xml", "accept-language": "en"}
FROM_OUR_PAGE = {"sec-fetch-site": "same-origin"}


class Browser:
    def __init__(self, api: Api) -> None:
        self.api = api
        self.http = api.http

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Go to a page, and whereto that leads."""
        return await self.http.get(path, headers={**WANTS_PAGES, **headers}, follow_redirects=True)

    async def sign_in(self, token: str = OTHER_TOKEN, **headers: str) -> httpx.Response:
        sent = {**WANTS_PAGES, **FROM_OUR_PAGE, **headers}
        return await self.http.post("/sign-in", data={"token": token}, headers=sent, follow_redirects=True)

    async def csrf(self) -> str:
        found = re.search(r'name="csrf-token" content="([0-9a-f]+)"', (await self.open("/")).text)
        assert found
        return found[1]

    async def call(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """What the script of a page does."""
        sent = {**FROM_OUR_PAGE, "x-csrf-token": await self.csrf(), **headers}
        return await self.http.post(f"/api/v1{path}", json=body, headers=sent)


@asynccontextmanager
async def running_browser(limits: Limits = NO_LIMITS, **options: Any) -> AsyncIterator[Browser]:
    """Nobody has signed in."""
    async with running_api(token="", limits=limits, **options) as api:
        yield Browser(api)
