"""What boxes tell of the vehicles whose keys live in them: a sign that is bad news is an incident meanwhile."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from contract.facts import VehicleNoticed, VehicleReading, VehicleSign
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.applying import Applying
from dispatcher.store.incidents import close_incident, close_of_cabinet, open_incident, open_subjects
from dispatcher.store.readings import keep_reading
from dispatcher.store.schema import keys


class _Meaning(NamedTuple):
    kind: IncidentKind
    expected: str
    seen: str
    """With the reading's values by name."""


_MEANINGS: Mapping[VehicleSign, _Meaning] = MappingProxyType(
    {
        VehicleSign.MOVED_AFTER_RETURN: _Meaning(
            IncidentKind.RETURN_DOUBTFUL,
            "a vehicle that stands while all its keys hang at home",
            "its engine ran, or it moved",
        ),
        VehicleSign.DOORS_OPEN_AT_RETURN: _Meaning(
            IncidentKind.VEHICLE_DOORS_OPEN, "doors, bonnet and boot shut after a return", "one of them stands open"
        ),
        VehicleSign.UNPLUGGED_AT_RETURN: _Meaning(
            IncidentKind.VEHICLE_NOT_PLUGGED_IN, "a charging cable in its socket after a return", "there is none"
        ),
        VehicleSign.LOW_VOLTAGE: _Meaning(
            IncidentKind.VEHICLE_LOW_VOLTAGE,
            "a 12 V battery that starts the engine",
            "at rest it has {low_voltage_mv} mV",
        ),
        VehicleSign.LOW_ENERGY: _Meaning(
            IncidentKind.VEHICLE_LOW_ENERGY, "energy for the next member", "it has {energy_percent} % left"
        ),
    }
)
_KINDS = tuple(meaning.kind for meaning in _MEANINGS.values())
_LIVES_HERE = select(keys.c.id).where(
    keys.c.vehicle_id == bindparam("vehicle"), keys.c.home_cabinet_id == bindparam("cabinet")
)


def vehicle_noticed(at: Applying, fact: VehicleNoticed) -> None:
    """A box has no say on vehicles whose keys live elsewhere, except that what it began is over."""
    meaning = _MEANINGS.get(fact.sign)
    lives_here = _lives_here(at.connection, fact.vehicle, at.cabinet_id)
    if not fact.active:
        if meaning is not None and fact.vehicle in open_subjects(at.connection, meaning.kind, at.cabinet_id):
            close_incident(at.connection, meaning.kind, fact.vehicle, at.received_ms)
    elif lives_here and meaning is not None:
        discrepancy = Discrepancy(
            meaning.kind,
            fact.vehicle,
            expected=meaning.expected,
            seen=meaning.seen.format(**_values(fact.reading)),
            cabinet_id=at.cabinet_id,
            vehicle_id=fact.vehicle,
        )
        open_incident(at.connection, discrepancy, at.received_ms)
    if lives_here:
        keep_reading(at.connection, fact.vehicle, fact.at_ms, fact.reading)


def forget_signs(at: Applying) -> None:
    """A box that begins anew tells again what is so: of the rest it does not know that it began."""
    for kind in _KINDS:
        close_of_cabinet(at.connection, kind, at.cabinet_id, at.received_ms)


def _lives_here(connection: Connection, vehicle_id: str, cabinet_id: str) -> bool:
    return connection.execute(_LIVES_HERE, {"vehicle": vehicle_id, "cabinet": cabinet_id}).first() is not None


def _values(reading: VehicleReading | None) -> dict[str, object]:
    known = reading if reading is not None else VehicleReading(age_s=0)
    return {name: "unknown" if value is None else value for name, value in known}
