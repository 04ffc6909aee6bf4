"""What boxes say of vehicles against what their trackers told and where their keys hung.

Every sign in the ledger has a message that shows it, and every incident about a vehicle has its sign: so a run in
which nobody leaves a car as they should not opens none of them.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from contract.facts import KeyReturned, VehicleNoticed, VehicleSign
from contract.places import Place, distance_m
from simulator.verdict.evidence import Incident, LedgerFact
from simulator.verdict.rights import Judge
from simulator.world.moment import Moment
from simulator.world.record import What, WorldRecord
from simulator.world.signals import Told

SHOWN_WITHIN_MS = 2 * 3_600_000  # a parked tracker speaks once an hour, and a sign lasts minutes before it is told
FIX_WITHIN_MS = 900_000 + 60_000  # a box holds a fix for 15 minutes, and a member stands some time at the cabinet

_SIGN_OF: Mapping[str, VehicleSign] = MappingProxyType(
    {
        "return_doubtful": VehicleSign.MOVED_AFTER_RETURN,
        "vehicle_doors_open": VehicleSign.DOORS_OPEN_AT_RETURN,
        "vehicle_not_plugged_in": VehicleSign.UNPLUGGED_AT_RETURN,
        "vehicle_low_voltage": VehicleSign.LOW_VOLTAGE,
        "vehicle_low_energy": VehicleSign.LOW_ENERGY,
    }
)
_OUTSIDE = "car_outside_bay"
AT_HOME = frozenset(
    {VehicleSign.MOVED_AFTER_RETURN, VehicleSign.DOORS_OPEN_AT_RETURN, VehicleSign.UNPLUGGED_AT_RETURN}
)
"""Signs of vehicles whose keys hang at home."""


def is_told(judge: Judge, incident: Incident) -> bool:
    """Whether a box told what an incident about a vehicle says."""
    if incident.kind == _OUTSIDE:
        return any(
            isinstance(row.fact, KeyReturned)
            and row.fact.at_home is False
            and _vehicle_of(judge, row.fact.key) == incident.subject
            for row in judge.evidence.ledger
        )
    sign = _SIGN_OF.get(incident.kind)
    return sign is not None and any(
        isinstance(row.fact, VehicleNoticed)
        and row.fact.active
        and (row.fact.vehicle, row.fact.sign) == (incident.subject, sign)
        for row in judge.evidence.ledger
    )


def wrong_words(judge: Judge, record: WorldRecord, end: Moment) -> Iterator[str]:
    """Everything that a box said of a vehicle and that was not so."""
    active: dict[tuple[str, VehicleSign], bool] = {}
    for row in judge.evidence.ledger:
        fact = row.fact
        if isinstance(fact, VehicleNoticed):
            told_before = active.get((fact.vehicle, fact.sign), False)
            active[fact.vehicle, fact.sign] = fact.active
            begins = fact.active and not told_before and not fact.again
            if begins and not _is_shown(judge, record, end, row, fact):
                what = f"{fact.sign} of {fact.vehicle}"
                yield f"{row.cabinet}: {what} at position {row.position}, which nothing showed"
        elif isinstance(fact, KeyReturned) and not _stood(judge, end, row, fact):
            where = "in its bay" if fact.at_home else "outside its bay"
            yield f"{row.cabinet}: the car of key {fact.key} {where} at position {row.position}, and it was not"


def _is_shown(judge: Judge, record: WorldRecord, end: Moment, row: LedgerFact, fact: VehicleNoticed) -> bool:
    key = judge.network.vehicle_by_id[fact.vehicle].key
    if fact.sign in AT_HOME and judge.excuses.is_disturbed(key.id):
        return True
    off_ms = _off_ms(judge, end, row, fact.at_ms)
    since_ms, until_ms = fact.at_ms - SHOWN_WITHIN_MS - off_ms, fact.at_ms + off_ms + judge.edge_ms
    if not fact.clock_trusted or judge.excuses.clock_is_doubtful(row.cabinet, _line_us(judge, end, fact.at_ms)):
        since_ms, until_ms = 0, end.at_ms  # when it was is not told
    return any(
        _SHOWS[fact.sign](judge, told)
        and (fact.sign not in AT_HOME or hung_since_ms(record, key.cabinet, key.id, told.at_ms) is not None)
        for told in judge.told.get(fact.vehicle, ())
        if told.is_timed and since_ms <= told.at_ms <= until_ms
    )


def _stood(judge: Judge, end: Moment, row: LedgerFact, fact: KeyReturned) -> bool:
    """Whether it stood where the fact says that it did, if it says so."""
    vehicle = _vehicle_of(judge, fact.key)
    if fact.at_home is None or vehicle is None or judge.excuses.is_disturbed(fact.key or ""):
        return True
    off_ms = _off_ms(judge, end, row, fact.at_ms)
    return any(
        is_outside(judge, vehicle, told) is not fact.at_home
        for told in judge.told.get(vehicle, ())
        if not told.signals.ignition
        and fact.at_ms - FIX_WITHIN_MS - off_ms <= told.at_ms <= fact.at_ms + off_ms + judge.edge_ms
    )


def is_outside(judge: Judge, vehicle: str, told: Told) -> bool:
    """Whether a vehicle stood outside its bay when it spoke."""
    station = judge.network.station_by_id[judge.network.vehicle_by_id[vehicle].station]
    here, there = Place(station.latitude, station.longitude), Place(told.signals.latitude, told.signals.longitude)
    return distance_m(here, there) > judge.rules.bay_radius_m


def hung_since_ms(record: WorldRecord, cabinet: str, key: str, at_ms: int) -> int | None:
    """Since when a key that hung in its own cabinet at an instant had hung there; 0: always; None: it did not."""
    since_ms: int | None = 0
    for fact in record.of(cabinet):
        if fact.moment.at_ms > at_ms:
            break
        if fact.deed.key == key and fact.deed.what is What.KEY_REMOVED:
            since_ms = None
        elif fact.deed.key == key and fact.deed.what is What.KEY_INSERTED:
            since_ms = fact.moment.at_ms
    return since_ms


def _off_ms(judge: Judge, end: Moment, row: LedgerFact, at_ms: int) -> int:
    return judge.excuses.clock_off_ms(row.cabinet, _line_us(judge, end, at_ms))


def _line_us(judge: Judge, end: Moment, at_ms: int) -> int:
    return end.line_us - round((end.at_ms - at_ms) * 1000 / judge.speed)


def _vehicle_of(judge: Judge, key: str | None) -> str | None:
    vehicle = judge.network.vehicle_of_key.get(key or "")
    return vehicle.id if vehicle is not None else None


_SHOWS: Mapping[VehicleSign, Callable[[Judge, Told], bool]] = MappingProxyType(
    {
        VehicleSign.MOVED_AFTER_RETURN: lambda _, told: told.signals.ignition or told.signals.moving,
        VehicleSign.DOORS_OPEN_AT_RETURN: lambda _, told: told.signals.doors_open,
        VehicleSign.UNPLUGGED_AT_RETURN: lambda _, told: told.signals.is_electric and not told.signals.plugged_in,
        VehicleSign.PLUGGED_IN: lambda _, told: told.signals.plugged_in,
        VehicleSign.CHARGING: lambda _, told: told.signals.charging,
        VehicleSign.LOW_VOLTAGE: lambda judge, told: told.signals.low_voltage_mv < judge.rules.low_voltage_mv,
        VehicleSign.LOW_ENERGY: lambda judge, told: told.signals.energy_percent < judge.rules.low_energy_percent,
    }
)
