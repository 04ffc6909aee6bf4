"""Every fault that the devices and lines of a cabinet can show (design: the fault lists of each protocol)."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from simulator.cabinet.any_bench import AnyBench
from simulator.cabinet.bench import TAG_LINE, TRACKER
from simulator.cabinet.faults import End, Fault
from simulator.cabinet.words import octets, one_of, whole
from simulator.devices.kerong_board import SENT_MAX, KerongBoard
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.osdp_values import KeyFault
from simulator.devices.paced_pty import PacedPty
from simulator.devices.rdm6300_reader import TAG_BYTES, Rdm6300Device, frame_of
from simulator.devices.switched import Switched
from simulator.devices.teltonika_tracker import TeltonikaTracker
from simulator.network.wiring import LOCK_LINE, READER_ADDRESS, READER_LINE, RETURN_READER
from simulator.world.cabinet import Contact, ContactChanged
from station_agent.drivers.kerong.frames import STATUS_REPLY_SIZE
from station_agent.drivers.osdp import framing
from station_agent.drivers.osdp.messages import Command

CABINET_DEVICE: Final = "cabinet"
LATE_MS_MAX: Final = 10_000  # five times the lateness that the station's own driver is proof against
BOUNCE_S: Final = 0.003  # contacts rattle for some milliseconds
BOUNCES: Final = 6
INTRUSION_S: Final = 0.2  # a second panel that seeks its readers
OTHER_TAG: Final = bytes.fromhex("01DEADBEEF")
TAG_FRAME: Final = len(frame_of(OTHER_TAG))
PACKET_MAX: Final = 1280  # bytes of a tracker's packet

LATE: Final = ("late", "answers so much later")


@dataclass(frozen=True, slots=True)
class _Amount:
    """A whole number that a fault wants."""

    what: str
    low: int
    high: int

    def read(self, word: str) -> int:
        return whole(self.what, word, self.low, self.high)


def menu(bench: AnyBench) -> dict[str, tuple[Fault, ...]]:
    """What each device and each line can suffer from, by name."""
    faults = {CABINET_DEVICE: tuple(_mechanics(bench))}
    for name, board in bench.locks.boards.items():
        own = _modbus(bench, board) if isinstance(board, ModbusBoard) else _kerong(bench, board)
        faults[name] = (*own, *_twin(bench.locks.twins.get(name)))
    for name, reader in bench.readers.items():
        faults[name] = (*_osdp(reader), *_twin(bench.reader_twins.get(name)))
    if bench.tag_reader is not None:
        faults[RETURN_READER] = tuple(_rdm6300(bench, bench.tag_reader))
    if bench.tracker is not None:
        faults[TRACKER] = tuple(_teltonika(bench, bench.tracker))
    for line, port in bench.ports.items():
        faults[line] = tuple(_line(line, port))
    return faults


# --- ways to be wrong


def _set(owner: object, attribute: str, value: object) -> End:
    """Sets an attribute; what it was before is what ends it."""
    before = getattr(owner, attribute)
    setattr(owner, attribute, value)
    return lambda: setattr(owner, attribute, before)


def _switch(owner: object, attribute: str, name: str, what: str) -> Fault:
    return Fault(name, what, lambda _words: _set(owner, attribute, True))


def _measure(owner: object, attribute: str, told: tuple[str, str], amount: _Amount) -> Fault:
    name, what = told
    return Fault(name, what, lambda words: _set(owner, attribute, amount.read(words[0])), takes=f"<{amount.what}>")


def _once(name: str, what: str, do: Callable[[], None]) -> Fault:
    def begin(_words: list[str]) -> None:
        do()

    return Fault(name, what, begin)


def _twin(twin: Switched | None) -> Iterator[Fault]:
    if twin is not None:
        yield _switch(twin, "is_on", "twin", "another device answers at its address too")


# --- what each kind of device is known for


def _mechanics(bench: AnyBench) -> Iterator[Fault]:
    def slot_of(word: str) -> int:
        return whole("slot", word, 1, bench.slots)

    def stick(words: list[str]) -> End:
        slot = slot_of(words[0])
        bench.cabinet.set_stuck(slot, stuck=True)
        return lambda: bench.cabinet.set_stuck(slot, stuck=False)

    def bounce(words: list[str]) -> None:
        slot = slot_of(words[0])
        contact = Contact(one_of("contact", words[1] if len(words) > 1 else "door", Contact))
        for turn in range(BOUNCES):
            bench.later((turn + 1) * BOUNCE_S, partial(_rattle, bench, slot, contact, flips=turn % 2 == 0))

    stuck = "its lock gets current and its door stays shut"
    yield Fault("stuck", stuck, stick, takes="<slot>", each=True)
    yield Fault("bounce", "its contact rattles for some milliseconds", bounce, takes="<slot> [key|door]")


def _rattle(bench: AnyBench, slot: int, contact: Contact, *, flips: bool) -> None:
    """Shows a contact as it is, or as it is not."""
    cabinet = bench.cabinet
    is_on = cabinet.key_in(slot) is not None if contact is Contact.KEY else cabinet.is_open(slot)
    bench.locks.apply(ContactChanged(slot, contact, is_on != flips))


def _modbus(bench: AnyBench, board: ModbusBoard) -> Iterator[Fault]:
    yield _switch(board, "mute", "silent", "hears nothing and does nothing")
    yield _measure(board, "late_ms", LATE, _Amount("ms", 1, LATE_MS_MAX))
    yield _switch(board, "bad_crc", "bad-crc", "does what it is told and spoils each answer's checksum")
    refuses = ("exception", "does nothing and answers with this exception code")
    yield _measure(board, "exception", refuses, _Amount("code", 1, 255))
    yield _once("reset", "starts anew, all relays off", lambda: board.power_cycle(bench.line_clock.now_us()))


def _kerong(bench: AnyBench, board: KerongBoard) -> Iterator[Fault]:
    yield _switch(board, "mute", "silent", "hears nothing and does nothing")
    yield _measure(board, "late_ms", LATE, _Amount("ms", 1, LATE_MS_MAX))
    yield _switch(board, "is_silent_on_unlock", "no-answer-to-unlock", "opens its locks without an answer")
    yield _switch(board, "is_silent_on_query", "no-answer-to-query", "does not know the query 0x38")
    yield _measure(
        board, "cut", ("cut", "each reply lacks so many bytes at its end"), _Amount("bytes", 1, STATUS_REPLY_SIZE)
    )
    yield _switch(board, "etx_inside", "etx-inside", "shows 03, the end mark, where infrared 9 to 16 are")
    yield _switch(board, "bad_sum", "wrong-sum", "does what it is told and spoils each reply's SUM")
    yield _switch(board, "garbage", "garbage", "its replies come as if at half the baud rate")
    again = ("leftovers", "so many bytes of what it sent before come again in front of each reply")
    yield _measure(board, "left_over", again, _Amount("bytes", 1, SENT_MAX))
    yield _switch(board, "is_busy", "busy", "answers nothing until it gets the query 0x38")
    yield _switch(board, "busy_after_unlock", "busy-after-unlock", "is busy after each unlock, until the query")
    yield _switch(board, "names_lock", "names-lock", "its reply to an unlock has the lock's address")
    yield _switch(board, "hooks_stay_closed", "hooks-closed", "shows every hook closed, also while a key leaves")
    yield _once("reset", "starts anew", lambda: board.power_cycle(bench.line_clock.now_us()))


def _osdp(reader: OsdpReader) -> Iterator[Fault]:
    def contact(change: Callable[[bool], None]) -> Callable[[list[str]], End]:
        def begin(_words: list[str]) -> End:
            change(True)
            return partial(change, False)

        return begin

    def power_lost(words: list[str]) -> End:
        when = one_of("when", words[0], ("before", "after"))
        return _set(reader, "key_fault", KeyFault(when))

    yield _switch(reader, "mute", "mute", "hears nothing and says nothing")
    yield _once("power-cycle", "starts anew", reader.power_cycle)
    yield _switch(reader, "has_other_key", "wrong-key", "has another key than its panel")
    yield _switch(reader, "install_mode", "install-mode", "takes the public key, as one fresh from the box")
    public = "opens under the public key too, for whoever asks, when it has its own"
    yield _switch(reader, "takes_public_key_too", "public-key-too", public)
    yield _switch(reader, "swipes_twice", "duplicate-swipe", "reads each card twice")
    yield Fault(
        "no-keys", "takes no key: refuses KEYSET", lambda _words: _set(reader, "key_fault", KeyFault.REFUSED)
    )
    lost = "its power fails over the next key, before or after it keeps it"
    yield Fault("power-lost-at-key", lost, power_lost, takes="<before|after>")
    yield Fault("tamper", "its housing is open", contact(reader.set_tamper))
    yield Fault("power-failed", "says that its power failed", contact(reader.set_power_failed))


def _rdm6300(bench: AnyBench, device: Rdm6300Device) -> Iterator[Fault]:
    def noise(words: list[str]) -> End:
        return _set(device, "noise", octets("noise", words[0], 1, 64))

    def linger(_words: list[str]) -> End:
        assert bench.tags is not None, "it belongs to this reader"
        bench.tags.tags_stay = True
        return bench.tags.put_away

    def second(words: list[str]) -> End:
        tag = octets("tag", words[0], TAG_BYTES, TAG_BYTES) if words else OTHER_TAG
        if tag not in device.tags:
            device.hold(bench.line_clock.now_us(), tag)
            bench.ports[TAG_LINE].changed()
        return lambda: device.remove(tag) if tag in device.tags else None

    yield Fault("noise", "sends these bytes before each frame", noise, takes="<hex>")
    cut = ("cut", "each frame ends after so many bytes")
    yield _measure(device, "cut_to", cut, _Amount("bytes", 1, TAG_FRAME - 1))
    yield _switch(device, "bad_checksum", "bad-checksum", "each frame has the checksum of another tag")
    yield Fault("endless", "a tag that is shown stays there, and is repeated without end", linger)
    yield Fault("two-tags", "another tag is in the field too, and they take turns", second, takes="[tag]")


def _teltonika(bench: AnyBench, tracker: TeltonikaTracker) -> Iterator[Fault]:
    yield _switch(tracker, "wrong_crc", "wrong-crc", "each packet has another CRC")
    yield _measure(
        tracker, "cut_to", ("cut", "each packet ends after so many bytes"), _Amount("bytes", 1, PACKET_MAX)
    )
    yield _switch(tracker, "deaf", "deaf", "no answer reaches it: it sends the same again and again")
    yield _switch(tracker, "before_first_fix", "before-first-fix", "its clock says 2004, and it has no position")
    yield _switch(tracker, "without_fix", "without-fix", "it has no position")
    yield _switch(tracker, "zero_volts", "zero-volts", "says 0 V of the car's battery")
    yield _once("power-cycle", "starts anew", lambda: tracker.power_cycle(bench.line_clock.now_us()))


def _line(name: str, port: PacedPty) -> Iterator[Fault]:
    def noise(words: list[str]) -> End:
        return _set(port, "noisy", whole("percent", words[0], 1, 100) / 100)

    def pull(_words: list[str]) -> End:
        port.unplug()
        return port.replug

    yield Fault("noise", "so many of a hundred pieces, either way, have a bit changed", noise, takes="<percent>")
    yield Fault("pulled", "its adapter is pulled: the port is gone", pull)
    if name in {LOCK_LINE, READER_LINE}:
        yield _switch(port.wire, "echo", "echo", "its adapter hands back what is sent")
    if name == READER_LINE:
        yield Fault(
            "second-panel", "another panel seeks the readers on the same bus", lambda _words: _intrude(port)
        )


def _intrude(port: PacedPty) -> End:
    """Asks each reader anew who it is, which ends its session, until it is told to stop."""
    questions = [framing.encode(address, 0, Command.ID, b"\x00") for address in READER_ADDRESS.values()]

    async def seek() -> None:
        while True:
            for question in questions:
                port.intrude(question)
                await asyncio.sleep(INTRUSION_S)

    seeking = asyncio.get_running_loop().create_task(seek())

    def stop() -> None:
        seeking.cancel()

    return stop
