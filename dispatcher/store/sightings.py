"""Where each badge was shown last: one that is at two stations faster than travel is two, or was lent."""

from typing import NamedTuple

from sqlalchemy import bindparam, select

from contract.facts import AccessGranted, AccessRefused, PinAsked
from contract.places import Place, distance_m
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.travel import needed_ms
from dispatcher.core.windows import utc_text
from dispatcher.store.applying import Applying
from dispatcher.store.incidents import open_incident
from dispatcher.store.kept import change_row
from dispatcher.store.later import remembered
from dispatcher.store.schema import badge_sightings, cabinets, stations

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


class Sight(NamedTuple):
    """Where a badge was seen, and when."""

    station_id: str
    place: Place
    at_ms: int


_HERE, _LAST = "the station of a cabinet", "the last sight of a badge"  # as what is remembered


def badge_shown(at: Applying, fact: AccessGranted | AccessRefused | PinAsked) -> None:
    """Compare with the last sight of this badge, and remember the newer of the two."""
    if fact.badge is None or not fact.clock_trusted:
        return
    here, last = _sights(at, fact.badge, fact.at_ms)
    if last is not None and last.station_id != here.station_id:
        needed = needed_ms(here.place, last.place)
        if abs(fact.at_ms - last.at_ms) < needed:
            discrepancy = Discrepancy(
                IncidentKind.BADGE_AT_TWO_STATIONS,
                fact.badge,
                expected=f"{needed // 1000} s or more for {distance_m(here.place, last.place):.0f} m",
                seen=f"{_told(last)}, {_told(here)}",
                cabinet_id=at.cabinet_id,
            )
            open_incident(at.connection, discrepancy, at.received_ms)
    if last is None or fact.at_ms >= last.at_ms:
        row = {"badge_ref": fact.badge, "station_id": here.station_id, "at_ms": fact.at_ms}
        change_row(at.connection, badge_sightings, row)
        remembered(at.connection)[_LAST, fact.badge] = here


def _told(sight: Sight) -> str:
    return f"at {sight.station_id} at {utc_text(sight.at_ms)}"


def _sights(at: Applying, badge_ref: str, at_ms: int) -> tuple[Sight, Sight | None]:
    """That of now, and the last one before it."""
    known = remembered(at.connection)
    here: tuple[str, Place] | None = known.get((_HERE, at.cabinet_id))
    last: Sight | None = known.get((_LAST, badge_ref))
    if here is None or last is None:
        names = {"badge_ref": badge_ref, "cabinet_id": at.cabinet_id}
        row = at.connection.execute(_BOTH, names).one()
        here = known[_HERE, at.cabinet_id] = row[0], Place(row[1], row[2])
        last = Sight(row[3], Place(row[5], row[6]), row[4]) if row[3] is not None else None
    station_id, place = here
    return Sight(station_id, place, at_ms), last
