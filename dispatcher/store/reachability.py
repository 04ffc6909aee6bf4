"""Which cabinets can be told something now: presence says online, and the reconciler does not call them silent."""

from sqlalchemy import Connection, select

from dispatcher.core.incidents import IncidentKind
from dispatcher.store.incidents import open_subjects
from dispatcher.store.schema import cabinet_links

_ONLINE = select(cabinet_links.c.cabinet_id).where(cabinet_links.c.online)


def reachable_cabinets(connection: Connection) -> frozenset[str]:
    """Ids of the cabinets that are online and not silent."""
    return frozenset(connection.execute(_ONLINE).scalars()) - open_subjects(connection, IncidentKind.CABINET_SILENT)
