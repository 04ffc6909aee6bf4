"""Where each badge was shown last: one that is at two stations faster than travel is two, or was lent."""

from sqlalchemy import bindparam, select

from contract.facts import AccessGranted, AccessRefused, PinAsked
from contract.places import Place, distance_m
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.travel import needed_ms
from dispatcher.core.windows import utc_text
from dispatcher.store.applying import Applying
from dispatcher.store.incidents import open_incident
from dispatcher.store.schema import badge_sightings, cabinets, stations
from dispatcher.store.upsert import upsert

_here, _there = stations.alias("here"), stations.alias("there")
_BOTH = (  # made once: this runs for every card that is shown
    select(
        _here.c.id,
        _here.c.latitude,
        _here.c.longitude,
        badge_sightings.c.station_id,
        badge_sightings.c.at_ms,
        _there.c.latitude,
        _there.c.longitude,
    )
    .select_from(cabinets)
    .join(_here, _here.c.id == cabinets.c.station_id)
    .outerjoin(badge_sightings, badge_sightings.c.badge_ref == bindparam("badge_ref"))
    .outerjoin(_there, _there.c.id == badge_sightings.c.station_id)
    .where(cabinets.c.id == bindparam("cabinet_id"))
)


def badge_shown(at: Applying, fact: AccessGranted | AccessRefused | PinAsked) -> None:
    """Compare with the last sight of this badge, and remember the newer of the two."""
    if fact.badge is None or not fact.clock_trusted:
        return
    names = {"badge_ref": fact.badge, "cabinet_id": at.cabinet_id}
    here, latitude, longitude, there, seen_ms, there_latitude, there_longitude = at.connection.execute(
        _BOTH, names
    ).one()
    if there is not None and there != here:
        one, other = Place(latitude, longitude), Place(there_latitude, there_longitude)
        if abs(fact.at_ms - seen_ms) < needed_ms(one, other):
            discrepancy = Discrepancy(
                IncidentKind.BADGE_AT_TWO_STATIONS,
                fact.badge,
                expected=f"{needed_ms(one, other) // 1000} s or more for {distance_m(one, other):.0f} m",
                seen=f"at {there} at {utc_text(seen_ms)}, at {here} at {utc_text(fact.at_ms)}",
                cabinet_id=at.cabinet_id,
            )
            open_incident(at.connection, discrepancy, at.received_ms)
    if seen_ms is None or fact.at_ms >= seen_ms:
        row = {"badge_ref": fact.badge, "station_id": here, "at_ms": fact.at_ms}
        upsert(at.connection, badge_sightings, row)
