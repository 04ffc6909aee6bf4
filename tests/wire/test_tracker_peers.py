"""Trackers that this project did not write: telemetry by mosquitto_pub, as a gateway's script would send it."""

import json
import subprocess
from pathlib import Path

from contract.facts import VehicleReading
from runtime.clocks import SystemClock
from simulator.network.model import CALYPSO, Card
from tests.runtime.waiting import eventually
from tests.wire.brokers import HOST, Mosquitto, mosquitto_program
from tests.wire.station import Station, at_broker
from tests.wire.test_agent import metrics

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))


def publish(broker: Mosquitto, tracker: str, document: object, *more: str) -> None:
    topic = f"carshare/v1/vehicles/{tracker}/raw"
    command = [mosquitto_program("mosquitto_pub"), "-h", HOST, "-p", str(broker.port), "-t", topic, *more]
    subprocess.run([*command, "-m", json.dumps(document)], check=True, capture_output=True)


async def test_codec_json_and_vss_by_mosquitto_pub_are_in_the_next_report(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    station = Station(tmp_path, broker.port)
    first, second = (vehicle.id for vehicle in station.vehicles[:2])
    text = station.config.read_text()
    station.config.write_text(text.replace(f'id = "{second}"\n', f'id = "{second}"\ndriver = "vss"\n'))
    async with at_broker(station, broker, BADGE):
        now_ms = SystemClock().now_ms()
        reported = {"ts": now_ms, "latlng": "0,0", "239": 0, "240": 0, "66": 12_400, "16": 6_870, "89": 71}
        publish(broker, first, {"state": {"reported": reported}}, "-q", "1")
        signals = {
            "Vehicle.TraveledDistance": 12_345.6,
            "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed": 80,
            "Vehicle.Powertrain.TractionBattery.Charging.IsCharging": True,
            "Vehicle.LowVoltageSystemState": "LOCK",
            "Vehicle.IsMoving": {"value": False, "ts": now_ms},
        }
        publish(broker, second, signals, "-q", "0", "-V", "mqttv5")
        await eventually(lambda: "station_agent_vehicle_reports_total 2.0" in metrics(station), within_s=10)
        await station.show(BADGE)  # what happens at the cabinet is reported
        await station.until_open(1)
        await station.shut(1)

        def readings() -> dict[str, VehicleReading]:
            states = station.centre.reports[-1].vehicles
            return {state.vehicle: state.reading.model_copy(update={"age_s": 0}) for state in states}

        expected = {
            first: VehicleReading(
                age_s=0, odometer_m=6_870, energy_percent=71, ignition=False, moving=False, low_voltage_mv=12_400
            ),
            second: VehicleReading(
                age_s=0, odometer_m=12_345_600, energy_percent=80, charging=True, ignition=False, moving=False
            ),
        }
        await eventually(lambda: readings() == expected, within_s=10)
