"""Where a vehicle was left outside its bay: one row from its return to its next take, and nothing else of the kind.

A report brings it and facts take it away, so it is kept only from a report that speaks of the same moment as the
ledger (`reports.py`): one that comes late cannot bring back what a take has erased.
"""

from sqlalchemy import Connection, bindparam, delete, select

from contract.messages import Reported
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.applying import Applying
from dispatcher.store.incidents import close_incident, open_incident
from dispatcher.store.keys import Fob, forget_fobs
from dispatcher.store.schema import keys, vehicle_positions
from dispatcher.store.upsert import upsert

_HERE = select(keys.c.vehicle_id).where(keys.c.home_cabinet_id == bindparam("cabinet"))
_ERASE = delete(vehicle_positions).where(vehicle_positions.c.vehicle_id == bindparam("vehicle"))


def keep_positions(connection: Connection, reported: Reported, at_ms: int) -> None:
    """Keep what a report says of vehicles whose keys live in its cabinet. One that says nothing changes nothing."""
    shown = {state.vehicle: state.position for state in reported.vehicles if state.position is not None}
    if not shown:
        return
    here = set(connection.execute(_HERE, {"cabinet": reported.cabinet}).scalars())
    for vehicle_id in sorted(shown.keys() & here):
        place = {"latitude": shown[vehicle_id].latitude, "longitude": shown[vehicle_id].longitude}
        upsert(connection, vehicle_positions, {"vehicle_id": vehicle_id, "at_ms": at_ms, **place})
        forget_fobs(connection)


def without_positions(reported: str) -> str | None:
    """A stored report without any position; None: it has none."""
    if '"latitude"' not in reported:
        return None
    return Reported.model_validate_json(reported).model_copy(update={"vehicles": ()}).model_dump_json()


def vehicle_came(at: Applying, fob: Fob, *, at_home: bool | None) -> None:
    """Its key came home: where it stood before says nothing any more."""
    if at_home is not False:
        vehicle_left(at, fob)
        return
    discrepancy = Discrepancy(
        IncidentKind.CAR_OUTSIDE_BAY,
        fob.vehicle_id,
        expected=f"parked within {at.rules.bay_radius_m} m of its station",
        seen="it was parked elsewhere",
        cabinet_id=at.cabinet_id,
        vehicle_id=fob.vehicle_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)


def vehicle_left(at: Applying, fob: Fob) -> None:
    """Somebody has its key."""
    if fob.left_outside:
        at.connection.execute(_ERASE, {"vehicle": fob.vehicle_id})
        forget_fobs(at.connection)
    close_incident(at.connection, IncidentKind.CAR_OUTSIDE_BAY, fob.vehicle_id, at.received_ms)
