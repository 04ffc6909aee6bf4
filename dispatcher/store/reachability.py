"""Which cabinets can be told something now: presence says online, and the reconciler does not call them silent."""

from sqlalchemy import Connection, select

from dispatcher.core.incidents import IncidentKind
from dispatcher.core.silence import storm_members
from dispatcher.store.incidents import open_subjects
from dispatcher.store.schema import cabinet_links, incidents

_STORMS = select(incidents.c.seen).where(
    incidents.c.closed_ms.is_(None), incidents.c.kind == IncidentKind.CABINETS_SILENT_STORM.value
)
_ONLINE = select(cabinet_links.c.cabinet_id).where(cabinet_links.c.online)


def reachable_cabinets(connection: Connection) -> frozenset[str]:
    """Ids of the cabinets that are online and not silent."""
    silent = open_subjects(connection, IncidentKind.CABINET_SILENT)
    in_storm = (storm_members(seen) for seen in connection.execute(_STORMS).scalars())
    return frozenset(connection.execute(_ONLINE).scalars()).difference(silent, *in_storm)
