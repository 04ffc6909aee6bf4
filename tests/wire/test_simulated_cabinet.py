"""`simulator cabinet` as a developer uses it: any program on its ports, and commands on its standard input."""

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import minimalmodbus
import pytest
import serial

from contract.credentials import credential_digest
from contract.facts import AccessRefused, KeyReturned, KeyTaken
from contract.messages import BadgeEntry, Desired, Grant, KeyEntry
from runtime.clocks import SystemClock
from tests.contract.keys import pem
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto
from tests.wire.simulated_cabinet import SimulatedCabinet, simulated_cabinet
from tests.wire.station import BOX_KEY, CENTRE_KEY, DIGEST_KEY, HOUR_MS, Centre
from tests.wire.test_onsite import said_by

KEY_INPUTS, DOOR_INPUTS = 1, 2
PULSE_3_FOR_700_MS = b"\x02\x02\x00\x07"
BADGE, UNKNOWN_BADGE = "00000000075BCD15", "00000000075BCD16"
CLOSED_PORT = 9  # nobody answers there


def board(cabinet: SimulatedCabinet, unit: int) -> minimalmodbus.Instrument:
    instrument = minimalmodbus.Instrument(cabinet.ports["locks"]["path"], unit)
    instrument.serial.baudrate = 9600
    instrument.serial.timeout = 0.5
    return instrument


def inputs(instrument: minimalmodbus.Instrument) -> list[int]:
    found: list[int] = instrument.read_bits(0, 8, functioncode=2)
    return found


def is_link(path: Path) -> bool:
    return path.is_symlink()


def links_in(folder: Path) -> int:
    """Nothing else is there."""
    assert all(path.is_symlink() for path in folder.iterdir())
    return len(list(folder.iterdir()))


async def test_another_modbus_master_reads_its_contacts_and_opens_its_slots(tmp_path: Path) -> None:
    async with simulated_cabinet(tmp_path) as cabinet:
        keys, doors = board(cabinet, KEY_INPUTS), board(cabinet, DOOR_INPUTS)
        assert await asyncio.to_thread(inputs, keys) == [1] * 7 + [0]
        assert await asyncio.to_thread(inputs, doors) == [1] * 8
        await asyncio.to_thread(keys._perform_command, 5, PULSE_3_FOR_700_MS)
        await cabinet.seen(what="lock_pulsed", slot=3)
        await cabinet.seen(what="door_opened", slot=3)
        assert await asyncio.to_thread(inputs, doors) == [1, 1, 0, 1, 1, 1, 1, 1]
        assert (await cabinet.done("take 3"))["text"] == "key-3 taken out of slot 3, door shut"
        assert await asyncio.to_thread(inputs, keys) == [1, 1, 0, 1, 1, 1, 1, 0]
        assert await asyncio.to_thread(inputs, doors) == [1] * 8
        rows = (await cabinet.done("slots"))["slots"]
        assert rows[2] == {"slot": 3, "door": "shut", "key": None, "tag": None}
        assert rows[3] == {"slot": 4, "door": "shut", "key": "key-4", "tag": "0100000004"}


async def test_faults_are_switched_while_a_master_asks(tmp_path: Path) -> None:
    async with simulated_cabinet(tmp_path) as cabinet:
        keys = board(cabinet, KEY_INPUTS)
        for command, error in (
            ("fault relays-1 silent", minimalmodbus.NoResponseError),
            ("fault relays-1 bad-crc", minimalmodbus.InvalidResponseError),
            ("fault relays-1 exception 4", minimalmodbus.SlaveReportedException),
            ("fault relays-1 late 900", minimalmodbus.NoResponseError),
            ("fault relays-1 twin", minimalmodbus.InvalidResponseError),
            ("noise 100 locks", minimalmodbus.ModbusException),
            ("power off", minimalmodbus.NoResponseError),
        ):
            await cabinet.done(command)
            with pytest.raises(error):
                await asyncio.to_thread(inputs, keys)
            await cabinet.done("power on" if command == "power off" else "clear")
            await cabinet.done("wait 1")  # a late answer passes, a board starts
            assert await asyncio.to_thread(inputs, keys) == [1] * 7 + [0], command
        await cabinet.done("fault cabinet stuck 3")
        await asyncio.to_thread(keys._perform_command, 5, PULSE_3_FOR_700_MS)
        await cabinet.seen(what="lock_pulsed", slot=3)
        answer = await cabinet.do("take 3")
        assert (answer["kind"], answer["text"]) == (
            "error",
            "slot 3 is shut: expected an open one; open now: none",
        )


async def test_a_pulled_cable_takes_the_port_away_and_brings_it_back_under_its_path(tmp_path: Path) -> None:
    async with simulated_cabinet(tmp_path) as cabinet:
        path = Path(cabinet.ports["locks"]["path"])
        assert is_link(path)
        assert path.parent == tmp_path
        await cabinet.done("pull-cable locks")
        assert not is_link(path)
        assert (await cabinet.do("pull-cable lock"))["text"] == "line 'lock': expected one of locks, readers"
        await cabinet.done("plug-cable locks")
        assert await asyncio.to_thread(inputs, board(cabinet, KEY_INPUTS)) == [1] * 7 + [0]


async def test_its_kerong_boards_answer_the_published_frames(tmp_path: Path) -> None:
    async with simulated_cabinet(tmp_path, "--locks", "kerong-cu16", "--slots", "20") as cabinet:
        port = cabinet.ports["locks"]
        assert (port["baud_rate"], port["devices"]) == (19200, ["board-0", "board-1"])
        with serial.Serial(port["path"], 19200, timeout=0.5) as line:

            async def asked(request: str) -> bytes:
                line.write(bytes.fromhex(request))
                return await asyncio.to_thread(line.read, 9)

            assert await asked("02 00 30 03 35") == bytes.fromhex("02 00 35 FF FF FF FF 03 36")
            await asked("02 12 31 03 48")  # unlock lock 3 of board 1: slot 19
            await cabinet.seen(what="door_opened", slot=19)
            await cabinet.done("take 19")
            await cabinet.done("fault board-1 no-answer-to-unlock")
            assert await asked("02 12 31 03 48") == b""
            await cabinet.seen(what="door_opened", slot=19)
            await cabinet.done("clear board-1")
            assert (await asked("02 10 30 03 45"))[3:7] == bytes.fromhex("FB FF 03 00")


async def test_a_tag_at_its_rdm6300_reader_and_a_record_of_its_tracker_reach_their_lines(tmp_path: Path) -> None:
    options = ("--tag-reader", "rdm6300", "--tracker", "codec-8e")
    async with simulated_cabinet(tmp_path, *options) as cabinet:
        assert {line: port["devices"] for line, port in cabinet.ports.items()} == {
            "locks": ["relays-1", "doors-1"],
            "readers": ["entrance"],
            "tags": ["return"],
            "vehicle": ["tracker"],
        }
        tables = tomllib.loads((await cabinet.done("config"))["toml"])
        assert tables["tag_readers"][0]["device"] == cabinet.ports["tags"]["path"]
        assert tables["vehicles"][0]["device"] == cabinet.ports["vehicle"]["path"]
        with serial.Serial(cabinet.ports["tags"]["path"], 9600, timeout=2) as tags:
            await cabinet.done("badge 01000734E0 return")
            assert tags.read(14) == bytes.fromhex("02 30 31 30 30 30 37 33 34 45 30 44 32 03")
        with serial.Serial(cabinet.ports["vehicle"]["path"], 115200, timeout=2) as vehicle:
            await cabinet.done("record 239=1 389=51000")
            packet = vehicle.read(8)
            packet += vehicle.read(int.from_bytes(packet[4:8]) + 4)
        assert (packet[:4], packet[8], packet[9]) == (bytes(4), 0x8E, 1)
        assert (51000).to_bytes(4) in packet


async def test_a_bad_command_is_answered_with_what_was_expected_and_the_next_one_is_carried_out(
    tmp_path: Path,
) -> None:
    async with simulated_cabinet(tmp_path, "--tag-reader", "none") as cabinet:
        for command, expected in (
            ("bagde 01", "command 'bagde': did you mean badge? expected one of badge, "),
            ("badge", "badge: expected `badge <uid>[/bits] [reader]`, found 0 words after it"),
            ("badge 1", "uid '1': expected 2 to 256 hexadecimal digits, two for each byte"),
            ("badge 12/99", "bits '99': expected a whole number from 1 to 8"),
            ("badge 12 return", "reader 'return': expected one of entrance"),
            ("pin 12x", "digits: expected at most 31 of 0 to 9, * and #"),
            ("take 9", "slot '9': expected a whole number from 1 to 8"),
            ("return 0100000001 8", "tag 0100000001 hangs in slot 1: expected one that is out"),
            ("return 0100000099 1", "slot 1: a key hangs there already; expected an empty slot"),
            ("return 0100000099 8", "slot 8 is shut, and no reader of tags is here: expected an open one"),
            ("power down", "power 'down': expected one of off, on"),
            ("record", "record: there is no tracker here: expected a cabinet that was started with --tracker"),
            ("fault entrance mute for ever", "seconds 'ever': expected a number from 0.1 to 86400"),
            ("noise 200", "percent '200': expected a whole number from 0 to 100"),
            ("x" * 5000, "expected a line of at most 4096 characters"),
        ):
            answer = await cabinet.do(command)
            assert answer["kind"] == "error", command
            assert answer["text"].startswith(expected), answer
        await cabinet.done("slots")


async def test_its_input_ends_it_and_so_does_a_signal_and_no_link_is_left(tmp_path: Path) -> None:
    for how in ("eof", "quit", signal.SIGINT, signal.SIGTERM):
        async with simulated_cabinet(tmp_path) as cabinet:
            assert links_in(tmp_path) == 2
            assert cabinet.process.stdin is not None
            if isinstance(how, signal.Signals):
                assert await cabinet.ends_with(how) == 0
            else:
                cabinet.process.stdin.write(b"" if how == "eof" else b"quit\n")
                cabinet.process.stdin.close()
                assert await cabinet.ended() == 0
            assert links_in(tmp_path) == 0


async def test_two_cabinets_do_not_share_a_folder(tmp_path: Path) -> None:
    async with simulated_cabinet(tmp_path):
        command = [sys.executable, "-m", "simulator", "cabinet", "--directory", str(tmp_path)]
        status, said, errors = await said_by(command)
        assert (status, said) == (2, "")
        assert errors.endswith("another simulated cabinet has its ports there: expected another folder\n")
        assert links_in(tmp_path) == 2, "the first one's links are untouched"


def test_commands_from_a_file_are_carried_out_one_after_the_other(tmp_path: Path) -> None:
    script = tmp_path / "commands"
    script.write_text("open 2\ntake 2\nslots\nopen 2")
    command = [sys.executable, "-m", "simulator", "cabinet", "--directory", str(tmp_path / "ports")]
    with script.open() as commands:
        done = subprocess.run(command, stdin=commands, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert re.search(r"^  2  shut  -$", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("* cabinet: slot 2: door opened by somebody\nslot 2 opened\n")


async def test_at_a_terminal_it_asks_for_commands_and_events_leave_the_prompt_whole(tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "simulator", "cabinet", "--directory", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    os.set_blocking(master, False)
    drawn = bytearray()

    def shows(text: bytes) -> bool:
        with suppress(BlockingIOError, OSError):
            drawn.extend(os.read(master, 65536))
        return text in drawn

    await eventually(lambda: shows(b"Ctrl-D ends\r\ncabinet> "), within_s=20)
    os.write(master, b"fault entrance mute for 0.1\n")
    await eventually(lambda: shows(b"for 0.1 s\r\ncabinet> "), within_s=20)
    await eventually(lambda: shows(b"\r\x1b[2K* entrance: mute is over\r\ncabinet> "), within_s=20)
    os.write(master, b"\x04")
    async with asyncio.timeout(20):
        assert await process.wait() == 0
    os.close(master)


# --- our own agent


def listening_at(config: Path, http_port: int, broker_port: int = CLOSED_PORT) -> None:
    text = re.sub(r"port = 9470", f"port = {http_port}", config.read_text())
    config.write_text(re.sub(r"port = 1883", f"port = {broker_port}", text))


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), {"locks/cabinet", "readers-1/entrance", "readers-1/return"}),
        (
            ("--locks", "kerong-cu16", "--slots", "16", "--tag-reader", "rdm6300", "--tracker"),
            {"locks/cabinet", "readers-1/entrance", "tags-1/return", "tracker-1"},
        ),
    ],
)
async def test_the_doctor_of_a_station_finds_every_device_by_the_written_configuration(
    tmp_path: Path, options: tuple[str, ...], lines: set[str]
) -> None:
    box = tmp_path / "box"
    async with simulated_cabinet(tmp_path / "ports", "--write-config", str(box), *options) as cabinet:
        listening_at(box / "station.toml", CLOSED_PORT)
        doctor = [sys.executable, "-m", "station_agent", "doctor", "--config", str(box / "station.toml"), "--json"]
        examining = asyncio.create_task(said_by(doctor))
        while not examining.done():  # a tag reader is known by its tags alone
            if "rdm6300" in options:
                await cabinet.done("badge 0100000001 return")
            await asyncio.wait({examining}, timeout=1)
        found = findings(await examining)
        assert lines <= set(found)
        wrong = {name: one["what"] for name, one in found.items() if not one["ok"]}
        assert set(wrong) <= {"tags-1/return"}, "of a reader that only sends nothing is known before a tag"


def findings(said: tuple[int, str, str]) -> dict[str, Any]:
    assert said[2] == ""
    return {f"{one['line']}/{one['device']}".rstrip("/"): one for one in json.loads(said[1])["findings"]}


@asynccontextmanager
async def station(folder: Path) -> AsyncIterator[tuple[SimulatedCabinet, Centre]]:
    """A cabinet, its broker, an agent that runs by the configuration it wrote, and a centre with its keys."""
    box, broker = folder / "box", Mosquitto(folder)
    await broker.start()
    box.mkdir()
    for name, content in (("box.pem", pem(BOX_KEY)), ("centre.pem", pem(CENTRE_KEY))):
        (box / name).write_bytes(content)
    (box / "digest.key").write_text(DIGEST_KEY.hex())
    async with simulated_cabinet(folder / "ports", "--write-config", str(box)) as cabinet:
        listening_at(box / "station.toml", 0, broker.port)
        centre = Centre("desk-1", broker.port)
        linked = asyncio.create_task(centre.link.run())
        command = [sys.executable, "-m", "station_agent", "run", "--config", str(box / "station.toml")]
        with (folder / "agent.log").open("wb") as log:
            agent = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            await eventually(lambda: centre.presences, within_s=20)
            yield cabinet, centre
        finally:
            agent.terminate()
            await agent.wait()
            await centre.link.stop()
            await linked
            broker.stop()


def right_to(slot: int, badge: str, nonce: str) -> Desired:
    """The wanted state in which a badge has a right to the key of a slot."""
    now_ms = SystemClock().now_ms()
    tag = credential_digest(DIGEST_KEY, f"em4100:01000000{slot:02X}")
    return Desired(
        cabinet="desk-1",
        version=1,
        boot_nonce=nonce,
        badges=(BadgeEntry(ref="ref-of-badge", digest=credential_digest(DIGEST_KEY, f"calypso:{badge}")),),
        keys=(KeyEntry(key=f"key-{slot}", vehicle="car-1", tag_digests=(tag,), home_slot=slot),),
        grants=(
            Grant(
                grant="booking-1",
                badges=("ref-of-badge",),
                key=f"key-{slot}",
                start_ms=now_ms - HOUR_MS,
                take_by_ms=now_ms + HOUR_MS,
                end_ms=now_ms + HOUR_MS,
            ),
        ),
    )


def is_ready(centre: Centre) -> bool:
    """The agent has every device, a trusted clock and the wanted state."""
    report = centre.reports[-1] if centre.reports else None
    return (
        report is not None
        and all(device.online for device in report.devices)
        and report.clock_trusted
        and report.desired_version == centre.version
    )


async def test_a_badge_a_key_taken_and_brought_back_at_a_station_on_the_desk(tmp_path: Path) -> None:
    async with station(tmp_path) as (cabinet, centre):
        await centre.say(right_to(3, BADGE, centre.presences[-1].boot_nonce))
        centre.version = 1
        await eventually(lambda: is_ready(centre), within_s=20)
        await cabinet.done(f"badge {UNKNOWN_BADGE}")
        light = await cabinet.seen(device="entrance", what="light")
        assert light["text"].startswith("light: red blinking"), "refused, and the reader says so"
        await eventually(lambda: [fact for fact in centre.facts() if isinstance(fact, AccessRefused)], within_s=20)
        assert {row["door"] for row in (await cabinet.done("slots"))["slots"]} == {"shut"}
        await cabinet.done(f"badge {BADGE}")
        await cabinet.seen(what="door_opened", slot=3)
        await cabinet.done("take 3")
        await eventually(lambda: "door_closed" in centre.kinds(), within_s=20)
        assert (await cabinet.done("return 0100000003 3"))["text"] == "key-3 hung into slot 3, door shut"
        await eventually(lambda: centre.kinds().count("door_closed") == 2, within_s=20)
        (taken,) = [fact for fact in centre.facts() if isinstance(fact, KeyTaken)]
        (returned,) = [fact for fact in centre.facts() if isinstance(fact, KeyReturned)]
        assert (taken.key, taken.grant, returned.key) == ("key-3", "booking-1", "key-3")
