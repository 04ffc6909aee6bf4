"""A small running demo with a browser before it: what a person sees, and what the browser complains of."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from dispatcher.config import load_config, read_keys
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.database import Database
from dispatcher.store.incidents import close_incident, open_incident
from runtime.executor import InlineExecutor
from simulator.world.demand import MORNING_MS

STATIONS = 2
STATION, CABINET = "lille-gare-flandres", "lille-gare-flandres-1"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
END_S = 20  # a process that is killed ends at once; a loaded machine may take its time


@dataclass
class Bench:
    url: str
    token: str
    database: Database
    browser: Browser
    levers: str
    """Address of the page of the simulated cabinets."""
    complaints: list[str] = field(default_factory=list)
    """What browsers wrote to their consoles, but for what a test provoked itself."""

    @contextmanager
    def context(self, *, signed_in: bool = True, **options: object) -> Iterator[BrowserContext]:
        """A browser of somebody's own."""
        context = self.browser.new_context(base_url=self.url, **{"locale": "en-GB", **options})  # type: ignore[arg-type]
        context.on("page", self._listen)
        try:
            if signed_in:
                self.sign_in(context.new_page())
            yield context
        finally:
            context.close()

    def sign_in(self, page: Page) -> None:
        page.goto("/")
        page.locator("#token").fill(self.token)
        page.locator("form.sign-in button").click()
        live(page)

    def wrong(self, kind: IncidentKind, subject: str = CABINET) -> None:
        """Another program writes an incident into the database."""
        found = Discrepancy(kind, subject, "as it should be", "otherwise", cabinet_id=CABINET)
        self.database.write_now(lambda connection: open_incident(connection, found, MORNING_MS))

    def well(self, kind: IncidentKind, subject: str = CABINET) -> None:
        self.database.write_now(lambda connection: close_incident(connection, kind, subject, MORNING_MS))

    def ask(self, path: str, body: Any = None) -> Any:
        """The API, with the token that operators sign in with; a body is posted."""
        headers = {"authorization": f"Bearer {self.token}"}
        method = "GET" if body is None else "POST"
        answer = httpx.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def pull(self, lever: str, cabinet: str = CABINET) -> None:
        """What somebody does at a simulated cabinet, such as `cut-network`."""
        answer = httpx.post(
            f"{self.levers}/stages/{cabinet}/commands", json={"line": lever}, headers={"origin": self.levers}
        )
        assert answer.is_success, answer.text

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda said: self._heard(page, said.type, said.text))

    def _heard(self, page: Page, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"{page.url}: {text}")


def live(page: Page) -> None:
    page.locator("#live[data-state=live]").wait_for()


@contextmanager
def running_bench(folder: Path, stations: int = STATIONS, speed: float = 20, *more: str) -> Iterator[Bench]:
    """The demo in one process, with a Chromium that asks nobody else."""
    run = folder / "run"
    command = [sys.executable, "-m", "simulator", "demo", "--http-port", "0", "--stations", str(stations)]
    command += ["--speed", str(speed), "--directory", str(run), "--page-port", "0", *more]
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
        try:
            url, token, levers = _where(process)
            config = load_config(run / "dispatcher" / "dispatcher.toml")
            database = Database(config.database.url, InlineExecutor(), origin=read_keys(config.keys).origin)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
                yield Bench(url, token, database, browser, levers)
                browser.close()
            database.close()
        finally:
            process.kill()  # all of it is one process, and nobody asks for its verdict
            process.communicate(timeout=END_S)


def _where(process: "subprocess.Popen[str]") -> tuple[str, str, str]:
    assert process.stdout is not None
    said = ""
    while (found := re.search(r"operators +(\S+)/ +\(sign in with (\S+)\)(?s:.*)page +(\S+)/\n", said)) is None:
        line = process.stdout.readline()
        assert line, said
        said += line
    return found[1], found[2], found[3]
