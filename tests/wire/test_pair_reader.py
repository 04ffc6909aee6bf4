"""`station-agent pair-reader` as a person runs it, against simulated readers on real ports."""

import asyncio
import re
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import serial

from station_agent.drivers.osdp.secure import SCBK_DEFAULT
from station_agent.onsite.reader_key import ReaderKeyFile
from tests.wire.brokers import Mosquitto
from tests.wire.osdp_bench import Peer, python_of
from tests.wire.ptys import Bridge
from tests.wire.simulated_cabinet import SimulatedCabinet, simulated_cabinet
from tests.wire.test_onsite import said_by
from tests.wire.test_simulated_cabinet import CLOSED_PORT, findings, listening_at

NOT_IN_INSTALL_MODE = "it is not in install mode: it answers with the key that it has, and nothing was changed"
RUNS = "the agent runs and has the line: stop it first (systemctl stop station-agent)"


class Box:
    """A box's folder, and its cabinet, whose badge reader is fresh from its maker."""

    def __init__(self, folder: Path, cabinet: SimulatedCabinet) -> None:
        self.config = folder / "station.toml"
        self.cabinet = cabinet
        self.files = ReaderKeyFile(folder / "entrance.scbk")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "station_agent", *words, "--config", str(self.config)]

    async def pair(self, *words: str) -> tuple[int, str, str]:
        """Exit status, output, errors; no key is ever in them."""
        said = await said_by(self.command("pair-reader", "entrance", "--yes", *words))
        assert "Traceback" not in said[2]
        self.keeps_secret(said)
        return said

    def keeps_secret(self, said: tuple[int, str, str]) -> None:
        shown = f"{said[1]}{said[2]}".lower()
        for key in (self.files.current(), self.files.pending(), SCBK_DEFAULT):
            assert key is None or key.hex() not in shown

    async def found(self) -> dict[str, Any]:
        return findings(await said_by(self.command("doctor", "--json")))


@asynccontextmanager
async def box(folder: Path, *options: str, scbk: str = "install") -> AsyncIterator[Box]:
    home = folder / "box"
    given = ("--secure-channel-key", f"entrance={scbk}", "--write-config", str(home), *options)
    async with simulated_cabinet(folder / "ports", *given) as cabinet:
        listening_at(home / "station.toml", CLOSED_PORT)
        yield Box(home, cabinet)


async def test_a_reader_fresh_from_the_box_gets_a_key_of_its_own_and_the_station_opens_its_channel(
    tmp_path: Path,
) -> None:
    async with box(tmp_path) as it:
        before = it.files.current()
        assert (await it.found())["readers-1/entrance"]["what"] == "reader_replaced"
        assert await it.pair() == (
            0,
            f"entrance has its key and has proved it; it is in {it.files.path}, for the agent alone\n",
            "",
        )
        await it.cabinet.seen(device="entrance", what="key")
        after = it.files.current()
        assert after is not None
        assert after not in {before, SCBK_DEFAULT}
        assert it.files.pending() is None
        assert stat.S_IMODE(it.files.path.stat().st_mode) == 0o600
        assert (await it.found())["readers-1/entrance"]["ok"]
    async with simulated_cabinet(tmp_path / "ports") as again:
        assert again.readers["entrance"]["scbk"] == after.hex(), "its own memory outlasts the program"


@pytest.mark.parametrize(("typed", "is_paired"), [("yes\n", True), ("y\n", False), ("", False)])
async def test_it_goes_on_only_when_somebody_types_yes(tmp_path: Path, typed: str, *, is_paired: bool) -> None:
    async with box(tmp_path) as it:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *it.command("pair-reader", "entrance"), stdin=pipe, stdout=pipe, stderr=pipe
        )
        async with asyncio.timeout(30):
            out, errors = await process.communicate(typed.encode())
        assert "Go on only if the cabinet is open before you" in out.decode()
        assert (process.returncode == 0) is is_paired
        if not is_paired:
            assert errors.decode() == "station-agent: entrance: nothing was sent: expected `yes`\n"
        assert bool([event for event in it.cabinet.events if event["device"] == "entrance"]) is is_paired


async def test_a_reader_that_is_not_in_install_mode_keeps_its_key(tmp_path: Path) -> None:
    async with box(tmp_path, scbk="00112233445566778899aabbccddeeff") as it:
        status, _, errors = await it.pair()
        assert (status, errors) == (
            1,
            f"station-agent: entrance: {NOT_IN_INSTALL_MODE}\n",
        )
        it.files.path.write_text("ab" * 16)
        status, _, errors = await it.pair()
        assert status == 1
        assert "it is not in install mode, and has another key than " in errors
        assert it.files.path.read_text() == "ab" * 16
        assert it.files.pending() is None, "no key was drawn"


@pytest.mark.long
async def test_a_reader_that_refuses_the_key_stays_as_it_was(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        before = it.files.current()
        await it.cabinet.done("fault entrance no-keys")
        assert await it.pair() == (
            1,
            "",
            "station-agent: entrance: the reader takes no key (NAK 3: unknown command); its old one is as it was\n",
        )
        assert it.files.current() == before
        await it.cabinet.done("clear")
        assert (await it.pair())[0] == 0


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
async def test_power_that_fails_over_the_key_loses_nothing(tmp_path: Path, when: str) -> None:
    async with box(tmp_path) as it:
        before = it.files.current()
        await it.cabinet.done(f"fault entrance power-lost-at-key {when}")
        pairing = asyncio.create_task(it.pair())
        if when == "after":
            await it.cabinet.seen(device="entrance", what="key", within_s=30)
        status, told, errors = await pairing
        if when == "after":  # it came back with the new key before the proof was given up
            assert (status, errors) == (0, "")
            assert "has proved it" in told
            return
        assert status == 1
        assert "it did not take its key: it is in install mode still; both keys are kept" in errors
        pending = it.files.pending()
        assert it.files.current() == before
        await it.cabinet.done("clear")
        assert (await it.pair())[0] == 0
        assert (it.files.current(), it.files.pending()) == (pending, None)


@pytest.mark.long
async def test_a_reader_that_took_the_key_and_died_is_found_with_it_by_the_next_run(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        before = it.files.current()
        await it.cabinet.done("fault entrance power-lost-at-key after")
        pairing = asyncio.create_task(it.pair())
        await it.cabinet.seen(device="entrance", what="key", within_s=30)
        await it.cabinet.done("power off")
        status, _, errors = await pairing
        pending = it.files.pending()
        assert (status, it.files.current()) == (1, before)
        assert "it was sent its key and does not answer any more; both keys are kept" in errors
        await it.cabinet.done("power on")
        assert await it.pair() == (
            0,
            f"entrance has the key of the attempt before; it is in {it.files.path} now\n",
            "",
        )
        assert (it.files.current(), it.files.pending()) == (pending, None)
        assert (await it.found())["readers-1/entrance"]["ok"]


@pytest.mark.long
async def test_a_silent_line_a_wrong_address_and_noise_are_told_apart(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        await it.cabinet.done("power off")
        status, _, errors = await it.pair()
        assert status == 1
        assert re.search(
            r"nothing answers at address 1 on \S+readers at 38400 baud; check power, and A and B", errors
        )
        await it.cabinet.done("power on")
        await it.cabinet.done("fault entrance twin")
        status, _, errors = await it.pair()
        assert status == 1
        assert "nothing of it is valid: speed, noise, two readers at one address" in errors
        await it.cabinet.done("clear")
        it.config.write_text(it.config.read_text().replace("address = 1\n", "address = 7\n"))
        status, _, errors = await it.pair()
        assert status == 1
        assert "nothing answers at address 7" in errors
        assert "`station-agent doctor` tries other speeds and addresses" in errors


@pytest.mark.long
async def test_some_noise_on_the_line_is_survived(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        await it.cabinet.done("noise 10 readers")
        for _ in range(3):  # a lost reply to the key itself is healed by the next run
            status, _, _ = await it.pair()
            if status == 0:
                break
        assert status == 0


async def test_a_port_that_is_in_use_or_gone_is_named(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        with serial.Serial(it.cabinet.ports["readers"]["path"], 38400, exclusive=True):
            status, _, errors = await it.pair()
        assert status == 1
        assert "is in use by another program; is another agent or terminal program running?" in errors
        await it.cabinet.done("pull-cable readers")
        status, _, errors = await it.pair()
        assert status == 1
        assert "is not there; is the adapter plugged in?" in errors


@pytest.mark.long
async def test_a_cable_pulled_in_the_middle_keeps_both_keys(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        await it.cabinet.done("fault entrance power-lost-at-key after")
        pairing = asyncio.create_task(it.pair())
        await it.cabinet.seen(device="entrance", what="key", within_s=30)
        await it.cabinet.done("pull-cable readers")
        status, _, errors = await pairing
        assert status == 1
        assert "was lost: " in errors
        assert "both keys are kept: run this again when it is back" in errors
        await it.cabinet.done("plug-cable readers")
        assert (await it.pair())[1].startswith("entrance has the key of the attempt before")


async def test_a_key_file_that_cannot_be_written_is_named_before_the_reader_hears_of_a_key(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        it.files.pending_path.mkdir()
        status, _, errors = await it.pair()
        assert status == 1
        assert f"{it.files.pending_path}: cannot be written: " in errors
        assert not [event for event in it.cabinet.events if event["what"] == "key"]


@pytest.mark.long
async def test_a_reader_that_still_takes_the_public_key_is_not_called_paired(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        await it.cabinet.done("fault entrance public-key-too")
        for _ in range(2):
            status, _, errors = await it.pair()
            assert status == 1
            assert "it has its key, but still takes the public one: end its install mode" in errors
            key = it.files.current()
        await it.cabinet.done("clear")
        assert (await it.found())["readers-1/entrance"]["ok"]
        assert it.files.current() == key


@pytest.mark.long
async def test_libosdps_device_in_install_mode_is_paired_and_opens_its_channel_to_the_station(
    tmp_path: Path,
) -> None:
    async with box(tmp_path) as it:
        await it.cabinet.done("pull-cable readers")
        cable = Bridge()
        ours, theirs = cable.ends
        it.config.write_text(re.sub(r'device = "[^"]*readers"', f'device = "{ours.path}"', it.config.read_text()))
        device = Peer(python_of(".venv-libosdp"), "libosdp_device", theirs.path, "install")
        try:
            status, _, errors = await it.pair()
            assert (status, errors) == (0, "")
            key = it.files.current()
            device.listen()
            assert key is not None
            assert device.has_said(command="keyset", kind=1, key=key.hex())
            assert (await it.found())["readers-1/entrance"]["ok"]
            assert (await it.pair())[2] == f"station-agent: entrance: {NOT_IN_INSTALL_MODE}\n"
        finally:
            device.close()
            cable.close()


async def test_an_unknown_reader_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    async with box(tmp_path) as it:
        said = await said_by(it.command("pair-reader", "entrence", "--yes"))
        assert said == (2, "", "station-agent: reader 'entrence': expected one over OSDP: entrance, return\n")


@pytest.mark.long
async def test_beside_a_running_agent_it_does_nothing(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    async with box(tmp_path) as it:
        port = free_port()
        text = it.config.read_text().replace(f"[http]\nport = {CLOSED_PORT}", f"[http]\nport = {port}")
        it.config.write_text(text.replace(f"port = {CLOSED_PORT}\n\n[locks]", f"port = {broker.port}\n\n[locks]"))
        agent = await asyncio.create_subprocess_exec(
            *it.command("run"), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await it.cabinet.seen(device="return", what="session", within_s=30)
            status, _, errors = await it.pair()
            assert (status, errors) == (
                1,
                f"station-agent: entrance: {RUNS}\n",
            )
            assert not [event for event in it.cabinet.events if event["device"] == "entrance"], (
                "and it gave no session"
            )
        finally:
            agent.terminate()
            await agent.wait()
            broker.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
