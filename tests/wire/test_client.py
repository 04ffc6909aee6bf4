"""The command line as a person runs it: a process, beside a dispatcher on a real broker, and a box that speaks."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contract.facts import DoorOpened
from contract.messages import Desired
from dispatcher.core.windows import to_ms
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto
from tests.wire.dispatcher_bench import ROOT, TOKEN, Program, WireBox, program, wire_box

WITHIN_S = 30  # a process that starts on a busy machine, and a dispatcher that looks every few seconds
ZONE = ZoneInfo("Europe/Paris")
BOOKING = ("booking", "new", "--member", "member-1", "--vehicle", "car-1")


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    async with mosquitto(folder) as running:
        yield running


class Person:
    """With a shell, its environment and a token."""

    def __init__(self, folder: Path, running: Program) -> None:
        self.token = folder / "claire.token"
        self.token.touch(mode=0o600)
        self.token.write_text(f"{TOKEN}\n")
        where = {
            "DISPATCHER_API": f"http://127.0.0.1:{running.http_port}",
            "DISPATCHER_TOKEN_FILE": str(self.token),
        }
        self._environment = {**os.environ, **where, "TZ": "Europe/Paris", "COLUMNS": "80", "PYTHONPATH": str(ROOT)}

    async def types(self, *words: str) -> tuple[int, str, str]:
        """Exit status, what was shown and what was told."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dispatcher", *words),
            cwd=ROOT,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def does(self, *words: str) -> str:
        status, out, err = await self.types(*words)
        assert (status, err) == (0, "")
        assert all(len(line) <= 80 for line in out.splitlines())
        return out

    async def has(self, *words: str) -> Any:
        status, out, err = await self.types(*words, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)


def window() -> tuple[str, str, datetime]:
    """From the next but one quarter of an hour, for two hours, as options; and its end."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    start = now + timedelta(minutes=30 - now.minute % 15)
    end = start + timedelta(hours=2)
    return f"--start={start.isoformat()}", f"--end={end.isoformat()}", end


async def test_a_person_does_an_operators_day_at_a_terminal(broker: Mosquitto, tmp_path: Path) -> None:
    async with program(tmp_path, broker) as running, wire_box(broker.port) as cabinet:
        claire = Person(tmp_path, running)
        start, end, ends = window()
        status, _, err = await claire.types(*BOOKING, start, end)
        assert (status, err.count("\n")) == (1, 1)
        assert err.startswith("dispatcher: cabinet_unreachable: ")
        assert "--accept-unreachable" in err
        await _comes_online(cabinet)

        booking = (await claire.has(*BOOKING, start, end))["id"]
        listed = await claire.does("booking", "list", "--vehicle", "car-1")
        assert booking in listed
        await eventually(lambda: _ends(cabinet) == [to_ms(ends)])
        later = ends + timedelta(hours=1)
        changed = await claire.does("booking", "change", booking, "--end", later.isoformat())
        assert later.astimezone(ZONE).strftime("%Y-%m-%d %H:%M%z") in changed
        await eventually(lambda: _ends(cabinet) == [to_ms(later)])
        assert "cancelled" in await claire.does("booking", "cancel", booking)
        await eventually(lambda: _ends(cabinet) == [])

        assert "slot_opened_without_decision" in await _incidents(claire, cabinet)
        assert "Claire" in await claire.does("incident", "assign", "1", "--to", "Claire")

        claire.token.write_text("not-a-token\n")
        status, _, err = await claire.types("incident", "list")
        assert (status, err) == (1, "dispatcher: unknown_token: expected a token that is registered\n")
        running.end(signal.SIGTERM)
        status, _, err = await claire.types("incident", "list")
        assert (status, err.count("\n")) == (3, 1)
        assert f"http://127.0.0.1:{running.http_port}: no answer" in err


async def _comes_online(cabinet: WireBox) -> None:
    cabinet.box.now_ms = to_ms(datetime.now(UTC))
    await cabinet.say(cabinet.box.presence())
    await cabinet.say(cabinet.box.report())
    await eventually(lambda: cabinet.desired, within_s=WITHIN_S)


def _ends(cabinet: WireBox) -> list[int]:
    """Of the grants that the box was told last."""
    newest: Desired = cabinet.desired[-1]
    return [grant.end_ms for grant in newest.grants]


async def _incidents(claire: Person, cabinet: WireBox) -> str:
    """What is listed once a door was opened that nobody released."""
    cabinet.box.note(DoorOpened, slot=1, released=False)
    await cabinet.send_until_acknowledged(1)
    async with asyncio.timeout(WITHIN_S):
        while "slot_opened" not in (listed := await claire.does("incident", "list")):
            pass
    return listed
