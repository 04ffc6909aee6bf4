"""Whether a vehicle was driven between a return and the next take: its odometer then and now."""

from sqlalchemy import bindparam, select

from contract.facts import BadFact, KeyReturned, KeyTaken, parse_fact
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.rental_ends import at_take
from dispatcher.core.windows import utc_text
from dispatcher.store.applying import Applying
from dispatcher.store.incidents import open_incident
from dispatcher.store.schema import facts, handovers

SLACK_M = 1_000  # trackers round to kilometres, and tell the last metres after the engine is off
FASTEST_M_PER_S = 36  # 130 km/h: so far the member may have come after the tracker spoke last before the return

_LAST = (  # before the take that is being applied
    select(handovers.c.kind, facts.c.text)
    .join(facts, facts.c.position == handovers.c.position)
    .where(handovers.c.vehicle_id == bindparam("vehicle"), handovers.c.position < bindparam("before"))
    .order_by(handovers.c.at_ms.desc(), handovers.c.position.desc())
    .limit(1)
)


def compare_odometer(at: Applying, vehicle_id: str, fact: KeyTaken) -> None:
    """Name the kilometres that no rental explains. Only where the engine was off when it was told at the return."""
    now = at_take(fact.vehicle)
    if now is None or now.odometer_m is None:
        return
    last = at.connection.execute(_LAST, {"vehicle": vehicle_id, "before": at.position}).one_or_none()
    if last is None or last.kind != "returned":
        return
    returned = _read(last.text)
    if returned is None or returned.vehicle is None or returned.vehicle.odometer_m is None:
        return
    driven_m = now.odometer_m - returned.vehicle.odometer_m
    unheard_m = (
        returned.vehicle.age_s * FASTEST_M_PER_S
    )  # a tracker that fell silent told of the car before it left
    if returned.vehicle.ignition is not False or driven_m <= SLACK_M + unheard_m:
        return
    discrepancy = Discrepancy(
        IncidentKind.ODOMETER_WITHOUT_RENTAL,
        vehicle_id,
        expected=f"{returned.vehicle.odometer_m // 1000} km, as at the return at {utc_text(returned.at_ms)}",
        seen=f"{driven_m / 1000:.1f} km more when its key was taken at {utc_text(fact.at_ms)}",
        cabinet_id=at.cabinet_id,
        vehicle_id=vehicle_id,
    )
    open_incident(at.connection, discrepancy, at.received_ms)


def _read(text: str) -> KeyReturned | None:
    try:
        fact = parse_fact(text)
    except BadFact:  # an older program may have kept what this one cannot read
        return None
    return fact if isinstance(fact, KeyReturned) else None
