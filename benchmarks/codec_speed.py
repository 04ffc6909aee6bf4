"""Frames a second of each codec, beside what its own wire carries.

    python -m benchmarks.codec_speed [--seconds S]

Frames are those that the simulated device says, fed whole and byte by byte; the codec is the one of the agent, with
all that it does with a frame. Telemetry over MQTT has no wire of its own: it stands beside the rate of the
other benchmark. The control is the least that Python can do with the same bytes: one CRC in C and one unpacking.
"""

import argparse
import secrets
import sys
import time
from binascii import crc32
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct

from benchmarks.badge_to_lock import TELEMETRY_PER_S
from benchmarks.report import Row, status_of, table
from simulator.devices.kerong_board import KerongBoard
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.rdm6300_reader import frame_of
from simulator.devices.teltonika_tracker import CODEC_8, CODEC_8_EXTENDED, Moment, encode
from station_agent.core.device_events import ReaderSeen
from station_agent.drivers.kerong.frames import ReplyParser, read_status
from station_agent.drivers.modbus.frames import AnswerParser, read_inputs
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel
from station_agent.drivers.rdm6300 import Rdm6300Reader
from station_agent.drivers.teltonika.codec_json import TeltonikaJson
from station_agent.drivers.teltonika.receiver import TeltonikaReceiver
from station_agent.drivers.vss import VssJson

TIMES = 100  # the promise: a hundred times what the wire can carry
SECONDS = 0.5  # of each measurement; the best of RUNS counts: the machine has other work
RUNS = 5
BATCH = 50  # between two looks at the clock
BITS_PER_BYTE = 10  # start bit, eight data bits, stop bit
NOW_MS = 1_790_000_000_000
KEY = bytes(range(16))
POLL_US = 50_000
SEALED_POLL_BYTES = 29  # a mark, a command and a reply of 14 bytes each
JSON = (
    b'{"state":{"reported":{"ts":1790000000000,"pr":0,"latlng":"0,0","sp":0,"239":0,"240":0,"24":0,"66":12400,'
    b'"67":4010,"16":6870,"89":71}}}'
)
VSS = (
    b'{"Vehicle.TraveledDistance":12345.6,"Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed":80,'
    b'"Vehicle.LowVoltageSystemState":"LOCK","Vehicle.IsMoving":{"value":false,"ts":1790000000000}}'
)
_HEAD = Struct("<BBBBB")


@dataclass(frozen=True, slots=True)
class Feed:
    """One codec. `once(byte_by_byte)` takes one frame and raises if it is not understood; it returns the processor
    time, in seconds, that was not the codec's own.
    """

    name: str
    frame: bytes
    baud_rate: int | None
    once: Callable[[bool], float]

    @property
    def wire_per_s(self) -> float:
        """Frames that the wire carries back to back."""
        return self.baud_rate / BITS_PER_BYTE / len(self.frame) if self.baud_rate else TELEMETRY_PER_S


def parts(data: bytes, byte_by_byte: bool) -> Sequence[bytes]:  # two ways to be fed
    return [data[at : at + 1] for at in range(len(data))] if byte_by_byte else (data,)


def modbus() -> Feed:
    request, parser = read_inputs(1, 0, 16), AnswerParser(local_echo=False)
    frame = ModbusBoard(1, 16, 16).receive(0, request.frame)

    def once(byte_by_byte: bool) -> float:  # as in `parts`
        parser.expect(request)
        assert [parser.feed(part) for part in parts(frame, byte_by_byte)][-1] is not None
        return 0

    return Feed("modbus, 16 inputs", frame, 9600, once)


def kerong() -> Feed:
    request, parser = read_status(0), ReplyParser()
    frame = KerongBoard(0).receive(0, request.frame)

    def once(byte_by_byte: bool) -> float:  # as in `parts`
        parser.expect(request)
        for part in parts(frame, byte_by_byte):
            parser.feed(part)
        assert parser.reply is not None
        return 0

    return Feed("kerong, 16 locks", frame, 19_200, once)


def osdp() -> Feed:
    """A poll and its reply inside the secure channel; of the two frames the panel makes one and takes the other."""
    panel = OsdpPanel((OsdpReaderConfig("reader", 1, KEY),), 38_400, secrets.token_bytes)
    reader, now_us = OsdpReader(1, KEY, secrets.token_bytes), 0
    command = panel.opened(now_us).send
    while not any(
        isinstance(e, ReaderSeen) for e in panel.received(now_us, reader.receive(now_us, command)).events
    ):
        now_us = panel.wake_at_us or 0
        command = panel.elapsed(now_us).send
    passed = b""

    def once(byte_by_byte: bool) -> float:  # as in `parts`
        nonlocal now_us, passed
        now_us += POLL_US
        command = panel.elapsed(now_us).send
        began = time.process_time()
        reply = reader.receive(now_us, command)
        not_ours = time.process_time() - began
        for part in parts(reply, byte_by_byte):
            panel.received(now_us, part)
        passed = command + reply
        return not_ours

    while len(passed) != SEALED_POLL_BYTES:  # now and then the panel asks for the reader's status
        once(False)
    return Feed("osdp, sealed poll and reply", passed, 38_400, once)


def rdm6300() -> Feed:
    reader, frame = Rdm6300Reader("tags"), frame_of(bytes.fromhex("01000734E0"))
    reader.opened(0)

    def once(byte_by_byte: bool) -> float:  # as in `parts`
        before = reader.statistics.frames_received
        for part in parts(frame, byte_by_byte):
            reader.received(0, part)
        assert reader.statistics.frames_received == before + 1
        return 0

    return Feed("rdm6300", frame, 9600, once)


def teltonika(codec: int) -> Feed:
    values = {239: 0, 240: 0, 66: 12_400, 16: 6_870, 89: 71}
    receiver, frame = TeltonikaReceiver("car"), encode(codec, [Moment(NOW_MS, values)])
    receiver.opened(0)

    def once(byte_by_byte: bool) -> float:  # as in `parts`
        assert [receiver.received(0, part).send for part in parts(frame, byte_by_byte)][-1]
        return 0

    return Feed(f"teltonika, codec {codec:X}", frame, 115_200, once)


def json(name: str, codec: TeltonikaJson | VssJson, payload: bytes) -> Feed:
    def once(byte_by_byte: bool) -> float:  # noqa: ARG001  # a message comes whole
        assert codec.read(NOW_MS, payload) is not None
        return 0

    return Feed(name, payload, None, once)


def feeds() -> list[Feed]:
    return [
        modbus(), kerong(), osdp(), rdm6300(), teltonika(CODEC_8), teltonika(CODEC_8_EXTENDED),
        json("codec json", TeltonikaJson(), JSON), json("vss", VssJson(), VSS),
    ]  # fmt: skip


def per_second(once: Callable[[], float], seconds: float) -> float:
    """Per second of processor time, whatever else the machine does; the best of some runs."""
    best = 0.0
    for _ in range(RUNS):
        count, not_ours, began = 0, 0.0, time.process_time()
        while (took := time.process_time() - began) < seconds / RUNS or not count:
            for _ in range(BATCH):
                not_ours += once()
            count += BATCH
        best = max(best, count / (took - not_ours))
    return best


def rows(seconds: float = SECONDS) -> list[Row]:
    made = []
    for feed in feeds():
        whole = per_second(lambda feed=feed: feed.once(False), seconds)  # type: ignore[misc]  # bound here
        single = per_second(lambda feed=feed: feed.once(True), seconds)  # type: ignore[misc]  # bound here
        control = per_second(lambda feed=feed: _bare(feed.frame), seconds)  # type: ignore[misc]  # bound here
        wire = feed.wire_per_s
        beside = (
            f"{whole:,.0f} frames/s of {len(feed.frame)} bytes beside {wire:,.0f} on the wire; byte by byte "
            f"{single / wire:,.0f} times; a bare CRC and unpacking is {control / whole:.0f} times as fast"
        )
        made.append(Row(feed.name, whole / wire, TIMES, "times", at_least=True, beside=beside))
    return made


def _bare(frame: bytes) -> float:
    crc32(frame)
    _HEAD.unpack_from(frame)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="frames a second of each codec, beside what its wire carries")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    made = rows(parser.parse_args(arguments).seconds)
    print(table(made))
    return status_of(made)


if __name__ == "__main__":
    sys.exit(main())
