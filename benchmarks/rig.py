"""A station to measure: one agent in a process of its own, and all around it in this one.

Sixteen slots on two Modbus boards, two OSDP readers on a bus, eight vehicles that send Codec JSON through a real
broker, and a centre that acknowledges facts. Every line is a pty at its real pace, and is watched: when which bytes
reached the agent's end, and when the agent's came out.
"""

import asyncio
import os
import random
import socket
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import psutil

from contract.credentials import credential_digest
from contract.messages import BadgeEntry, Desired, Grant, KeyEntry
from runtime.clocks import SystemClock, SystemLineClock
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.paced_pty import Carrier, PacedPty
from simulator.network.model import CALYPSO, Card
from simulator.network.station_toml import (
    BoxFiles,
    BoxSettings,
    Tables,
    box_tables,
    credential_types,
    reader_table,
    toml_text,
)
from simulator.network.wiring import (
    DOOR_UNIT,
    LOCK_BAUD,
    LOCK_LINE,
    LOCK_UNIT,
    READER_ADDRESS,
    READER_BAUD,
    READER_LINE,
)
from tests.contract.keys import pem, public_text
from tests.runtime.waiting import eventually
from tests.wire.brokers import HOST, Mosquitto
from tests.wire.station import Centre

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "deploy" / "systemd" / "station-agent.service"
CABINET = "bench-1"
SLOTS = 16
VEHICLES = 8
BADGES = 8
DIGEST_KEY = bytes(range(32))
BOX_KEY, CENTRE_KEY = 1, 2
HOUR_MS = 3_600_000
READY_S = 30.0  # what a start may take before it counts as none
CARD_FRAME_MIN = 24  # bytes of a reader's reply with a card; without news it has 14


@dataclass(frozen=True, slots=True)
class Passed:
    """Bytes, and when they passed the pty."""

    at_us: int
    data: bytes


class Watched:
    """A line's carrier, and what passed it last."""

    def __init__(self, carrier: Carrier, clock: SystemLineClock) -> None:
        self._carrier = carrier
        self._clock = clock
        self.to_agent: deque[Passed] = deque(maxlen=256)
        self.from_agent: deque[Passed] = deque(maxlen=256)

    @property
    def wake_at_us(self) -> int | None:
        return self._carrier.wake_at_us

    def sent(self, now_us: int, data: bytes) -> None:
        self.from_agent.append(Passed(now_us, data))
        self._carrier.sent(now_us, data)

    def elapsed(self, now_us: int) -> bytes:
        data = self._carrier.elapsed(now_us)
        if data:
            self.to_agent.append(Passed(self._clock.now_us(), data))
        return data

    def clear(self) -> None:
        self._carrier.clear()


@dataclass
class Rig:
    """The world around the agent. `command` starts it; `--config FILE` is added."""

    folder: Path
    broker: Mosquitto
    command: Sequence[str]
    clock: SystemLineClock = field(default_factory=SystemLineClock)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.badges = [Card(CALYPSO.name, CALYPSO.bits, number.to_bytes(8)) for number in range(1, BADGES + 1)]
        self.centre = Centre(CABINET, self.broker.port)
        randomness = random.Random("rig").randbytes
        self.boards = (
            ModbusBoard(LOCK_UNIT, SLOTS, SLOTS, on_pulse=self._pulsed),
            ModbusBoard(DOOR_UNIT, 0, SLOTS),
        )
        self.readers = {
            name: OsdpReader(address, _scbk(name), randomness) for name, address in READER_ADDRESS.items()
        }
        for slot in range(1, SLOTS + 1):
            self.boards[0].set_input(slot - 1, slot <= BADGES)
            self.set_door(slot, is_open=False)
        ports = self.folder / "ports"
        ports.mkdir()
        self.lines = (
            PacedPty(ports / LOCK_LINE, self.boards, self.clock, baud_rate=LOCK_BAUD),
            PacedPty(ports / READER_LINE, tuple(self.readers.values()), self.clock, baud_rate=READER_BAUD),
        )
        self.locks, self.bus = (self._watch(line) for line in self.lines)
        self.opened: deque[int] = deque()
        """Slots whose lock got current."""
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ready_at_us = 0
        self._write_files()

    def set_door(self, slot: int, *, is_open: bool) -> None:
        self.boards[1].set_input(slot - 1, not is_open)  # the contact is closed while the door is shut

    def _pulsed(self, relay: int, _start_us: int, _end_us: int | None) -> None:
        self.set_door(relay + 1, is_open=True)
        self.opened.append(relay + 1)

    def _watch(self, line: PacedPty) -> Watched:
        watched = Watched(line._carrier, self.clock)  # noqa: SLF001  # a tap on the cable
        line._carrier = watched  # noqa: SLF001  # the same
        return watched

    def _write_files(self) -> None:
        (self.folder / "box.pem").write_bytes(pem(BOX_KEY))
        (self.folder / "digest.key").write_text(DIGEST_KEY.hex())
        for name in READER_ADDRESS:
            (self.folder / f"{name}.scbk").write_text(_scbk(name).hex())
        (self.folder / "station.toml").write_text(_toml(self.folder, self.broker.port))

    # --- the agent

    async def start(self) -> float:
        """Start it and wait until it tells its manager that it is ready; how long that took, in seconds."""
        self._ready_at_us = 0
        began_us = self.clock.now_us()
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220, S603  # the program that is measured
                [*self.command, "--config", str(self.folder / "station.toml")],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, **unit_environment(), "NOTIFY_SOCKET": str(self.folder / "notify")},
            )
        await eventually(lambda: self._ready_at_us or not self.agent.is_running(), within_s=READY_S)
        if not self._ready_at_us:
            raise SystemExit(f"the agent ended before it was ready:\n{self.log_text()}")
        return (self._ready_at_us - began_us) / 1e6

    def _told(self) -> None:
        """The agent told its manager something; who does not listen would hold it up."""
        if b"READY=1" in self._manager.recv(4096):
            self._ready_at_us = self.clock.now_us()

    def open(self) -> None:
        """Lines and manager are there. Needs a running event loop."""
        for line in self.lines:
            line.open()
        self._manager.bind(str(self.folder / "notify"))
        asyncio.get_running_loop().add_reader(self._manager, self._told)

    def close(self) -> None:
        self.stop()
        asyncio.get_running_loop().remove_reader(self._manager)
        self._manager.close()
        for line in self.lines:
            line.close()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(READY_S)
            self.process = None

    @property
    def agent(self) -> psutil.Process:
        assert self.process is not None, "it runs"
        return psutil.Process(self.process.pid)

    def log_text(self) -> str:
        return (self.folder / "agent.log").read_text()

    # --- the centre and the vehicles

    async def serve_members(self) -> None:
        """Give each badge a right to one key, and wait until a member could be served."""
        await eventually(lambda: self.centre.presences, within_s=READY_S)
        await self.centre.say(self._desired())
        self.centre.version = 1
        await eventually(self._is_ready, within_s=READY_S)

    async def told(self, kind: str, count: int) -> None:
        """The ledger has so many facts of a kind."""
        await eventually(lambda: self.centre.kinds().count(kind) >= count, within_s=READY_S)

    def _is_ready(self) -> bool:
        if not self.centre.reports:
            return False
        report = self.centre.reports[-1]
        is_held = report.desired_version == self.centre.version and report.clock_trusted
        return is_held and all(device.online for device in report.devices)

    def _desired(self) -> Desired:
        now_ms = SystemClock().now_ms()
        grants = tuple(
            Grant(
                grant=f"booking-{n}", badges=(f"badge-{n}",), key=f"key-{n}",
                start_ms=now_ms - HOUR_MS, take_by_ms=now_ms + HOUR_MS, end_ms=now_ms + HOUR_MS,
            )
            for n in range(1, BADGES + 1)
        )  # fmt: skip
        return Desired(
            cabinet=CABINET,
            version=1,
            boot_nonce=self.centre.presences[-1].boot_nonce,
            badges=tuple(
                BadgeEntry(ref=f"badge-{n}", digest=credential_digest(DIGEST_KEY, card.credential))
                for n, card in enumerate(self.badges, 1)
            ),
            keys=tuple(
                KeyEntry(key=f"key-{n}", vehicle=f"car-{n}", tag_digests=(), home_slot=n)
                for n in range(1, BADGES + 1)
            ),
            grants=grants,
        )

    async def drive(self, per_second: float) -> None:
        """The vehicles send so many messages a second together, until cancelled."""
        async with aiomqtt.Client(HOST, self.broker.port) as client:
            began_us, number = self.clock.now_us(), 0
            while True:
                topic = f"carshare/v1/vehicles/car-{number % VEHICLES + 1}/raw"
                await client.publish(topic, _telemetry(number), qos=0)
                number += 1
                due_s = number / per_second - (self.clock.now_us() - began_us) / 1e6
                await asyncio.sleep(max(due_s, 0))


@asynccontextmanager
async def rig(folder: Path, command: Sequence[str]) -> AsyncIterator[Rig]:
    """A rig whose broker, centre and lines are up, and whose agent is not started."""
    broker = Mosquitto(folder)
    await broker.start()
    made = Rig(folder, broker, command)
    made.open()
    centre = asyncio.create_task(made.centre.link.run())
    try:
        await eventually(lambda: made.centre.link.connected)
        yield made
    finally:
        made.close()
        await made.centre.link.stop()
        broker.stop()
        await centre


def unit_environment() -> dict[str, str]:
    """What the agent's unit sets: it is measured as it is installed."""
    lines = UNIT.read_text().splitlines()
    pairs = [line.removeprefix("Environment=").split() for line in lines if line.startswith("Environment=")]
    return {"PYTHONPATH": str(ROOT), **dict(pair.split("=", 1) for words in pairs for pair in words)}


def _scbk(reader: str) -> bytes:
    return bytes((READER_ADDRESS[reader],)) * 16


def _telemetry(number: int) -> bytes:
    now_ms = SystemClock().now_ms()
    return (
        b'{"state":{"reported":{"ts":%d,"pr":0,"latlng":"0,0","sp":0,"239":0,"240":0,"24":0,"66":12400,"67":4010,'
        b'"16":%d,"89":71}}}' % (now_ms, 1_000_000 + number)
    )


def _toml(folder: Path, broker_port: int) -> str:
    files = BoxFiles(
        journal=Path("journal.sqlite"),
        signing_key=Path("box.pem"),
        digest_key=Path("digest.key"),
        scbk={name: Path(f"{name}.scbk") for name in READER_ADDRESS},
        ports=folder / "ports",
    )
    settings = BoxSettings(
        namespace="carshare",
        dispatcher_id="centre",
        dispatcher_public_key=public_text(CENTRE_KEY),
        mqtt={"host": HOST, "port": broker_port},
        http_port=0,
        log_format="json",
    )
    hardware: Tables = [
        ("[locks]", {"device": str(files.ports / LOCK_LINE), "baud_rate": LOCK_BAUD}),
        *(table for slot in range(1, SLOTS + 1) for table in _slot(slot)),
        ("[[readers]]", {"device": str(files.ports / READER_LINE), "baud_rate": READER_BAUD}),
        *(("[[readers.readers]]", reader_table(name, files.scbk[name])) for name in READER_ADDRESS),
        *credential_types(),
        *(("[[vehicles]]", {"id": f"car-{n}"}) for n in range(1, VEHICLES + 1)),
    ]
    return toml_text(box_tables(CABINET, files, settings, hardware))


def _slot(slot: int) -> Tables:
    return [
        ("[[locks.slots]]", {"slot": slot}),
        ("[locks.slots.lock]", {"unit": LOCK_UNIT, "channel": slot}),
        ("[locks.slots.key]", {"unit": LOCK_UNIT, "channel": slot}),
        ("[locks.slots.door]", {"unit": DOOR_UNIT, "channel": slot, "inverted": True}),
    ]
