"""Devices that speak unasked, each on a line of its own beside a real agent: a tag reader and a tracker."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from contract.facts import KeyReturned
from runtime.clocks import SystemClock, SystemLineClock
from simulator.devices.paced_pty import PacedPty
from simulator.devices.rdm6300_reader import Rdm6300Device
from simulator.devices.teltonika_tracker import CODEC_8, Moment, TeltonikaTracker
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto
from tests.wire.station import Station, at_broker, eventually_facts
from tests.wire.test_onsite import BADGE, listen, said_by, tool

TAG_LINE = """
[[tag_readers]]
name = "fob-reader"
device = "{device}"

[[credential_types]]"""
ODOMETER, IGNITION, LOW_VOLTAGE, FUEL = 16, 239, 66, 89


@dataclass
class Talkers:
    """A station with two more lines."""

    station: Station
    clock: SystemLineClock
    tag_reader: Rdm6300Device
    tags: PacedPty
    tracker: TeltonikaTracker
    tracks: PacedPty

    def hold(self, tag: bytes) -> None:
        self.tag_reader.hold(self.clock.now_us(), tag)
        self.tags.changed()

    def note(self, **values: int) -> None:
        names = {"odometer_m": ODOMETER, "ignition": IGNITION, "low_voltage_mv": LOW_VOLTAGE, "percent": FUEL}
        moment = Moment(SystemClock().now_ms(), {names[name]: value for name, value in values.items()})
        self.tracker.note(self.clock.now_us(), moment)
        self.tracks.changed()


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[Talkers]:
    broker = Mosquitto(folder)
    await broker.start()
    station, clock = Station(folder, broker.port), SystemLineClock()
    tag_reader, tracker = Rdm6300Device(), TeltonikaTracker(CODEC_8)
    (folder / "ports").mkdir(exist_ok=True)
    tags = PacedPty.of_talker(folder / "ports" / "tags", tag_reader, clock, baud_rate=9600)
    tracks = PacedPty.of_talker(folder / "ports" / "tracker", tracker, clock, baud_rate=115200)
    text = station.config.read_text()
    text = text.replace("\n[[credential_types]]", TAG_LINE.format(device=tags.link), 1)
    vehicle = station.vehicles[0].id
    text = text.replace(f'id = "{vehicle}"\n', f'id = "{vehicle}"\ndevice = "{tracks.link}"\n')
    station.config.write_text(text)
    tags.open()
    tracks.open()
    try:
        async with at_broker(station, broker, BADGE):
            yield Talkers(station, clock, tag_reader, tags, tracker, tracks)
    finally:
        tags.close()
        tracks.close()
        broker.stop()


async def test_a_key_comes_back_by_the_tag_on_a_line_that_only_sends(tmp_path: Path) -> None:
    async with talking(tmp_path) as talkers:
        station = talkers.station
        key = station.vehicles[0].key
        await station.show(BADGE)
        await station.until_open(1)
        await station.take(1)
        talkers.hold(key.tag.data)
        await station.until_open(1)
        await asyncio.sleep(1)  # the tag is still there, and is told all the time
        talkers.tag_reader.remove(key.tag.data)
        await asyncio.sleep(0.6)
        station.site.apply(station.site.cabinet.hang_key(station.now(), 1, key, "somebody"))
        await station.shut(1)
        await eventually_facts(station.centre, lambda kinds: "key_returned" in kinds and kinds[-1] == "door_closed")
        (returned,) = [fact for fact in station.centre.facts() if isinstance(fact, KeyReturned)]
        assert (returned.key, returned.identity.value) == (key.id, "read")
        assert talkers.tag_reader.frame_count > 10
        assert station.centre.kinds().count("access_granted") == 2, "a tag that is held opens one slot"
        assert "access_refused" not in station.centre.kinds()


async def test_a_tracker_on_a_line_is_acknowledged_and_its_reading_is_in_the_next_report(tmp_path: Path) -> None:
    async with talking(tmp_path) as talkers:
        station, vehicle = talkers.station, talkers.station.vehicles[0].id
        talkers.note(odometer_m=12_345_678, ignition=0, low_voltage_mv=12_400, percent=71)
        talkers.note(odometer_m=12_345_999, ignition=0, low_voltage_mv=0, percent=70)
        await eventually(lambda: not talkers.tracker.kept, within_s=10)
        await station.show(BADGE)  # what happens at the cabinet is reported
        await station.until_open(1)
        await station.take(1)

        def reading() -> tuple[int | None, int | None, int | None]:
            states = {state.vehicle: state.reading for state in station.centre.reports[-1].vehicles}
            found = states.get(vehicle)
            return (found.odometer_m, found.energy_percent, found.low_voltage_mv) if found else (None, None, None)

        await eventually(lambda: reading() == (12_345_999, 70, None), within_s=10)
        status, told, _ = await said_by(tool(station, "monitor", "--once"))
        assert status == 0
        assert re.search(r"ok  tracker-1 .* received", told)
        assert re.search(r"ok  fob-reader +answers", told)


async def test_neither_a_tag_nor_a_position_is_shown_by_trace(tmp_path: Path) -> None:
    async with talking(tmp_path) as talkers:
        key = talkers.station.vehicles[0].key
        listen(talkers.station, "tags-1", "tracker-1")
        talkers.hold(key.tag.data)
        talkers.note(odometer_m=1_000, ignition=0)
        await eventually(lambda: talkers.tag_reader.frame_count > 3 and not talkers.tracker.kept)
        (_, of_tags, _), (_, of_tracker, _) = await asyncio.gather(
            said_by(tool(talkers.station, "trace", "tags-1", "--seconds", "1", "--all")),
            said_by(tool(talkers.station, "trace", "tracker-1", "--seconds", "1")),
        )
        assert re.search(r"<- \d+ bytes from the tag reader, not shown", of_tags)
        assert key.tag.data.hex().upper() not in of_tags.upper().replace(" ", "")
        assert re.search(r"<- \d+ bytes from the tracker, not shown", of_tracker)
        assert "-> an answer to the tracker\n             00 00 00 01" in of_tracker


async def test_the_cable_of_a_talker_is_pulled_and_comes_back_without_touching_the_others(tmp_path: Path) -> None:
    async with talking(tmp_path) as talkers:
        station = talkers.station
        talkers.tags.unplug()
        await eventually_facts(station.centre, lambda kinds: kinds[-1:] == ["device_lost"])
        await station.show(BADGE)
        await station.until_open(1)
        await station.take(1)
        talkers.tags.replug()
        await eventually_facts(station.centre, lambda kinds: "device_back" in kinds, within_s=15)
        talkers.hold(station.vehicles[0].key.tag.data)
        await station.until_open(1)
