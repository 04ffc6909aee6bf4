"""A person at a terminal: the commands of the program, against the API as it is served, in a zone and a width."""

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from dispatcher.client.program import main
from runtime.http import serve_asgi
from tests.dispatcher.api_client import TOKEN, Api, running_api

ZONE = "Europe/Paris"


class Terminal:
    """Each call is a command; answers its exit status and what it wrote."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                status = await asyncio.to_thread(main, arguments)
            except SystemExit as ended:  # argparse
                status = int(str(ended.code))
        lines = [
            line for line in out.getvalue().splitlines() if "[info" not in line
        ]  # the API's log, in this process
        return status, "\n".join(lines), err.getvalue()


@asynccontextmanager
async def terminal(folder: Path, columns: int = 100) -> AsyncIterator[Terminal]:
    """`folder` keeps the token's file."""
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(f"{TOKEN}\n")
    async with (
        running_api() as api,
        serve_asgi(api.application, "127.0.0.1", 0, field="port") as serving,
    ):
        with here(columns, DISPATCHER_API=serving.url, DISPATCHER_TOKEN_FILE=str(token_file)):
            yield Terminal(api)


@contextmanager
def here(columns: int = 100, **environment: str) -> Iterator[None]:
    """A terminal that wide, in Lille."""
    try:
        with patch.dict(os.environ, {"TZ": ZONE, "COLUMNS": str(columns), **environment}):
            time.tzset()
            yield
    finally:
        time.tzset()  # back to the zone of before
