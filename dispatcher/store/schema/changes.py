"""Who changed what of the network, and why."""

from sqlalchemy import Column, Index, String

from dispatcher.store.columns import long_text, ms, number, word
from dispatcher.store.schema.base import table

changes = table(
    "changes",
    number(),
    ms("at_ms"),
    long_text("author"),
    word("what"),
    Column("subject", String(128), nullable=False),
    long_text("reason", nullable=True),
    long_text("before", nullable=True),
    long_text("after"),
    Index(None, "what", "subject"),
)
"""`what`: the table, `subject`: the id. `before`, `after`: JSON of what differs, without names, notes, credentials
and PINs; `before` NULL: it is new. Personal data: the ids of members and badges."""
