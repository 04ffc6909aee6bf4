"""What is kept because a law asks for it, or because somebody looked; each row has its limit."""

from sqlalchemy import Column, Index, String

from dispatcher.store.columns import id_, long_text, ms, number, ref, word
from dispatcher.store.schema.base import table

audit = table(
    "audit",
    number(),
    ms("at_ms"),
    word("author"),
    word("action"),
    Column("subject", String(128), nullable=False),
    long_text("case_no"),
    long_text("reason"),
    Index(None, "at_ms"),
    sqlite_autoincrement=True,
)
"""Who looked at what about somebody, or opened something past the rules. `author`: the name of a token. `subject`:
ids. `case_no` and `reason` are the author's words, and are to hold no name."""
held_names = table(
    "held_names",
    ref("member_id", "members.id", primary_key=True),
    long_text("name"),
    ms("until_ms"),
)
"""Names of erased members who had a key not long ago, by what stands in the member's place. For nothing but the
question who held a vehicle; gone at `until_ms`."""
held_badges = table(
    "held_badges",
    id_("ref"),
    ref("member_id", "members.id"),
    ms("until_ms"),
    Index(None, "member_id"),
)
"""References of the badges that they had it with; the badges themselves are gone."""
