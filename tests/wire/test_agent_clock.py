"""Nights on which the clocks on the wall are set, boxes in another zone, boxes that begin in another century.

Real processes; only what time it is, and whether the kernel vouches for it, is made up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from contract.facts import AccessRefused, AgentStarted, KeyReturned, KeyTaken
from contract.reasons import Reason
from runtime.clocks import SystemLineClock
from simulator.clocks import ScaledClock
from simulator.network.model import CALYPSO, Card
from tests.runtime.waiting import eventually
from tests.wire.brokers import mosquitto
from tests.wire.station import HOUR_MS, Centre, Station, at_broker

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))
FAR_ZONES = [  # 14 hours before, and 10 after
    pytest.param(zone, marks=pytest.mark.long) for zone in ("Pacific/Kiritimati", "America/Adak")
]
PARIS = ZoneInfo("Europe/Paris")
BEFORE_MS = 12_000  # a start, and a hand that takes a key
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)  # 02:00 in Paris becomes 03:00
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)  # 03:00 in Paris becomes 02:00


def unix_ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def sees_everything(centre: Centre) -> bool:
    return bool(centre.reports) and all(device.online for device in centre.reports[-1].devices)


@asynccontextmanager
async def at_time(folder: Path, start_ms: int, zone: str) -> AsyncIterator[Station]:
    """A station whose clock reads `start_ms` now, its agent told that it lives in this zone."""
    async with mosquitto(folder) as broker:
        station = Station(folder, broker.port, clock=ScaledClock(start_ms, 1.0, SystemLineClock()))
        station.environment["TZ"] = zone
        async with at_broker(station, broker, BADGE):
            yield station


@pytest.mark.parametrize("zone", ["Europe/Paris", *FAR_ZONES])
@pytest.mark.parametrize("night", [pytest.param(SPRING, marks=pytest.mark.long), AUTUMN], ids=["spring", "autumn"])
async def test_a_right_lasts_its_real_hours_through_a_night_on_which_clocks_are_set(
    tmp_path: Path, night: datetime, zone: str
) -> None:
    changes_ms = unix_ms(night)
    before, after = (datetime.fromtimestamp(changes_ms / 1000 + s, PARIS).utcoffset() for s in (-1, 1))
    assert before != after, "the clocks in Paris are set at this instant"
    async with at_time(tmp_path, changes_ms - BEFORE_MS, zone) as station:
        vehicle = station.vehicles[0]
        slot = vehicle.key.home_slot
        await station.show(BADGE)
        await station.until_open(slot)
        await station.take(slot)
        left_ms = changes_ms - station.clock.now_ms()
        assert left_ms > 0, "taken before the clocks are set"
        await eventually(lambda: station.clock.now_ms() > changes_ms, within_s=BEFORE_MS / 1000 + 1)
        await station.bring_back(vehicle, slot)
        await eventually(lambda: "key_returned" in station.centre.kinds())
        facts = station.centre.facts()
        taken = next(fact for fact in facts if isinstance(fact, KeyTaken))
        returned = next(fact for fact in facts if isinstance(fact, KeyReturned))
        assert changes_ms - BEFORE_MS < taken.at_ms < changes_ms < returned.at_ms <= station.clock.now_ms()
        assert all(fact.clock_trusted for fact in (taken, returned))
        await station.grant(vehicle, BADGE, "booking-2", end_ms=changes_ms + 1)
        await eventually(lambda: station.centre.reports[-1].desired_version == station.centre.version)
        await station.show(BADGE)
        await eventually(lambda: any(isinstance(fact, AccessRefused) for fact in station.centre.facts()))
        refused = next(fact for fact in station.centre.facts() if isinstance(fact, AccessRefused))
        assert (refused.reason, refused.grant) == (Reason.TOO_LATE, "booking-2")
        stamps = [str(row["timestamp"]) for row in station.logged("key_taken")]
        assert stamps[0].startswith(datetime.fromtimestamp(taken.at_ms // 1000, UTC).isoformat()[:19])
        assert stamps[0].endswith("Z"), "logs of one box can be laid beside those of another"


@pytest.mark.parametrize("year", [pytest.param(year, marks=pytest.mark.long) for year in (1970, 2000)])
async def test_a_box_without_a_battery_refuses_until_its_clock_is_right_and_forgets_nothing(
    tmp_path: Path, year: int
) -> None:
    now_ms = unix_ms(datetime(2026, 6, 1, 12, tzinfo=UTC))
    async with at_time(tmp_path, now_ms, "Europe/Paris") as station:
        centre = station.centre
        assert station.terminate() == 0
        begins_ms = unix_ms(datetime(year, 1, 1, tzinfo=UTC)) + 60_000
        right = station.clock
        station.clock = ScaledClock(begins_ms, 1.0, SystemLineClock(), synchronised=False)
        centre.reports.clear()
        before = len(centre.ledger)
        station.start()
        await eventually(lambda: sees_everything(centre), within_s=20)
        assert not centre.reports[-1].clock_trusted
        station.clock = right  # what the world's record goes by
        await station.show(BADGE)
        await eventually(lambda: any(isinstance(fact, AccessRefused) for fact in centre.facts()))
        new = centre.facts()[before:]
        assert next(fact for fact in new if isinstance(fact, AccessRefused)).reason is Reason.CLOCK_NOT_TRUSTED
        started = next(fact for fact in new if isinstance(fact, AgentStarted))
        assert begins_ms <= started.at_ms < begins_ms + HOUR_MS
        assert not any(fact.clock_trusted for fact in new)
        assert station.terminate() == 0
        centre.reports.clear()
        station.start()
        await station.ready()
        await station.show(BADGE)
        await station.until_open(station.vehicles[0].key.home_slot)
        assert [fact.seq for fact in centre.facts()] == list(range(1, len(centre.ledger) + 1))


async def test_a_clock_that_the_kernel_vouches_for_and_the_dispatcher_contradicts_opens_nothing(
    tmp_path: Path,
) -> None:
    """Somebody feeds the receiver a false time, hours ahead, before the box starts."""
    now_ms = unix_ms(datetime(2026, 6, 1, 12, tzinfo=UTC))
    async with at_time(tmp_path, now_ms, "Europe/Paris") as station:
        centre = station.centre
        assert station.terminate() == 0
        right = station.clock
        station.clock = ScaledClock(now_ms + HOUR_MS // 2, 1.0, SystemLineClock())
        centre.reports.clear()
        station.start()
        await eventually(lambda: centre.reports and not centre.reports[-1].clock_trusted, within_s=20)
        await eventually(lambda: sees_everything(centre), within_s=20)
        station.clock = right
        await station.show(BADGE)
        await eventually(lambda: any(isinstance(fact, AccessRefused) for fact in centre.facts()))
        refused = next(fact for fact in centre.facts() if isinstance(fact, AccessRefused))
        assert refused.reason is Reason.CLOCK_NOT_TRUSTED, "though the right covers both times"
        assert station.site.cabinet.open_slots() == ()
        await asyncio.to_thread(station.terminate)
