"""Which cabinets can be told something now: presence says online, and the reconciler does not call them silent."""

from sqlalchemy import Connection, literal_column, select, union_all

from dispatcher.core.incidents import IncidentKind
from dispatcher.core.silence import storm_members
from dispatcher.store.columns import literally_in
from dispatcher.store.schema import cabinet_links, incidents

ONLINE = "online"  # no kind of incident
_ANY_OF = literally_in(incidents.c.kind, (IncidentKind.CABINET_SILENT, IncidentKind.CABINETS_SILENT_STORM))
_SEEN = union_all(
    select(literal_column(f"'{ONLINE}'"), cabinet_links.c.cabinet_id, literal_column("''")).where(
        cabinet_links.c.online
    ),
    select(incidents.c.kind, incidents.c.subject, incidents.c.seen).where(incidents.c.closed_ms.is_(None), _ANY_OF),
)


def reachable_cabinets(connection: Connection) -> frozenset[str]:
    """Ids of the cabinets that are online and not silent."""
    online: set[str] = set()
    silent: set[str] = set()
    for what, subject, seen in connection.execute(_SEEN):
        if what == ONLINE:
            online.add(subject)
        elif what == IncidentKind.CABINET_SILENT:
            silent.add(subject)
        else:
            silent |= storm_members(seen)
    return frozenset(online - silent)
