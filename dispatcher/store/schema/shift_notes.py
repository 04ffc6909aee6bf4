"""What one shift leaves to the next."""

from sqlalchemy import Column, Index, String

from dispatcher.store.columns import long_text, ms, number, ref, word
from dispatcher.store.schema.base import table

shift_notes = table(
    "shift_notes",
    number(),
    Column("ref", String(64), nullable=False),
    ms("at_ms"),
    long_text("author"),
    long_text("text"),
    ref("station_id", "stations.id", nullable=True),
    word("incident_ref", nullable=True),
    ms("done_ms", nullable=True),
    long_text("done_by", nullable=True),
    Index("uq_shift_notes_ref", "ref", unique=True),
    Index(None, "at_ms"),
    sqlite_autoincrement=True,
)
"""`ref` names it in paths. `incident_ref`: of `incidents`, without a foreign key, since an incident that was closed
long ago may end before the note. `author`, `done_by`: names of tokens. Personal data: the text is free."""
