"""PINs and release codes at a real reader of a real agent, and what is told of them."""

from pathlib import Path

from contract.facts import AccessGranted, AccessRefused, KeyTaken, Purpose
from contract.reasons import Reason
from contract.release_codes import release_code, release_code_key, window_number
from runtime.clocks import SystemClock
from simulator.network.model import CALYPSO, MIFARE_7, Card
from simulator.world.acts import ReaderLight
from tests.wire.station import DIGEST_KEY, eventually_facts, running

STAFF_CARD = Card(MIFARE_7.name, MIFARE_7.bits, bytes(range(1, 8)))
BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))


async def test_a_staff_card_opens_with_its_pin_and_not_without(tmp_path: Path) -> None:
    async with running(tmp_path, STAFF_CARD) as (station, _):
        await station.grant(station.vehicles[0], STAFF_CARD, pin="4711")
        await station.ready()
        await station.show(STAFF_CARD)
        await station.until_light(ReaderLight.PIN)
        await station.key_in("47")
        await station.key_in("12")
        await station.until_light(ReaderLight.AMBER)
        assert station.site.cabinet.open_slots() == ()
        await station.show(STAFF_CARD)
        await station.until_light(ReaderLight.PIN)
        await station.key_in("4711")
        await station.until_open(1)
        await station.take(1)
        await eventually_facts(station.centre, lambda kinds: "key_taken" in kinds)
        facts = station.centre.facts()
        assert [fact.reason for fact in facts if isinstance(fact, AccessRefused)] == [Reason.WRONG_PIN]
        assert [fact.badge for fact in facts if isinstance(fact, AccessGranted)] == ["ref-of-badge"]


async def test_the_hotlines_code_opens_a_slot_while_the_box_has_no_network(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        broker.kill()
        number = window_number(SystemClock().now_ms())
        await station.key_in("11111111")
        await station.until_light(ReaderLight.AMBER)
        await station.key_in(release_code(release_code_key(DIGEST_KEY), 2, number))
        await station.until_open(2)
        await station.take(2)
        await broker.start()
        await eventually_facts(station.centre, lambda kinds: "key_taken" in kinds, within_s=40)
        facts = station.centre.facts()
        (granted,) = [fact for fact in facts if isinstance(fact, AccessGranted)]
        (taken,) = [fact for fact in facts if isinstance(fact, KeyTaken)]
        assert (granted.purpose, granted.slot, granted.code) == (Purpose.RELEASE_CODE, 2, number)
        assert (taken.slot, taken.code, taken.grant) == (2, number, None)
        assert [fact.reason for fact in facts if isinstance(fact, AccessRefused)] == [Reason.WRONG_CODE]
