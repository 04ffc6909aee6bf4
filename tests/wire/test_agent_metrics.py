"""What a running agent exports: all that it promises, by Prometheus' own conventions, with the handover in it."""

import asyncio
import re
import subprocess
import urllib.request
from pathlib import Path

from simulator.network.model import CALYPSO, Card
from station_agent.series import SERIES
from tests.runtime.waiting import eventually
from tests.wire.station import Station, running

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))


def scraped(station: Station) -> str:
    with urllib.request.urlopen(station.metrics_url, timeout=5) as answer:  # noqa: S310  # our own, on loopback
        return str(answer.read().decode())


def untold_s(text: str) -> float:
    found = re.search(r"^station_agent_journal_oldest_unacknowledged_seconds (\S+)", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


async def test_a_handover_is_seen_in_the_metrics_which_are_as_declared(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        await station.show(BADGE)
        await station.until_open(1)
        await station.take(1)
        station.centre.acknowledges = False
        await station.show(Card(CALYPSO.name, CALYPSO.bits, bytes(8)))
        await eventually(lambda: 'refusals_total{reason="unknown_badge"} 1.0' in scraped(station))
        await eventually(lambda: untold_s(scraped(station)) > 0)
        text = scraped(station)
        station.centre.acknowledges = True
    assert set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)) == {one.name for one in SERIES}
    done = await asyncio.to_thread(check, text)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    for sample in (
        "station_agent_release_seconds_count 1.0",
        "station_agent_keys_out 1.0",
        'station_agent_refusals_total{reason="too_early"} 0.0',
        'station_agent_vehicle_faults_total{fault="position_with_ignition_on"} 0.0',
        'station_agent_line_errors_total{kind="garbled",line="locks"} 0.0',
    ):
        assert sample in text, sample
    sent = re.search(r'line_frames_total\{direction="sent",line="locks"\} (\S+)', text)
    assert sent is not None
    assert float(sent[1]) > 0
    assert 0 < untold_s(text) < 30


def check(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
