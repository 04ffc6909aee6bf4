"""How far the revocation of a badge has come."""

from sqlalchemy import Index, text

from dispatcher.store.columns import integer, ms, ref
from dispatcher.store.schema.base import table

badge_spread = table(
    "badge_spread",
    ref("badge_id", "badges.id", primary_key=True),
    ref("cabinet_id", "cabinets.id", primary_key=True),
    ms("since_ms"),
    integer("version", nullable=True),
    ms("held_ms", nullable=True),
)
"""`version`: of the first wanted state that was computed after the revocation; NULL: none is yet. `held_ms`: when
its box said that it holds that one or a later one; NULL: it has not. Personal data: the badge's id."""
Index(
    "ix_badge_spread_open",
    badge_spread.c.cabinet_id,
    sqlite_where=text("held_ms IS NULL"),
    postgresql_where=text("held_ms IS NULL"),
)
