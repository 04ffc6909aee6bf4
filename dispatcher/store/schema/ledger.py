"""What cabinets told, and what they were told to do."""

from sqlalchemy import Column, Index, String, UniqueConstraint, text

from dispatcher.store.columns import BIG, flag, id_, integer, long_text, ms, one_of, origin, ref, word
from dispatcher.store.schema.base import COMMAND_OUTCOMES, table

facts = table(
    "facts",
    Column("position", BIG, primary_key=True, autoincrement=True),
    ref("cabinet_id", "cabinets.id"),
    Column("epoch", String(32), nullable=False),
    integer("seq"),
    ms("at_ms"),
    ms("received_ms"),
    word("kind"),
    long_text("text"),
    Column("hash", String(64), nullable=False),
    Column("repeats", BIG),
    UniqueConstraint("cabinet_id", "epoch", "seq"),
    sqlite_autoincrement=True,  # a position is never given twice
)
"""`repeats`: the position of the fact that this one tells again under another number; it was not applied again.
`text` is empty past its limit (`dispatcher.store.retention`); number and hash stay."""
Index(
    "ix_facts_told",
    facts.c.received_ms,
    sqlite_where=text("text <> ''"),
    postgresql_where=text("text <> ''"),
)
cursors = table(
    "cursors",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    Column("epoch", String(32), primary_key=True),
    integer("number"),
    ms("created_ms"),
    integer("seq"),
    Column("hash", String(64), nullable=False),
    ms("complete_ms"),
    UniqueConstraint("cabinet_id", "number"),
)
"""Facts of `epoch` are applied up to `seq`; all that the box noted before `complete_ms` is among them. `number`
is highest for the epoch that was told last: `created_ms` is by a clock that may have been set back."""

# --- what was heard of each cabinet

cabinet_links = table(
    "cabinet_links",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    flag("online"),
    word("boot_nonce", nullable=True),
    ms("boot_ms", nullable=True),
    integer("connection", nullable=True),
    long_text("agent_version", nullable=True),
    ms("presence_ms", nullable=True),
    long_text("reported", nullable=True),
    word("reported_boot_nonce", nullable=True),
    ms("reported_boot_ms", nullable=True),
    integer("reported_connection", nullable=True),
    integer("reported_revision", nullable=True),
    ms("reported_ms", nullable=True),
    Column("reported_epoch", String(32)),
    integer("reported_seq", nullable=True),
    flag("reported_trusted", nullable=True),
    flag("reported_applied"),
    integer("desired_version_held", nullable=True),
    ms("heard_ms", nullable=True),
    flag("clock_trusted", nullable=True),
)
"""`reported_ms` is by the box's clock, `presence_ms` and `heard_ms` by ours. `reported_applied`: the newest
report was compared with the projections, once the facts that it includes were there. `clock_trusted`: by the
newest word about it, report or fact."""

# --- operators' commands

commands = table(
    "commands",
    id_(),
    ref("cabinet_id", "cabinets.id"),
    integer("slot", nullable=True),
    integer("counter"),
    word("action"),
    long_text("author"),
    long_text("reason"),
    ms("issued_ms"),
    ms("expires_ms"),
    word("outcome", nullable=True),
    word("outcome_reason", nullable=True),
    ms("answered_ms", nullable=True),
    ref("booking_id", "bookings.id", nullable=True),
    origin(),
    one_of("outcome", COMMAND_OUTCOMES),
    UniqueConstraint("cabinet_id", "counter"),
)
"""`answered_ms`: when its outcome was final; a command without it is open, and is sent again and again.
`booking_id`: whose key it hands out; that booking then starts as if its own grant had opened the slot."""
Index(
    "ix_commands_open",
    commands.c.cabinet_id,
    commands.c.counter,
    sqlite_where=text("answered_ms IS NULL"),
    postgresql_where=text("answered_ms IS NULL"),
)
command_counters = table("command_counters", ref("cabinet_id", "cabinets.id", primary_key=True), integer("counter"))
"""The last number given to a command to each cabinet, of whatever action: none is given twice."""
