"""Whether a booking's right has reached its box: what the member is told before walking to the station."""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import Connection, and_, bindparam, or_, select

from dispatcher.core.booking_states import HOLDING_STATES
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.blocked import under_a_block
from dispatcher.store.bookings import Booking
from dispatcher.store.incidents import some_are_open_of
from dispatcher.store.reachability import reachable_cabinets
from dispatcher.store.schema import bookings, cabinet_links, desired_grants, desired_states
from dispatcher.store.standing import withheld


class GrantStatus(StrEnum):
    ON_BOX = "on_box"  # the box says that it holds this right in its present form
    PENDING = "pending"
    CABINET_UNREACHABLE = "cabinet_unreachable"
    WITHHELD = "withheld"  # of those whom it names, nobody may take a key now
    BLOCKED = "blocked"  # the vehicle is out of service then: the box hands out nothing


_HELD = (
    select(
        bookings.c.id,
        bookings.c.cabinet_id,
        bookings.c.version,
        cabinet_links.c.desired_version_held,
        desired_states.c.version.label("told_version"),
        desired_grants.c.since_version,
        desired_grants.c.booking_version,
        or_(under_a_block(), some_are_open_of(IncidentKind.BOOKING_BLOCKED, bookings.c.id)).label("is_blocked"),
        withheld().label("is_withheld"),
    )
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == bookings.c.cabinet_id)
    .outerjoin(desired_states, desired_states.c.cabinet_id == bookings.c.cabinet_id)
    .outerjoin(
        desired_grants,
        and_(
            desired_grants.c.cabinet_id == bookings.c.cabinet_id,
            desired_grants.c.grant_id == bookings.c.grant_id,
        ),
    )
    .where(bookings.c.id.in_(bindparam("bookings", expanding=True)))
)


def grant_statuses(connection: Connection, found: Sequence[Booking]) -> dict[str, GrantStatus]:
    """The status by booking id; bookings that are over have none."""
    holding = [booking.id for booking in found if booking.state in HOLDING_STATES]
    reachable = reachable_cabinets(connection)
    statuses = {}
    for row in connection.execute(_HELD, {"bookings": holding}):
        present_form = row.booking_version == row.version
        # A box that holds more than we told it was told by a dispatcher that has since been put back.
        if row.is_blocked:
            statuses[row.id] = GrantStatus.BLOCKED
        elif row.is_withheld:
            statuses[row.id] = GrantStatus.WITHHELD
        elif present_form and row.since_version <= (row.desired_version_held or 0) <= row.told_version:
            statuses[row.id] = GrantStatus.ON_BOX
        else:
            can_be_told = row.cabinet_id in reachable
            statuses[row.id] = GrantStatus.PENDING if can_be_told else GrantStatus.CABINET_UNREACHABLE
    return statuses
