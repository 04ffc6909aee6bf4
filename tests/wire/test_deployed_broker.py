"""The access list of deploy/: it is the contract's table, and a box and its centre work under it, others do not."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from contract.asyncapi import asyncapi_document
from contract.topics import DISPATCHER_PRESENCE, MAJOR, TOPICS, VEHICLE_RAW, Author, TopicRule
from simulator.network.lilas import lilas_network
from simulator.network.model import CALYPSO, Card
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto_program
from tests.wire.station import CENTRE_USER, SEED, Station, at_broker

ACL = (Path(__file__).parents[2] / "deploy" / "mosquitto" / "acl").read_text()
PASSWORD = "of-a-test"
BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))
OTHER = "roubaix-canal-1"


def allowed(author: Author) -> dict[str, str]:
    """What the file lets an author do, by channel."""
    boxes_and_trackers, dispatcher = ACL.split("user dispatcher")
    text = dispatcher if author is Author.DISPATCHER else boxes_and_trackers
    lines = [line.split() for line in text.splitlines()]
    rules = {line[2]: line[1] for line in lines if line and line[0] in {"pattern", "topic"}}
    return {
        topic.replace(f"carshare/{MAJOR}/", "").replace("%u", "{id}").replace("+", "{id}"): access
        for topic, access in rules.items()
    }


BETWEEN_BOTH = [rule for rule in TOPICS if rule not in {VEHICLE_RAW, DISPATCHER_PRESENCE}]


@pytest.mark.parametrize("author", [Author.AGENT, Author.DISPATCHER])
@pytest.mark.parametrize("rule", BETWEEN_BOTH, ids=lambda rule: rule.channel)
def test_the_access_list_is_the_contracts_table(rule: TopicRule, author: Author) -> None:
    writes = author in rule.authors
    reads = bool(rule.authors - {author})
    expected = "readwrite" if writes and reads else "write" if writes else "read"
    assert allowed(author)[rule.channel] == expected


def test_a_tracker_writes_its_raw_messages_and_the_dispatcher_its_presence() -> None:
    assert allowed(Author.AGENT)[VEHICLE_RAW.channel] == "write"
    assert VEHICLE_RAW.channel not in allowed(Author.DISPATCHER)
    assert allowed(Author.DISPATCHER)[DISPATCHER_PRESENCE.channel] == "readwrite"


@pytest.mark.parametrize("author", [Author.AGENT, Author.DISPATCHER])
def test_a_program_may_read_what_the_generated_document_says_it_receives(author: Author) -> None:
    document = asyncapi_document()
    addresses = {
        document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]["address"]
        for name, operation in document["operations"].items()
        if name.startswith(f"{author}_receives_")
    }
    not_by_pattern = {VEHICLE_RAW, DISPATCHER_PRESENCE}  # one block per box; nothing waits for it
    readable = {channel for channel, access in allowed(author).items() if access != "write"}
    assert {rule for rule in TOPICS if rule.topic("{namespace}", "{id}") in addresses} - not_by_pattern == {
        rule for rule in TOPICS if rule.channel in readable
    } - not_by_pattern


async def test_a_box_and_its_centre_work_under_the_access_list_and_another_box_cannot_speak_for_it(
    tmp_path: Path,
) -> None:
    network = lilas_network(SEED, 1)
    (cabinet,) = network.cabinets
    users = dict.fromkeys((CENTRE_USER, cabinet, OTHER), PASSWORD)
    trackers = "".join(f"topic read carshare/v1/vehicles/{vehicle.id}/raw\n" for vehicle in network.vehicles)
    broker = Mosquitto(tmp_path, users=users, acl=f"{ACL}\nuser {cabinet}\n{trackers}")
    await broker.start()
    station = Station(tmp_path, broker.port, password=PASSWORD)
    async with at_broker(station, broker, BADGE):
        await station.show(BADGE)
        await station.until_open(1)
        await eventually(lambda: "door_opened" in station.centre.kinds())
        topic = f"carshare/v1/cabinets/{station.cabinet}/facts"
        program = mosquitto_program("mosquitto_pub")
        command = [program, "-V", "5", "-p", str(broker.port), "-u", OTHER, "-P", PASSWORD, "-q", "1"]
        done = await asyncio.to_thread(
            subprocess.run, [*command, "-t", topic, "-m", "x"], capture_output=True, text=True, check=False
        )
        assert "Not authorized" in done.stdout + done.stderr
        assert station.centre.refused == 0
