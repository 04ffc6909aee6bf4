"""The page over HTTP: its files, each cabinet's events as they happen, and commands.

GET  /                              the page
GET  /stages                        the cabinets that there are, and what does not change about each
GET  /stages/{name}/live?polls=1    server-sent events: `picture` (as it is now), `rows` (what passed)
POST /stages/{name}/commands        {"line": "take 3"}; 200 {"done": "..."}, 422 {"error": "..."}
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from json import JSONDecodeError
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runtime.http import serve_asgi
from runtime.listening import Serving
from simulator.cabinet.words import BadCommand
from simulator.page.guard import Guard
from simulator.page.rows import Follow, Row
from simulator.page.stage import Stage

LOOPBACK: Final = "127.0.0.1"
LOOK_S: Final = 0.1  # reads as at once, and costs a hundredth of a core for each that looks
SAY_S: Final = 1.0  # the clock moves on, also where nothing else does
LOOKING_MAX: Final = 12  # tabs of one developer; more are somebody's mistake
BODY_MAX: Final = 8192  # twice the longest command
ROWS_MAX: Final = 400  # in one event: what a page shows at once
TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FIRST: Final = "index.html"


class Page:
    """The application. `stages`: the cabinets, the first one is shown first."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.closing = asyncio.Event()
        """Set, and whoever looks is sent away: an event stream never ends by itself."""
        self._stages = {stage.name: stage for stage in stages}
        self._looking = 0
        self._files = read_files()
        self.app = Guard(
            Starlette(
                routes=[
                    Route("/", self._file),
                    Route("/files/{name}", self._file),
                    Route("/stages", self._about),
                    Route("/stages/{name}/live", self._live),
                    Route("/stages/{name}/commands", self._command, methods=["POST"]),
                ]
            )
        )

    async def _file(self, request: Request) -> Response:
        name = request.path_params.get("name", FIRST)
        found = self._files.get(name)
        if found is None:
            return _error(404, "no such file")
        return Response(found, media_type=TYPES[name[name.rindex(".") :]])

    async def _about(self, _request: Request) -> Response:
        return JSONResponse({"stages": [stage.about() for stage in self._stages.values()]})

    async def _command(self, request: Request) -> Response:
        stage = self._stages.get(request.path_params["name"])
        if stage is None:
            return _error(404, f"expected one of {', '.join(self._stages)}")
        line = await _line(request)
        if line is None:
            return _error(400, f'expected {{"line": "take 3"}}, a command of words, in at most {BODY_MAX} bytes')
        try:
            answer = await stage.do(line)
        except BadCommand as error:
            return _error(422, str(error))
        return JSONResponse({"done": answer.text})

    async def _live(self, request: Request) -> Response:
        stage = self._stages.get(request.path_params["name"])
        if stage is None:
            return _error(404, f"expected one of {', '.join(self._stages)}")
        if self._looking >= LOOKING_MAX:
            return _error(503, f"{LOOKING_MAX} look already: close a tab")
        polls = request.query_params.get("polls") == "1"
        return StreamingResponse(self._events(stage, polls=polls), media_type="text/event-stream")

    async def _events(self, stage: Stage, *, polls: bool) -> AsyncIterator[str]:
        self._looking += 1
        loop = asyncio.get_running_loop()
        said: dict[str, Any] = {}
        said_s = 0.0
        try:
            follows = stage.follows()
            while not self.closing.is_set():
                picture = stage.picture().to_document()
                at_ms = picture.pop("at_ms")
                if picture != said or loop.time() - said_s >= SAY_S:
                    said, said_s = picture, loop.time()
                    yield _event("picture", {"at_ms": at_ms, **picture})
                rows = await _news(follows)
                shown = [row.to_document() for row in rows if polls or not row.is_repeat]
                if shown:
                    yield _event("rows", shown[-ROWS_MAX:])
                await asyncio.sleep(LOOK_S)
        finally:
            self._looking -= 1


async def _news(follows: Sequence[Follow]) -> list[Row]:
    rows = [row for follow in follows for row in await follow()]
    return sorted(rows, key=lambda row: row.at_us)


async def _line(request: Request) -> str | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_MAX:
            return None
    try:
        line = json.loads(body)["line"]
    except (JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return None
    return line if isinstance(line, str) and line.strip() else None


def _event(kind: str, data: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)


def read_files() -> Mapping[str, bytes]:
    """The page's own files, by name, as they lie in the package."""
    folder = files("simulator.page").joinpath("files")
    return {
        file.name: file.read_bytes() for file in folder.iterdir() if file.name[file.name.rindex(".") :] in TYPES
    }


@asynccontextmanager
async def serve_page(stages: Sequence[Stage], port: int) -> AsyncIterator[Serving]:
    """Serves the page on loopback while the block runs; then everything that was broken from it is mended.

    `port` 0: a free one. Raises `ListenFailed`.
    """
    page = Page(stages)
    async with serve_asgi(page.app, LOOPBACK, port, field="--page-port") as serving:
        try:
            yield serving
        finally:
            page.closing.set()
            for stage in stages:
                await stage.mend()
