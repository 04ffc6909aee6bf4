"""Every codec that runs on a line, with its simulated devices: what is fuzzed, and what the tests feed alike."""

import random
from collections.abc import Callable
from typing import Final

from fuzz.line import Subject
from simulator.devices.kerong_board import KerongBoard
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.rdm6300_reader import Rdm6300Device, frame_of
from simulator.devices.teltonika_tracker import (
    CODEC_8,
    CODEC_8_EXTENDED,
    IGNITION,
    LOW_VOLTAGE_MV,
    Moment,
    TeltonikaTracker,
    encode,
)
from station_agent.core.device_events import (
    CabinetSeen,
    CardRead,
    DeviceEvent,
    KeypadPressed,
    LockPulsed,
    ReaderSignal,
    VehicleTold,
)
from station_agent.drivers.base import Codec
from station_agent.drivers.kerong import frames as kerong
from station_agent.drivers.kerong.cabinet import KerongCabinet
from station_agent.drivers.kerong.wiring import CabinetWiring as KerongWiring
from station_agent.drivers.kerong.wiring import SlotWiring as KerongSlotWiring
from station_agent.drivers.modbus import frames as modbus
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.wiring import CabinetWiring, SlotWiring
from station_agent.drivers.osdp import framing
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.messages import Reply
from station_agent.drivers.osdp.panel import OsdpPanel
from station_agent.drivers.rdm6300 import TAGS_MAX, Rdm6300Reader
from station_agent.drivers.teltonika import frames as teltonika
from station_agent.drivers.teltonika.receiver import REMEMBERED_MAX, TeltonikaReceiver

SLOTS: Final = 4
KEY: Final = bytes(range(16))
START_MS: Final = 1_700_000_000_000
POWER_FROM: Final = 128  # faults from this number on switch the devices off and on
BOOKKEEPING: Final = 200  # flags, counters, orders, why a device is lost: thrice what was seen (60), not what came


class AskedSubject:
    """What is the same where devices speak only when they are asked. `faults`: attribute, ill, well."""

    codec: Codec
    baud_rate = 9600
    held_max = BOOKKEEPING
    bodies: tuple[bytes, ...] = ()
    devices: tuple[object, ...] = ()
    faults: tuple[tuple[str, object, object], ...] = ()

    @property
    def speaks_at_us(self) -> int | None:
        return None

    def speak(self, now_us: int) -> bytes:
        raise AssertionError("nobody speaks unasked")

    def misbehave(self, body: bytes) -> None:
        """Nothing but what `frame` can say."""

    def fault(self, now_us: int, number: int) -> None:
        if number >= POWER_FROM:
            self.power_cycle(now_us)
        elif self.faults:
            name, ill, _ = self.faults[number % len(self.faults)]
            for device in self.devices:
                setattr(device, name, ill)

    def mend(self) -> None:
        for name, _, well in self.faults:
            for device in self.devices:
                setattr(device, name, well)

    def power_cycle(self, now_us: int) -> None:
        """A device without a memory notices nothing."""

    def order(self, number: int) -> None:
        """None is taken."""

    def check(self, event: DeviceEvent) -> None:
        """Anything can be."""


class LockSubject(AskedSubject):
    """A cabinet of SLOTS slots: what happens is that keys come and go, and orders pulse locks."""

    codec: ModbusCabinet | KerongCabinet
    devices: tuple[ModbusBoard, ...] | tuple[KerongBoard, ...]

    def __init__(self) -> None:
        self.orders = 0
        self.pulses = 0
        self._pattern = 0

    def reply(self, now_us: int, data: bytes) -> bytes:
        return b"".join(board.receive(now_us, data) for board in self.devices)

    def power_cycle(self, now_us: int) -> None:
        for board in self.devices:
            board.power_cycle(now_us)

    def order(self, number: int) -> None:
        self.orders += 1
        self.codec.release(number % SLOTS + 1, again=number >= 128)

    def show(self, now_us: int, number: int) -> None:
        self._pattern = (self._pattern + 1 + number % 3) % (1 << SLOTS)
        for slot in range(SLOTS):
            self.set_key(slot, bool(self._pattern >> slot & 1))

    def set_key(self, slot: int, is_there: bool) -> None:
        raise NotImplementedError

    def has_told(self, events: list[DeviceEvent], number: int) -> bool:
        wanted = [bool(self._pattern >> slot & 1) for slot in range(SLOTS)]
        seen = [event for event in events if isinstance(event, CabinetSeen)]
        return bool(seen) and [slot.key_present for slot in seen[-1].slots] == wanted

    def check(self, event: DeviceEvent) -> None:
        assert self.pulses <= self.orders, "a lock got current that nobody had ordered"
        if isinstance(event, LockPulsed):
            assert 1 <= event.slot <= SLOTS, f"slot {event.slot} is not on this bus"

    def _pulsed(self, *_: object) -> None:
        self.pulses += 1


class ModbusSubject(LockSubject):
    held_max = BOOKKEEPING + modbus.ADU_MAX
    bodies = (b"\x01\x82\x02", b"\x01\x02\x01\x0f", b"\x01\x85\x05", b"\x01\x05\x02\x00\x00\x07")
    faults = (
        ("mute", True, False),
        ("bad_crc", True, False),
        *(("exception", code, 0) for code in (2, 4, 5)),
    )

    local_echo = False

    def __init__(self) -> None:
        super().__init__()
        slots = tuple(SlotWiring(slot=n + 1, lock=(1, n), key=(1, n), door=(2, n)) for n in range(SLOTS))
        self.codec = ModbusCabinet(CabinetWiring(slots=slots, local_echo=self.local_echo))
        self.devices: tuple[ModbusBoard, ...] = (ModbusBoard(1, on_pulse=self._pulsed), ModbusBoard(2, 0))

    def frame(self, body: bytes) -> bytes:
        return modbus.with_crc(body)

    def set_key(self, slot: int, is_there: bool) -> None:
        self.devices[0].set_input(slot, is_there)


class EchoSubject(ModbusSubject):
    """Its adapter hands back what it sends, and the codec knows it."""

    local_echo = True

    def reply(self, now_us: int, data: bytes) -> bytes:
        return data + super().reply(now_us, data)


class KerongSubject(LockSubject):
    baud_rate = 19200
    held_max = BOOKKEEPING + kerong.INPUT_MAX + 1
    bodies = (b"\x00\x35\xff\xff\x00\x00", b"\x10\x35\xff\xff\x00\x00", b"\x00\x38\x00\x37", b"\x00\x30")
    faults = (
        ("mute", True, False),
        ("is_silent_on_unlock", True, False),
        ("is_silent_on_query", True, False),
        ("bad_sum", True, False),
        ("garbage", True, False),
        ("left_over", 9, 0),
        ("is_busy", True, False),
        ("busy_after_unlock", True, False),
        ("cut", 3, 0),
        ("names_lock", True, False),
    )

    def __init__(self) -> None:
        super().__init__()
        slots = tuple(KerongSlotWiring(slot=n + 1, board=n % 2, lock=n // 2) for n in range(SLOTS))
        self.codec = KerongCabinet(KerongWiring(slots=slots))
        self.devices: tuple[KerongBoard, ...] = tuple(KerongBoard(n, on_unlock=self._pulsed) for n in range(2))

    def frame(self, body: bytes) -> bytes:
        address, command, *data = (*body, 0, 0) if len(body) < 2 else body
        return kerong.framed(address, command, bytes(data))

    def set_key(self, slot: int, is_there: bool) -> None:
        self.devices[slot % 2].set_infrared(slot // 2, is_there)


class StrangeReader(OsdpReader):
    """It has the key, and sometimes says in the session what no reader says."""

    strange: tuple[int, bytes] | None = None

    def _poll(self, now_us: int, payload: bytes) -> tuple[int, bytes]:
        strange, self.strange = self.strange, None
        return strange or super()._poll(now_us, payload)


class OsdpSubject(AskedSubject):
    """One reader that has the panel's key; whoever has not must not be believed."""

    codec: OsdpPanel
    baud_rate = 38400
    held_max = BOOKKEEPING + 3 * framing.FRAME_BYTES_MAX  # less than two frames held, one sent
    faults = (("install_mode", True, False),)
    bodies = (
        *(bytes((sequence, Reply.NAK, 0, reason)) for sequence in range(4) for reason in (1, 4, 6)),
        bytes((0, Reply.BUSY, 0)),
        bytes((1, Reply.RAW, 0, 0, 0, 8, 0, 0xAA)),
        bytes((Reply.RAW, 0, 0, 8, 0, 0xAA)),
        bytes((Reply.KEYPAD, 0, 2, 0x31, 0x0D)),
        bytes((Reply.LSTATR, 1, 1)),
        bytes((Reply.NAK, 3)),
        bytes((Reply.PDCAP, 4, 0, 0)),
    )

    def __init__(self) -> None:
        randomness = random.Random("osdp subject").randbytes
        self.codec = OsdpPanel((OsdpReaderConfig("reader", 1, KEY),), self.baud_rate, randomness)
        self._reader = StrangeReader(1, KEY, randomness)
        self.devices = (self._reader,)
        self._shown: set[bytes] = set()
        self._said_strange = False

    def reply(self, now_us: int, data: bytes) -> bytes:
        return self._reader.receive(now_us, data)

    def frame(self, body: bytes) -> bytes:
        """The first byte is the sequence, the code, then whether there is a security block, then it."""
        head, code, security_size, *rest = (*body, *bytes(3)) if len(body) < 3 else body
        size = security_size % 8 if head & 4 else 0
        security = bytes((size, *rest[: size - 1])) if size >= 2 else b""
        payload = bytes(rest[max(size - 1, 0) :])[: framing.FRAME_BYTES_MAX - 32]
        return framing.encode(1 | framing.REPLY_BIT, head & 3, code, payload, security)

    def misbehave(self, body: bytes) -> None:
        if body:
            self._said_strange |= body[0] in {Reply.RAW, Reply.KEYPAD}
            self._reader.strange = body[0], body[1 : framing.FRAME_BYTES_MAX - 64]

    def power_cycle(self, now_us: int) -> None:
        self._reader.power_cycle()

    def order(self, number: int) -> None:
        signals = tuple(ReaderSignal)
        self.codec.indicate("reader", signals[number % len(signals)])

    def show(self, now_us: int, number: int) -> None:
        data = number.to_bytes(4)
        self._shown.add(data)
        self._reader.show_card(32, data)

    def has_told(self, events: list[DeviceEvent], number: int) -> bool:
        return CardRead("reader", 32, number.to_bytes(4)) in events

    def check(self, event: DeviceEvent) -> None:
        if self._said_strange:
            return
        if isinstance(event, CardRead):
            assert event.data in self._shown, "a card that nobody showed"
        assert not isinstance(event, KeypadPressed), "keys that nobody pressed"


class TalkerSubject(AskedSubject):
    """What is the same where a device speaks unasked."""

    device: Rdm6300Device | TeltonikaTracker

    def reply(self, now_us: int, data: bytes) -> bytes:
        return self.device.receive(now_us, data)

    @property
    def speaks_at_us(self) -> int | None:
        return self.device.wake_at_us

    def speak(self, now_us: int) -> bytes:
        return self.device.elapsed(now_us)


class Rdm6300Subject(TalkerSubject):
    """One tag at a time is in the field, or none."""

    held_max = BOOKKEEPING + 14 + 8 * TAGS_MAX  # a frame begun, and each tag with its time
    bodies = (b"\x01\x00\x07\x34\xe0",)
    faults = (("noise", b"\x02\x30", b""), ("cut_to", 9, None), ("bad_checksum", True, False))

    def __init__(self) -> None:
        self.codec = Rdm6300Reader("tags")
        self.device: Rdm6300Device = Rdm6300Device()
        self.devices = (self.device,)

    def frame(self, body: bytes) -> bytes:
        return frame_of(body[:5].ljust(5, b"\x00"))

    def show(self, now_us: int, number: int) -> None:
        for tag in self.device.tags:
            self.device.remove(tag)
        self.device.hold(now_us, number.to_bytes(5))

    def has_told(self, events: list[DeviceEvent], number: int) -> bool:
        return CardRead("tags", 40, number.to_bytes(5)) in events

    def check(self, event: DeviceEvent) -> None:
        if isinstance(event, CardRead):
            size = event.bit_count, len(event.data)
            assert size == (40, 5), f"a tag of {size[0]} bits in {size[1]} bytes"


class TeltonikaSubject(TalkerSubject):
    """A tracker that notes something now and then, and sends it until it is acknowledged."""

    baud_rate = 115_200
    held_max = BOOKKEEPING + teltonika.PACKET_BYTES_MAX + 8 * REMEMBERED_MAX
    faults = (
        ("wrong_crc", True, False),
        ("cut_to", 30, None),
        ("deaf", True, False),
        ("before_first_fix", True, False),
        ("codec", CODEC_8_EXTENDED, CODEC_8),
    )
    bodies = tuple(
        encode(codec, [Moment(START_MS - 1, {IGNITION: 1, LOW_VOLTAGE_MV: 12_000, 300: b"VIN"}, (50.6, 3.1))])[8:-4]
        for codec in (CODEC_8, CODEC_8_EXTENDED)
    )

    def __init__(self) -> None:
        self.codec = TeltonikaReceiver("car")
        self.device: TeltonikaTracker = TeltonikaTracker(CODEC_8, imei="356307042441013")
        self.devices = (self.device,)
        self._noted = 0

    def power_cycle(self, now_us: int) -> None:
        self.device.power_cycle(now_us)

    def frame(self, body: bytes) -> bytes:
        body = body or b"\x08"
        return bytes(4) + len(body).to_bytes(4) + body + teltonika.crc16(body).to_bytes(4)

    def show(self, now_us: int, number: int) -> None:
        self._noted += 1
        self.device.note(now_us, Moment(START_MS + self._noted, {IGNITION: 0}))

    def has_told(self, events: list[DeviceEvent], number: int) -> bool:
        times = [event.tracker_ms for event in events if isinstance(event, VehicleTold)]
        return START_MS + self._noted in times

    def check(self, event: DeviceEvent) -> None:
        if isinstance(event, VehicleTold):
            assert event.vehicle == "car", f"another vehicle's line: {event.vehicle}"


SUBJECTS: Final[dict[str, Callable[[], Subject]]] = {
    "modbus": ModbusSubject,
    "modbus-echo": EchoSubject,
    "kerong": KerongSubject,
    "osdp": OsdpSubject,
    "rdm6300": Rdm6300Subject,
    "teltonika": TeltonikaSubject,
}
