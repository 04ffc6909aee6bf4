"""The manual's page of the command line, and what its commands really write.

python -m tests.dispatcher.client_page writes the page anew
"""

import asyncio
import re
import shlex
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from contract.messages import ReplyOutcome
from dispatcher.store.incidents import open_incident
from tests.dispatcher.network import NOW_MS, import_document, set_key, set_link
from tests.dispatcher.terminal import Terminal, here, terminal
from tests.dispatcher.test_api_incidents import LATE
from tests.dispatcher.test_api_orders import STAFF
from tests.dispatcher.test_api_releases import answer

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
BLOCK = re.compile(r"^```console(?: (?P<columns>\d+))?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
PROMPT = "$ dispatcher "
STATUS = "$ echo $?"
ID = re.compile(r"(?<![\w-])[\w-]{20}(?![\w-])", re.ASCII)


async def as_it_is() -> str:
    """The page with what its commands write now. Ids, which are random, stay those of the page."""
    page = PAGE.read_text(encoding="utf-8")
    ids: dict[str, str] = {}
    shown: list[str] = []
    end = 0
    with tempfile.TemporaryDirectory() as folder:
        async with _scene(Path(folder)) as run:
            for block in BLOCK.finditer(page):
                shown.append(page[end : block.start("text")])
                with here(int(block["columns"] or 80)):
                    shown.append(await _block(run, block["text"], ids))
                end = block.end("text")
    return "".join([*shown, page[end:]])


async def _block(run: Terminal, text: str, ids: dict[str, str]) -> str:
    shown: list[str] = []
    status = 0
    for part in re.split(r"^(?=\$ )", text, flags=re.MULTILINE)[1:]:
        command, _, before = part.partition("\n")
        shown.append(f"{command}\n")
        if command == STATUS:
            shown.append(f"{status}\n")
            continue
        assert command.startswith(PROMPT), command
        typed = _renamed(command.removeprefix(PROMPT), ids)
        status, out, err = await run(*shlex.split(typed))
        written = "".join(f"{line}\n" for line in [*out.splitlines(), *err.splitlines()])
        known = {real: of_page for of_page, real in ids.items()}
        for real, of_page in zip(ID.findall(written), ID.findall(before), strict=False):
            known.setdefault(real, of_page)
        ids |= {of_page: real for real, of_page in known.items()}
        shown.append(_renamed(written, known))
    return "".join(shown)


def _renamed(text: str, names: Mapping[str, str]) -> str:
    return ID.sub(lambda found: names.get(found[0], found[0]), text)


@asynccontextmanager
async def _scene(folder: Path) -> AsyncIterator[Terminal]:
    """A Sunday noon at two stations: a key is overdue, the boxes are there and do what they are told."""
    async with terminal(folder) as run:
        database = run.api.database
        import_document(database, STAFF, seed=2)
        for cabinet in ("gare-1", "mairie-1"):
            set_link(database, cabinet)
        for slot, key in enumerate(("k-city-1", "k-city-2", "k-family"), 1):
            set_key(database, key, "in_slot", slot=slot)
        set_key(database, "k-mairie", "in_slot", "mairie-1")
        database.write_now(lambda connection: open_incident(connection, LATE, NOW_MS))
        box = asyncio.create_task(_obeys(run))
        try:
            yield run
        finally:
            box.cancel()
            with suppress(asyncio.CancelledError):
                await box


async def _obeys(run: Terminal) -> None:
    while True:
        with suppress(AssertionError):  # nothing was asked of it for a while
            await answer(run.api, ReplyOutcome.COMPLETED)


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(as_it_is()), encoding="utf-8")
