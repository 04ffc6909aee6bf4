import asyncio
import json

from contract.chain import genesis_hash, next_hash
from contract.envelope import EnvelopeFault
from contract.facts import VehicleReading
from contract.messages import Acknowledged, Desired, FactBatch, Presence, Reported, SlotState, VehicleState
from contract.places import Position
from contract.topics import Author
from runtime.clocks import SystemLineClock
from runtime.link import Incoming
from runtime.mqtt_settings import MqttSettings
from simulator.page.messages import SHOWN_MAX, UNSIGNED, VERIFIED, Messages, observed
from simulator.page.rows import Row, Way
from tests.contract.keys import signer, verify_key

BOX, CENTRE = signer(Author.AGENT, "desk-1", 1), signer(Author.DISPATCHER, "centre", 2)
KEYS = {
    "agent/desk-1": verify_key(Author.AGENT, "desk-1", 1),
    "dispatcher/centre": verify_key(Author.DISPATCHER, "centre", 2),
}
NONCE = "a" * 32


async def told(topic: str, payload: bytes, *, retained: bool = False, cabinet: str = "desk-1") -> list[Row]:
    messages = Messages("carshare", KEYS.get, {"v-0001": "desk-1"}, SystemLineClock())
    messages.heard(Incoming(f"carshare/v1/{topic}", payload, 1, retained))
    return await messages.of(cabinet).follow()()


async def test_a_message_is_checked_and_told_in_words_with_its_content() -> None:
    presence = Presence(cabinet="desk-1", online=True, boot_nonce=NONCE, boot_ms=1, connection=2, version="1")
    (row,) = await told("cabinets/desk-1/presence", BOX.sign(presence), retained=True)
    assert (row.lane, row.way, row.mark) == ("mqtt", Way.SENT, VERIFIED)
    assert row.words == "presence (kept by the broker): online, connection 2 of this boot"
    assert json.loads(row.more)["connection"] == 2
    desired = Desired(cabinet="desk-1", version=7)
    (row,) = await told("cabinets/desk-1/desired", CENTRE.sign(desired))
    assert (row.way, row.words) == (Way.RECEIVED, "desired: version 7: 0 grants, 0 badges, 0 keys")
    assert await told("cabinets/desk-1/desired", CENTRE.sign(desired), cabinet="desk-2") == []


async def test_a_message_that_its_author_did_not_sign_is_told_as_such_without_its_content() -> None:
    forged = Acknowledged(cabinet="desk-1", ledger=NONCE, epoch=NONCE, seq=3, hash="b" * 64)
    (row,) = await told("cabinets/desk-1/acknowledged", signer(Author.DISPATCHER, "centre", 9).sign(forged))
    assert (row.mark, row.more) == (EnvelopeFault.BAD_SIGNATURE, "")
    (row,) = await told("cabinets/desk-1/acknowledged", b"nonsense")
    assert (row.mark, row.more) == (EnvelopeFault.MALFORMED, "")


async def test_facts_are_told_by_their_kinds_and_long_content_is_cut() -> None:
    texts = tuple(json.dumps({"kind": "door_closed", "seq": n, "at_ms": 1, "slot": 1}) for n in range(1, 101))
    last = before = genesis_hash("desk-1", NONCE)
    for text in texts:
        last = next_hash(last, text)
    batch = FactBatch(
        cabinet="desk-1",
        epoch=NONCE,
        epoch_created_ms=1,
        first_seq=1,
        hash_before=before,
        facts=texts,
        last_hash=last,
    )
    (row,) = await told("cabinets/desk-1/facts", BOX.sign(batch))
    assert row.words.startswith("facts: 1 to 100: door_closed, door_closed, ")
    assert len(row.more) < SHOWN_MAX + 100
    assert row.more.endswith("characters more")


async def test_where_a_vehicle_stands_is_shown_nowhere() -> None:
    (row,) = await told("vehicles/v-0001/raw", b"48.0,3.0")
    assert (row.words, row.more, row.mark) == ("raw: 8 bytes of a tracker", "", UNSIGNED)
    reading = VehicleReading(age_s=1)
    vehicle = VehicleState(vehicle="v-0001", reading=reading, position=Position(latitude=50.1, longitude=3.1))
    report = Reported(
        cabinet="desk-1", boot_nonce=NONCE, boot_ms=1, connection=1, revision=1, at_ms=1, epoch=NONCE, seq=1,
        desired_version=0, desired_high_water=0, journal_depth=4, clock_trusted=True,
        slots=(SlotState(slot=1, key_present=True), SlotState(slot=2, key_present=False)), vehicles=(vehicle,),
    )  # fmt: skip
    (row,) = await told("cabinets/desk-1/reported", BOX.sign(report))
    assert row.words == "reported: 1 keys in 2 slots, holds no desired, 4 facts not acknowledged"
    assert "50.1" not in row.more


async def test_an_observer_ends_with_its_block_also_where_that_ends_at_once() -> None:
    messages = Messages("carshare", KEYS.get, {}, SystemLineClock())
    async with asyncio.timeout(5), observed(messages, "carshare", MqttSettings(port=9), SystemLineClock()):
        pass


async def test_a_topic_of_nobody_is_not_kept() -> None:
    assert await told("somewhere/else", b"x") == []
