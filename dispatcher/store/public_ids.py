"""The ids under which vehicles are public: each hangs on the rental that was the vehicle's last."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from dispatcher.store.among import among
from dispatcher.store.origin import origin_of
from dispatcher.store.schema import rentals, vehicles

DOMAIN = "open data vehicle"  # no opaque id of another kind is one of these

_last = (
    select(rentals.c.taken_ms)
    .where(rentals.c.vehicle_id == vehicles.c.id, rentals.c.returned_ms.is_not(None))
    .order_by(rentals.c.taken_ms.desc())
    .limit(1)
    .correlate(vehicles)
    .scalar_subquery()
)
_LAST = select(vehicles.c.id, _last.label("taken_ms")).where(among(vehicles.c.id, "vehicles"))


def public_ids(connection: Connection, vehicle_ids: Sequence[str]) -> dict[str, str]:
    """The public id of each vehicle: another one once a rental of it is over.

    It is made under the origin key, which the database does not hold, from what nobody outside knows; so it is the
    same at every dispatcher and after a restart, and nobody else makes it, or finds the vehicle by it.
    """
    origin = origin_of(connection)
    rows = connection.execute(_LAST, {"vehicles": list(vehicle_ids)})
    return {row.id: origin.opaque(DOMAIN, row.id, row.taken_ms) for row in rows}
