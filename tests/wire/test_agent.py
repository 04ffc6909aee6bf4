"""One agent as a real process, on real serial bytes and a real broker; the centre is played by the test."""

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import jsonschema
import pytest

from contract.chain import chain_hashes, genesis_hash
from contract.envelope import verify
from contract.facts import AccessRefused, KeyReturned, KeyTaken, parse_fact
from contract.messages import Acknowledged, Command, ReplyOutcome
from contract.reasons import Reason
from contract.schema import schemas
from contract.topics import parse_topic
from simulator.network.model import CALYPSO, Card
from simulator.world.record import What
from station_agent.cli import main
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto_program
from tests.wire.station import Station, eventually_facts, running

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))
STRANGER = Card(CALYPSO.name, CALYPSO.bits, bytes(8))
HANDOVER = ["access_granted", "door_opened", "key_taken", "door_closed"]


async def test_badge_grant_lock_journal_ledger_and_back(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        vehicle = station.vehicles[0]
        await station.show(BADGE)
        await station.until_open(1)
        await station.take(1)
        await station.bring_back(vehicle, 1)
        await eventually_facts(station.centre, lambda kinds: kinds[-1:] == ["door_closed"] and len(kinds) >= 10)
        kinds = [kind for kind in station.centre.kinds() if kind in {*HANDOVER, "key_returned"}]
        assert kinds == [*HANDOVER, "access_granted", "door_opened", "key_returned", "door_closed"]
        taken = next(fact for fact in station.centre.facts() if isinstance(fact, KeyTaken))
        returned = next(fact for fact in station.centre.facts() if isinstance(fact, KeyReturned))
        assert (taken.key, taken.grant, taken.badge) == (vehicle.key.id, "booking-1", "ref-of-badge")
        assert (returned.key, returned.grant, returned.identity.value) == (vehicle.key.id, "booking-1", "read")
        await eventually(lambda: "station_agent_journal_depth 0.0" in metrics(station))
        assert BADGE.data.hex().upper() not in station.log.read_text().upper()
        assert station.terminate() == 0
        await eventually(lambda: not station.centre.presences[-1].online)


async def test_an_onlooker_sees_signed_messages_on_the_topics_of_the_contract(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        program = mosquitto_program("mosquitto_sub")
        command = [program, "-p", str(broker.port), "-V", "5", "-q", "1", "--retain-as-published"]
        command += ["-t", "#", "-F", "%q %r %t %p"]
        with (tmp_path / "seen").open("wb") as seen:
            onlooker = subprocess.Popen(command, stdout=seen)  # noqa: ASYNC220  # it runs beside the test
        try:
            lines: list[list[str]] = []

            def saw(channel: str) -> bool:
                lines[:] = [line.split(" ", 3) for line in (tmp_path / "seen").read_text().splitlines()]
                return any(line[2].endswith(channel) for line in lines)

            await eventually(lambda: saw("/desired") and saw("/reported"))
            await station.show(STRANGER)
            await eventually(lambda: saw("/facts") and saw("/acknowledged"))
        finally:
            onlooker.terminate()
            onlooker.wait()
        for qos, _, topic, payload in lines:
            parsed = parse_topic(topic, "carshare")
            assert parsed is not None, topic
            assert int(qos) == parsed.rule.qos
            message = verify(payload.encode(), parsed, station.centre.find_key)
            schema = json.loads(schemas()[f"{message.kind}.schema.json"])
            jsonschema.validate(json.loads(message.to_json()), schema)
        assert {line[2] for line in lines if line[1] == "1"} == {
            f"carshare/v1/cabinets/{station.cabinet}/{name}"
            for name in ("presence", "reported", "desired", "acknowledged")
        }


async def test_a_stranger_is_refused_and_nothing_moves(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        await station.show(STRANGER)
        await eventually_facts(station.centre, lambda kinds: "access_refused" in kinds)
        refused = next(fact for fact in station.centre.facts() if isinstance(fact, AccessRefused))
        assert refused.reason is Reason.UNKNOWN_BADGE
        assert station.site.cabinet.open_slots() == ()


async def test_without_network_the_right_badge_opens_and_the_facts_arrive_later(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        broker.kill()
        await station.show(BADGE)
        await station.until_open(1)
        await station.take(1)
        assert "key_taken" not in station.centre.kinds()
        await broker.start()
        await eventually_facts(station.centre, lambda kinds: "door_closed" in kinds, within_s=40)
        assert [kind for kind in station.centre.kinds() if kind in HANDOVER] == HANDOVER


async def test_killed_in_the_middle_the_agent_loses_no_fact_and_opens_nothing_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        await station.show(BADGE)
        await station.until_open(1)
        station.kill()
        await station.take(1)  # the member goes on, nobody is watching
        station.start()
        await eventually_facts(station.centre, lambda kinds: "key_taken" in kinds, within_s=20)
        facts = station.centre.facts()
        assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))
        taken = next(fact for fact in facts if isinstance(fact, KeyTaken))
        assert (taken.grant, taken.seen_late) == ("booking-1", True)
        assert station.site.cabinet.open_slots() == ()


async def test_a_ledger_that_does_not_answer_is_sent_everything_again(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        station.centre.acknowledges = False
        await station.show(STRANGER)
        await eventually_facts(station.centre, lambda kinds: "access_refused" in kinds)
        station.centre.acknowledges = True
        broker.kill()
        await broker.start()
        await eventually(lambda: "station_agent_journal_depth 0.0" in metrics(station), within_s=40)
        assert station.centre.kinds().count("access_refused") == 1


async def test_garbage_on_every_topic_is_counted_and_harms_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        base = f"carshare/v1/cabinets/{station.cabinet}"
        topics = [f"{base}/{name}" for name in ("desired", "acknowledged", "commands", "time")]
        tracker = f"carshare/v1/vehicles/{station.vehicles[0].id}/raw"
        for topic in (*topics, tracker):
            for payload in ("garbage", "a.b.c", '{"kind":"desired","version":99}', "\udcff"):
                await asyncio.to_thread(publish_garbage, broker.port, topic, payload)
        counted = 'station_agent_messages_refused_total{reason="malformed"} 16.0'
        await eventually(lambda: counted in metrics(station))
        await station.show(BADGE)
        await station.until_open(1)


async def test_a_box_that_the_ledger_contradicts_starts_a_new_epoch_with_what_is_not_in_common(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        centre = station.centre
        await station.show(STRANGER)
        await eventually_facts(centre, lambda kinds: "access_refused" in kinds)
        before, epoch = list(centre.ledger), centre.epoch
        common = chain_hashes(genesis_hash(station.cabinet, epoch), tuple(before[:2]))[-1]
        contradiction = Acknowledged(
            cabinet=station.cabinet, ledger=centre.ledger_id, epoch=epoch, seq=2, hash=common, conflict=True
        )
        await centre.say(contradiction)
        await eventually(lambda: centre.epoch != epoch and "access_refused" in centre.kinds(), within_s=10)
        assert centre.kinds() == ["epoch_started", *(parse_fact(text).kind for text in before[2:])]
        assert [fact.seq for fact in centre.facts()] == list(range(1, len(centre.ledger) + 1))


async def test_a_command_opens_its_slot_once_however_often_it_is_sent_and_whoever_was_killed(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        centre = station.centre
        slot = station.vehicles[0].key.home_slot
        now_ms = station.now().at_ms
        command = Command(
            cabinet=station.cabinet,
            command="command-1",
            counter=now_ms,
            action="release_slot",
            slot=slot,
            issued_ms=now_ms,
            expires_ms=now_ms + 60_000,
        )
        for _ in range(3):
            await centre.say(command)
        await station.until_open(slot)
        await station.take(slot)
        await eventually_facts(centre, lambda kinds: kinds[-1] == "door_closed")
        taken = next(fact for fact in centre.facts() if isinstance(fact, KeyTaken))
        assert (taken.command, taken.grant) == ("command-1", None)
        station.kill()
        centre.reports.clear()
        station.start()
        await station.ready()
        before = len(centre.replies)
        await centre.say(command)
        await centre.say(command.model_copy(update={"command": "command-2", "counter": now_ms - 1}))
        await eventually(lambda: len(centre.replies) >= before + 2)
        answers = [(reply.command, reply.outcome, reply.reason) for reply in centre.replies]
        assert answers[before:] == [
            ("command-1", ReplyOutcome.COMPLETED, None),
            ("command-2", ReplyOutcome.REFUSED, Reason.OUT_OF_ORDER),
        ]
        assert set(answers[:before]) == {("command-1", ReplyOutcome.COMPLETED, None)}
        assert centre.kinds().count("command_decided") == 1
        assert station.record.count(What.LOCK_PULSED) == 1


async def test_a_journal_that_cannot_be_written_stops_the_agent_with_a_sentence_and_opens_nothing(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        other = sqlite3.connect(tmp_path / "journal.sqlite")
        other.execute("DROP TABLE facts")
        other.commit()
        other.close()
        await station.show(BADGE)
        assert station.process is not None
        status = await asyncio.to_thread(station.process.wait, 10)
        assert status == 2
        last = station.log.read_text().strip().splitlines()[-1]
        assert (
            last == f"station-agent: journal {tmp_path / 'journal.sqlite'}: cannot be written: no such table: facts"
        )
        assert station.site.cabinet.open_slots() == ()


async def test_a_metrics_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    station = Station(tmp_path, 1883)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        station.config.write_text(station.config.read_text().replace("port = 0", f"port = {port}"))
        station.start()
        assert station.process is not None
        status = await asyncio.to_thread(station.process.wait, 10)
    assert status == 2
    assert f"station-agent: http.port: port {port} on 127.0.0.1 is in use" in station.log.read_text()


async def test_a_broker_that_refuses_is_told_and_the_right_badge_opens_all_the_same(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        broker.stop()
        strict = Mosquitto(tmp_path, users={"somebody": "else"}, port=broker.port)
        await strict.start()
        try:
            await eventually(lambda: station.logged("link_down"), within_s=10)
            await eventually(lambda: station.logged("link_down")[-1].get("reason") == "refused", within_s=20)
            await station.show(BADGE)
            await station.until_open(1)
        finally:
            strict.stop()
        await broker.start()


def publish_garbage(port: int, topic: str, payload: str) -> None:
    program = mosquitto_program("mosquitto_pub")
    command = [program, "-p", str(port), "-q", "1", "-t", topic, "-m", payload]
    subprocess.run(command, check=True, capture_output=True)


def metrics(station: Station) -> str:
    with urllib.request.urlopen(station.metrics_url, timeout=5) as answer:  # noqa: S310  # our own, on loopback
        return str(answer.read().decode())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('cabinet = "', 'cabinet = "No Spaces '), ["cabinet", "'No Spaces ", "pattern"]),
        (("baud_rate = 9600", "baud_rate = 12345"), ["locks.baud_rate", "12345", "9600"]),
        (("[http]", "[http]\nprot = 1"), ["http.prot", "did you mean port?"]),
        (('signing_key_file = "box.pem"', 'signing_key_file = "gone.pem"'), ["signing_key_file", "gone.pem"]),
        (("[journal]", "[journal"), ["not TOML", "line"]),
        (('entrance.scbk"', 'return.scbk"'), ["readers[0].readers[1].scbk_file: the same secret as"]),
        (("address = 2", "address = 1"), ["two readers at one address"]),
        (('ports/readers"', 'ports/locks"'), ["lock bus has no authentication"]),
        (('ports/readers"', 'ports/../ports/locks"'), ["lock bus has no authentication"]),
        (('device = "', 'device = "carrier-pigeon://'), ["locks.device", "carrier-pigeon", "pyserial URL"]),
        (('name = "entrance"', 'name = "cabinet"'), ["a reader is named 'cabinet'"]),
        (("[http]", '[http]\nhost = "10.0.0.1"'), ["http.host", "10.0.0.1", "127.0.0.1"]),
    ],
)
def test_a_wrong_configuration_is_named_and_stops_the_program(
    tmp_path: Path, change: tuple[str, str], says: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    station = Station(tmp_path, 1883)
    text = station.config.read_text()
    assert change[0] in text
    station.config.write_text(text.replace(change[0], change[1], 1))
    for verb in ("check-config", "run"):
        assert main([verb, "--config", str(station.config)]) == 2
        said = capsys.readouterr().err
        assert all(word in said for word in says), said


def test_a_wrong_configuration_is_one_line_of_the_program(tmp_path: Path) -> None:
    station = Station(tmp_path, 1883)
    station.config.write_text(station.config.read_text().replace("[journal]", "[journal"))
    command = [sys.executable, "-m", "station_agent", "run", "--config", str(station.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("station-agent: ")


def test_a_good_configuration_is_said_to_be_good(tmp_path: Path) -> None:
    station = Station(tmp_path, 1883)
    command = [sys.executable, "-m", "station_agent", "check-config", "--config", str(station.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert "8 slots, 2 readers, 4 vehicles" in done.stdout
