"""Vehicles that speak over MQTT, published by mosquitto_pub to a real broker, read by a real agent."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contract.facts import VehicleReading
from runtime.link import Publication
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto_program
from tests.wire.station import Station, at_broker, running
from tests.wire.test_agent import metrics
from tests.wire.test_onsite import BADGE

VSS = {
    "Vehicle.TraveledDistance": 12345.6,
    "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed": 80,
    "Vehicle.LowVoltageSystemState": "OFF",
    "Vehicle.LowVoltageBattery.CurrentVoltage": 12.43,
}
CODEC_JSON = {"state": {"reported": {"latlng": "0,0", "sp": 0, "239": 0, "66": 0, "16": 6870}}}


@asynccontextmanager
async def two_vehicles(folder: Path) -> AsyncIterator[tuple[Station, Mosquitto]]:
    """A station whose first vehicle speaks VSS and whose second has a Teltonika tracker with a topic of its own."""
    broker = Mosquitto(folder)
    await broker.start()
    station = Station(folder, broker.port)
    text = station.config.read_text()
    for vehicle, more in zip(station.vehicles, ('driver = "vss"', 'tracker = "box-17"'), strict=False):
        assert f'id = "{vehicle.id}"\n' in text
        text = text.replace(f'id = "{vehicle.id}"\n', f'id = "{vehicle.id}"\n{more}\n')
    station.config.write_text(text)
    try:
        async with at_broker(station, broker, BADGE):
            yield station, broker
    finally:
        broker.stop()


def publish(broker: Mosquitto, tracker: str, message: str) -> None:
    topic = f"carshare/v1/vehicles/{tracker}/raw"
    command = [mosquitto_program("mosquitto_pub"), "-p", str(broker.port), "-q", "1", "-t", topic, "-m", message]
    subprocess.run(command, check=True, capture_output=True)


def reading(station: Station, number: int) -> VehicleReading | None:
    states = {state.vehicle: state.reading for state in station.centre.reports[-1].vehicles}
    return states.get(station.vehicles[number].id)


async def reported(station: Station) -> None:
    """What happens at the cabinet is reported, and the vehicles with it."""
    await station.show(BADGE)
    await station.until_open(1)
    await station.take(1)


async def test_vss_from_mosquitto_pub_is_the_vehicles_reading(tmp_path: Path) -> None:
    async with two_vehicles(tmp_path) as (station, broker):
        publish(broker, station.vehicles[0].id, json.dumps(VSS))
        await eventually(lambda: "station_agent_vehicle_reports_total 1.0" in metrics(station))
        await reported(station)
        await eventually(lambda: reading(station, 0) is not None, within_s=10)
        told = reading(station, 0)
        assert told is not None
        assert (told.odometer_m, told.energy_percent, told.low_voltage_mv) == (12_345_600, 80, 12_430)
        assert (told.ignition, told.charging, told.moving) == (False, None, None)


async def test_codec_json_from_mosquitto_pub_is_the_reading_of_its_vehicle(tmp_path: Path) -> None:
    async with two_vehicles(tmp_path) as (station, broker):
        publish(broker, "box-17", json.dumps(CODEC_JSON))
        publish(broker, "box-18", json.dumps(CODEC_JSON))
        await eventually(lambda: "station_agent_vehicle_reports_total 1.0" in metrics(station))
        await reported(station)
        await eventually(lambda: reading(station, 1) is not None, within_s=10)
        told = reading(station, 1)
        assert told is not None
        assert (told.odometer_m, told.ignition, told.low_voltage_mv) == (6_870, False, None)
        assert reading(station, 0) is None


async def test_what_is_no_report_from_mosquitto_pub_is_counted_by_fault(tmp_path: Path) -> None:
    async with two_vehicles(tmp_path) as (station, broker):
        publish(broker, station.vehicles[0].id, "not JSON")
        publish(broker, station.vehicles[0].id, json.dumps(CODEC_JSON))
        position = {"Vehicle.CurrentLocation.Latitude": 50.6, "Vehicle.LowVoltageSystemState": "ON"}
        publish(broker, station.vehicles[0].id, json.dumps(position))
        for fault in ("not_json", "no_report", "position_with_ignition_on"):
            counted = f'station_agent_vehicle_faults_total{{fault="{fault}"}} 1.0'
            await eventually(lambda counted=counted: counted in metrics(station))  # type: ignore[misc]
        await reported(station)
        assert "50.6" not in "".join(report.model_dump_json() for report in station.centre.reports)


async def chatter(station: Station, per_s: int, for_s: int) -> None:
    """All trackers of the station together, each of whose messages says something new."""
    link, began_s = station.centre.link, time.monotonic()
    for number in range(per_s * for_s):
        vehicle = station.vehicles[number % len(station.vehicles)]
        told = {"ts": station.now().at_ms, "239": 0, "240": 0, "66": 12_400 + number % 7, "16": 5_000_000 + number}
        payload = json.dumps({"state": {"reported": told}}).encode()
        await link.publish(Publication(f"carshare/v1/vehicles/{vehicle.id}/raw", payload, qos=0))
        await asyncio.sleep(max(began_s + (number + 1) / per_s - time.monotonic(), 0))  # at this pace


@pytest.mark.long
async def test_fifty_messages_a_second_are_state_and_no_badge_waits_for_them(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        centre = station.centre
        await eventually(lambda: "station_agent_journal_depth 0.0" in metrics(station), within_s=10)
        facts, reports = len(centre.ledger), len(centre.reports)
        await chatter(station, per_s=50, for_s=4)
        await eventually(lambda: "station_agent_vehicle_reports_total 200.0" in metrics(station), within_s=10)
        assert "station_agent_messages_left_out_total 0.0" in metrics(station)
        assert len(centre.ledger) == facts, "not one of them is written down"
        assert len(centre.reports) - reports <= 1, "nor does any of them make a report"
        talking = asyncio.create_task(chatter(station, per_s=50, for_s=6))
        await station.show(BADGE)
        shown_s = time.monotonic()
        await station.until_open(1)
        assert time.monotonic() - shown_s < 1.5, "two looks at the contacts of 0.4 s, a poll, and a commit"
        await station.take(1)
        await talking
        newest = 5_000_000 + 299
        told = {state.reading.odometer_m for report in centre.reports for state in report.vehicles}
        assert 5_000_000 <= max(value for value in told if value is not None) <= newest
        assert len(centre.reports) - reports <= 4, "the handover is reported, and the vehicles with it"
