"""Each vehicle's last signals: one row, the newest known value of each."""

from sqlalchemy import Connection, bindparam, select

from contract.facts import VehicleReading
from contract.messages import Reported
from dispatcher.store.schema import keys, vehicle_readings
from dispatcher.store.upsert import upsert

SIGNALS = ("odometer_m", "energy_percent", "charging", "low_voltage_mv", "doors_open", "plugged_in")

_NEWEST = select(vehicle_readings.c.at_ms).where(vehicle_readings.c.vehicle_id == bindparam("vehicle"))
_NEWEST_HERE = (
    select(keys.c.vehicle_id, vehicle_readings.c.at_ms)
    .outerjoin(vehicle_readings, vehicle_readings.c.vehicle_id == keys.c.vehicle_id)
    .where(keys.c.home_cabinet_id == bindparam("cabinet"))
)


def keep_reading(
    connection: Connection, vehicle_id: str | None, told_ms: int, reading: VehicleReading | None
) -> None:
    """Keep a reading unless a newer one is known. A signal that it lacks keeps its last value."""
    if vehicle_id is not None and reading is not None:
        known_ms = connection.execute(_NEWEST, {"vehicle": vehicle_id}).scalar_one_or_none()
        _keep_newer(connection, vehicle_id, told_ms, reading, known_ms)


def keep_readings(connection: Connection, reported: Reported, told_ms: int) -> None:
    """The same for the vehicles whose keys live in a cabinet that reports: a box has no say on others."""
    if not reported.vehicles:
        return
    newest = connection.execute(_NEWEST_HERE, {"cabinet": reported.cabinet})
    known = {row.vehicle_id: row.at_ms for row in newest}
    for state in reported.vehicles:
        if state.vehicle in known:
            _keep_newer(connection, state.vehicle, told_ms, state.reading, known[state.vehicle])


def _keep_newer(
    connection: Connection, vehicle_id: str, told_ms: int, reading: VehicleReading, known_ms: int | None
) -> None:
    at_ms = told_ms - reading.age_s * 1000
    if known_ms is not None and known_ms >= at_ms:
        return
    values = {name: getattr(reading, name) for name in SIGNALS if getattr(reading, name) is not None}
    upsert(connection, vehicle_readings, {"vehicle_id": vehicle_id, "at_ms": at_ms, **values})
