"""A station with KERONG lock boards: a real agent on real bytes, from badge to ledger and back."""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.facts import DeviceLost, KeyReturned, KeyTaken
from runtime.clocks import SystemLineClock
from simulator.devices.kerong_board import KerongBoard
from simulator.devices.paced_pty import PacedPty
from simulator.network.wiring import RETURN_READER
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto
from tests.wire.station import Station, at_broker, eventually_facts
from tests.wire.test_onsite import BADGE, listen, said_by, tool

BAUD_RATE = 19200
SLOTS = 8


@dataclass
class Cabinet:
    """A station whose key cabinet is one board; the test is the hand at its doors."""

    station: Station
    board: KerongBoard
    port: PacedPty
    unlocked: list[int]

    def open_door(self, slot: int) -> None:
        self.board.set_hook(slot - 1, False)

    def shut(self, slot: int) -> None:
        self.board.set_hook(slot - 1, True)

    def put_key(self, slot: int, *, there: bool) -> None:
        self.board.set_infrared(slot - 1, there)


@asynccontextmanager
async def kerong(folder: Path) -> AsyncIterator[Cabinet]:
    broker = Mosquitto(folder)
    await broker.start()
    station, unlocked = Station(folder, broker.port), list[int]()

    def spring(lock: int, _now_us: int) -> None:
        unlocked.append(lock + 1)
        board.set_hook(lock, False)

    board = KerongBoard(0, on_unlock=spring)
    for slot in range(1, len(station.vehicles) + 1):
        board.set_infrared(slot - 1, True)
    (folder / "ports").mkdir(exist_ok=True)
    port = PacedPty(folder / "ports" / "kerong", (board,), SystemLineClock(), baud_rate=BAUD_RATE)
    wiring = "".join(f"[[locks.slots]]\nslot = {n}\nboard = 0\nlock = {n}\n" for n in range(1, SLOTS + 1))
    locks = f'[locks]\ndriver = "kerong-cu16"\ndevice = "{port.link}"\n{wiring}\n[[readers]]'
    text, count = re.subn(r"\[locks\].*?\n\[\[readers\]\]", locks, station.config.read_text(), flags=re.DOTALL)
    assert count == 1
    station.config.write_text(text)
    port.open()
    try:
        async with at_broker(station, broker, BADGE):
            yield Cabinet(station, board, port, unlocked)
    finally:
        port.close()
        broker.stop()


async def test_badge_grant_lock_journal_ledger_and_back(tmp_path: Path) -> None:
    async with kerong(tmp_path) as cabinet:
        station, key = cabinet.station, cabinet.station.vehicles[0].key
        await station.show(BADGE)
        await eventually(lambda: cabinet.unlocked == [1])
        await eventually_facts(station.centre, lambda kinds: kinds[-1:] == ["door_opened"])
        cabinet.put_key(1, there=False)
        await eventually_facts(station.centre, lambda kinds: kinds[-1:] == ["key_taken"])
        cabinet.shut(1)
        await eventually_facts(station.centre, lambda kinds: kinds[-1:] == ["door_closed"])
        await station.show(key.tag, RETURN_READER)
        await eventually(lambda: cabinet.unlocked == [1, 1])
        await eventually_facts(station.centre, lambda kinds: kinds.count("door_opened") == 2)
        cabinet.put_key(1, there=True)
        await eventually_facts(station.centre, lambda kinds: "key_returned" in kinds)
        cabinet.shut(1)
        await eventually_facts(station.centre, lambda kinds: kinds.count("door_closed") == 2)
        (taken,) = [fact for fact in station.centre.facts() if isinstance(fact, KeyTaken)]
        (returned,) = [fact for fact in station.centre.facts() if isinstance(fact, KeyReturned)]
        assert (taken.key, taken.grant) == (key.id, "booking-1")
        assert (returned.key, returned.identity.value) == (key.id, "read")
        assert cabinet.unlocked == [1, 1], "one order for each decision"


async def test_a_lock_that_opens_without_an_answer_is_seen_open_and_not_told_to_again(tmp_path: Path) -> None:
    async with kerong(tmp_path) as cabinet:
        cabinet.board.is_silent_on_unlock = True
        await cabinet.station.show(BADGE)
        await eventually_facts(cabinet.station.centre, lambda kinds: kinds[-1:] == ["door_opened"])
        cabinet.put_key(1, there=False)
        cabinet.shut(1)
        await eventually_facts(
            cabinet.station.centre, lambda kinds: "key_taken" in kinds and "door_closed" in kinds
        )
        assert cabinet.unlocked == [1]


@pytest.mark.long
async def test_a_mute_board_is_named_and_its_cabinet_is_back_when_it_is(tmp_path: Path) -> None:
    async with kerong(tmp_path) as cabinet:
        cabinet.board.mute = True
        await eventually_facts(cabinet.station.centre, lambda kinds: kinds[-1:] == ["device_lost"], within_s=20)
        lost = cabinet.station.centre.facts()[-1]
        assert isinstance(lost, DeviceLost)
        assert lost.device == "cabinet"
        cabinet.board.mute = False
        await eventually_facts(cabinet.station.centre, lambda kinds: kinds[-1:] == ["device_back"], within_s=20)


@pytest.mark.long
async def test_doctor_and_trace_know_its_boards(tmp_path: Path) -> None:
    async with kerong(tmp_path) as cabinet:
        station = cabinet.station
        listen(station, "locks")
        _, told, _ = await said_by(tool(station, "trace", "locks", "--seconds", "2"))
        assert "-> board 0: show the contacts\n             02 00 30 03 35" in told
        assert "<- board 0: open: none; something seen at: 1, 2, 3, 4\n" in told
        command = tool(station, "doctor")
        station.terminate()
        _, told, _ = await said_by(command)
        assert "ok  locks / cabinet: 8 slots seen, 4 keys in, all doors shut" in told
        set_speed(Path(command[-1]), 9600)
        status, told, _ = await said_by(command)
        assert status == 1
        assert "-> board 0 answers at 19200 baud: set baud_rate" in told


def set_speed(config: Path, baud_rate: int) -> None:
    named = 'driver = "kerong-cu16"'
    config.write_text(config.read_text().replace(named, f"{named}\nbaud_rate = {baud_rate}"))


async def test_wrong_wiring_is_named(tmp_path: Path) -> None:
    station = Station(tmp_path, 1)
    text = station.config.read_text()
    for before, after, expected in (
        ("board = 0", "board = 16", "locks.slots[0].board = 16: "),
        ("lock = 2", "lock = 1", "slots 1 and 2 share board 0, lock 1"),
        ('"kerong-cu16"', '"kerong"', "locks.driver = 'kerong': expected one of"),
    ):
        wiring = "".join(f"[[locks.slots]]\nslot = {n}\nboard = 0\nlock = {n}\n" for n in range(1, SLOTS + 1))
        locks = f'[locks]\ndriver = "kerong-cu16"\ndevice = "/dev/ttyUSB9"\n{wiring}\n[[readers]]'
        changed = re.sub(r"\[locks\].*?\n\[\[readers\]\]", locks, text, flags=re.DOTALL).replace(before, after, 1)
        station.config.write_text(changed)
        command = [sys.executable, "-m", "station_agent", "check-config", "--config", str(station.config)]
        status, _, errors = await said_by(command)
        assert status == 2
        assert expected in errors, errors
