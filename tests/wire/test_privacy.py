"""What a real agent leaves behind after a day of members: digests and references, and nothing of a person.

Every file in its folder, its log at debug level, all that passed the broker, its pages, traces and metrics are
searched for numbers of cards and tags, PINs, members, and places (domain.md, P1, P2, P6 and P7).
"""

import asyncio
import base64
import json
import re
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.facts import AccessRefused, KeyReturned
from contract.places import Place, Position
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.core.grants import Badge, Box, FleetKey, Material, Right, desired_content
from dispatcher.core.rules import FleetRules
from simulator.network.model import CALYPSO, MIFARE_7, Card
from simulator.network.wiring import BADGE_READER
from simulator.world.record import Deed, What
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto_program
from tests.wire.station import DIGEST_KEY, HOUR_MS, Station, at_broker, eventually_facts
from tests.wire.test_agent import metrics
from tests.wire.test_onsite import listen, page
from tests.wire.test_vehicle_messages import publish

PASS = Card(CALYPSO.name, CALYPSO.bits, bytes.fromhex("C1A5E77E5ECAB1E5"))
STAFF = Card(MIFARE_7.name, MIFARE_7.bits, bytes.fromhex("04D15EA5EDBEEF"))
STRANGER = Card(CALYPSO.name, CALYPSO.bits, bytes.fromhex("5CA1AB1E0DDBA11F"))
PIN, WRONG_PIN = "80417263", "80417264"  # of 8 digits: four are found in any file
MEMBER, NAME = "member-ann-lambert", "Ann Lambert"
STATION = Place(50.6366, 3.0706)
DRIVING, PARKED = Position(latitude=50.648713, longitude=3.091827), Position(latitude=50.659143, longitude=3.082719)
RULES = FleetRules(pin_digits=8, second_tap_s=0)  # whoever taps soon after a return wants the key again


@dataclass
class Day:
    """A station whose broker somebody listens to."""

    station: Station
    broker: Mosquitto
    heard: Path

    async def want(self) -> None:
        """The wanted state as the dispatcher makes it: Ann with two badges, one of them with a PIN."""
        station, now_ms = self.station, self.station.now().at_ms
        first = station.vehicles[0]
        right = Right(
            "booking-1", first.key.id, BookingState.BOOKED, now_ms - HOUR_MS, now_ms + HOUR_MS, now_ms + HOUR_MS,
            (MEMBER,), 1,
        )  # fmt: skip
        badges = (
            Badge("ref-pass", MEMBER, PASS.credential, revoked=False),
            Badge("ref-staff", MEMBER, STAFF.credential, revoked=False, pin=PIN),
        )
        fleet = [
            FleetKey(
                one.key.id, one.id, station.cabinet, one.key.home_slot, (one.key.tag.credential,), blocked=False,
                home=STATION,
            )
            for one in station.vehicles
        ]  # fmt: skip
        box = Box(station.cabinet, DIGEST_KEY, station.centre.presences[-1].boot_nonce)
        content = desired_content(box, Material((right,), frozenset({MEMBER}), badges), fleet, RULES, now_ms)
        station.centre.version += 1
        await station.centre.say(content.model_copy(update={"version": station.centre.version}))
        await station.ready()

    def key_in(self, digits: str) -> None:
        assert self.station.site.press(BADGE_READER, digits, Deed(What.PIN_KEYED, "somebody", reader=BADGE_READER))

    async def refused(self, reason: Reason) -> None:
        def reasons() -> list[Reason]:
            return [fact.reason for fact in self.station.centre.facts() if isinstance(fact, AccessRefused)]

        await eventually(lambda: reason in reasons(), within_s=10)

    def tell(self, position: Position, ignition: int, number: int) -> None:
        """The first vehicle's tracker speaks."""
        latlng = f"{position.latitude:.6f},{position.longitude:.6f}"
        told = {"ts": self.station.now().at_ms, "latlng": latlng, "239": ignition, "16": 1_000_000 + number}
        publish(self.broker, self.station.vehicles[0].id, json.dumps({"state": {"reported": told}}))

    def shown_position(self) -> Position | None:
        states = {state.vehicle: state.position for state in self.station.centre.reports[-1].vehicles}
        return states.get(self.station.vehicles[0].id)

    async def live(self) -> None:
        station = self.station
        listen(station, "locks", "readers-1")
        await station.show(STAFF)
        await asyncio.sleep(0.6)  # as long as a hand needs from the card to the keys
        self.key_in(WRONG_PIN)
        await self.refused(Reason.WRONG_PIN)
        await station.show(STAFF)
        await asyncio.sleep(0.6)
        self.key_in(PIN)
        await station.until_open(1)
        await station.take(1)
        self.tell(DRIVING, 1, 1)
        self.tell(PARKED, 0, 2)
        await eventually(lambda: "station_agent_vehicle_reports_total 2.0" in metrics(station), within_s=10)
        await station.show(STRANGER)
        await self.refused(Reason.UNKNOWN_BADGE)
        await station.bring_back(station.vehicles[0], 1)
        await eventually(lambda: self.shown_position() == PARKED, within_s=10)
        publish_garbage(self.broker, station.cabinet, f"{NAME} {PASS.credential} {PIN}")
        await eventually(lambda: b'"malformed"' in page(station, "status"), within_s=10)

    async def take_again(self) -> None:
        """The next take, by the badge that needs no PIN."""
        await self.station.show(PASS)
        await self.station.until_open(1)
        await self.station.take(1)
        await eventually(lambda: self.shown_position() is None, within_s=10)


def publish_garbage(broker: Mosquitto, cabinet: str, text: str) -> None:
    topic = f"carshare/v1/cabinets/{cabinet}/desired"
    command = [mosquitto_program("mosquitto_pub"), "-p", str(broker.port), "-q", "1", "-t", topic, "-m", text]
    subprocess.run(command, check=True, capture_output=True)


@asynccontextmanager
async def day(folder: Path) -> AsyncIterator[Day]:
    """Lived through up to the return, with somebody who records all that passes the broker."""
    (folder / "broker").mkdir()
    (folder / "box").mkdir()
    broker = Mosquitto(folder / "broker")
    await broker.start()
    station = Station(folder / "box", broker.port)
    text = station.config.read_text()
    assert 'level = "info"' in text
    station.config.write_text(text.replace('level = "info"', 'level = "debug"'))
    heard = folder / "heard"
    command = [mosquitto_program("mosquitto_sub"), "-p", str(broker.port), "-V", "5", "-t", "#", "-F", "%t %p"]
    with heard.open("wb") as file:
        onlooker = subprocess.Popen(command, stdout=file)  # noqa: ASYNC220  # it runs beside the test
    try:
        async with at_broker(station, broker, PASS):
            this = Day(station, broker, heard)
            await this.want()
            await this.live()
            yield this
    finally:
        onlooker.terminate()
        onlooker.wait()
        broker.stop()


# --- what to look for, and where


def of_cards(*cards: Card) -> Iterator[bytes]:
    """A card's number in every form in which programs write numbers."""
    for card in cards:
        for data in (card.data, card.data[::-1]):
            yield data
            yield data.hex().encode()
            yield data.hex(" ").encode()
            yield str(int.from_bytes(data)).encode()
            yield base64.urlsafe_b64encode(data).rstrip(b"=")


def of_people(station: Station) -> set[bytes]:
    tags = (vehicle.key.tag for vehicle in station.vehicles)
    words = {*of_cards(PASS, STAFF, STRANGER, *tags), PIN.encode(), WRONG_PIN.encode()}
    return words | {MEMBER.encode(), NAME.encode()}


PLACES = {str(degrees).encode() for place in (DRIVING, PARKED) for degrees in (place.latitude, place.longitude)}


def found(words: set[bytes], data: bytes) -> set[bytes]:
    """Words in some bytes, also where they are inside of base64 in them, as in signed messages."""
    tokens = re.findall(rb"[A-Za-z0-9_-]{24,}", data)
    inside = [base64.urlsafe_b64decode(token + b"=" * (-len(token) % 4)) for token in tokens if len(token) % 4 != 1]
    texts = [data.lower(), *inside]
    return {word for word in words for text in texts if word.lower() in text.lower()}


def left_behind(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file, and every value in every table of a database."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        yield path.name, data
        if data.startswith(b"SQLite format 3\0"):
            with sqlite3.connect(path) as database:
                for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  # a name from the schema
                        values = (value if isinstance(value, bytes) else str(value).encode() for value in row)
                        yield f"{path.name}/{table}", b" ".join(values)


def passed(day: Day) -> list[tuple[str, bytes]]:
    """Channel and content of each message."""
    lines = [line.split(b" ", 1) for line in day.heard.read_bytes().splitlines()]
    return [(topic.decode().rpartition("/")[2], payload) for topic, payload in lines]


# --- the tests


@pytest.fixture(autouse=True)
def _a_look_that_finds() -> None:
    """What nothing is found with proves nothing."""
    token = base64.urlsafe_b64encode(b'{"x":"' + PASS.data.hex().encode() + b'"}, and some more').rstrip(b"=")
    assert found(set(of_cards(PASS)), b"head." + token + b".tail")
    assert found({PIN.encode()}, b"pin=" + PIN.encode())


async def test_after_a_day_of_members_nothing_on_the_box_or_on_the_wire_says_who_they_are(tmp_path: Path) -> None:
    async with day(tmp_path) as this:
        station = this.station
        people = of_people(station)
        told = b"".join(page(station, f"trace?line={line}&first=0") for line in ("locks", "readers-1"))
        assert b"keys" in told, "the trace was read while PINs were keyed in"
        shown = {"trace": told, "status": page(station, "status"), "metrics": metrics(station).encode()}
        for name, data in shown.items():
            assert found(people | PLACES, data) == set(), name
        await this.take_again()
        await eventually_facts(station.centre, lambda kinds: kinds.count("key_taken") == 2)
        assert station.terminate() == 0
        returned = next(fact for fact in station.centre.facts() if isinstance(fact, KeyReturned))
        assert returned.at_home is False
        for name, data in left_behind(station.folder):
            assert found(people | PLACES, data) == set(), name
        assert {"journal.sqlite", "agent.log"} <= {path.name for path in station.folder.iterdir()}
        channels = set()
        for channel, payload in passed(this):
            channels.add(channel)
            if not payload.startswith(NAME.encode()):  # what the test itself published
                assert found(people, payload) == set(), channel
        assert {"facts", "desired", "reported", "raw", "acknowledged"} <= channels


async def test_a_position_passes_in_reports_alone_and_in_none_after_the_next_take(tmp_path: Path) -> None:
    async with day(tmp_path) as this:
        counted = 'station_agent_vehicle_faults_total{fault="position_with_ignition_on"} 1.0'
        assert counted in metrics(this.station)
        with_place = {channel for channel, payload in passed(this) if found(PLACES, payload)}
        assert with_place == {"raw", "reported"}
        driven = {str(DRIVING.latitude).encode(), str(DRIVING.longitude).encode()}
        assert {channel for channel, payload in passed(this) if found(driven, payload)} == {"raw"}
        await this.take_again()
        before = len(passed(this))
        await this.station.bring_back(this.station.vehicles[0], 1)
        await eventually(lambda: len(passed(this)) > before + 3, within_s=10)
        assert not any(found(PLACES, payload) for _, payload in passed(this)[before:])
