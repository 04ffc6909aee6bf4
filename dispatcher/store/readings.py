"""Each vehicle's last signals: one row, the newest known value of each."""

from sqlalchemy import Connection, select

from contract.facts import VehicleReading
from dispatcher.store.schema import vehicle_readings
from dispatcher.store.upsert import upsert

SIGNALS = ("odometer_m", "energy_percent", "charging", "low_voltage_mv")


def keep_reading(
    connection: Connection, vehicle_id: str | None, told_ms: int, reading: VehicleReading | None
) -> None:
    """Keep a reading unless a newer one is known. A signal that it lacks keeps its last value."""
    if vehicle_id is None or reading is None:
        return
    at_ms = told_ms - reading.age_s * 1000
    newest = select(vehicle_readings.c.at_ms).where(vehicle_readings.c.vehicle_id == vehicle_id)
    known_ms = connection.execute(newest).scalar_one_or_none()
    if known_ms is not None and known_ms >= at_ms:
        return
    values = {name: getattr(reading, name) for name in SIGNALS if getattr(reading, name) is not None}
    upsert(connection, vehicle_readings, {"vehicle_id": vehicle_id, "at_ms": at_ms, **values})
