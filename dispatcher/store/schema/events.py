"""What is told to others, and to whom."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, text

from dispatcher.core.events import SUBJECT_CHARACTERS_MAX
from dispatcher.store.columns import BIG, flag, id_, integer, long_text, ms, one_of, ref, word
from dispatcher.store.schema.base import table

WEBHOOK_STATES = ("active", "paused", "disabled")
DELIVERY_STATES = ("waiting", "delivered", "dead")

outbox = table(
    "outbox",
    Column("sequence", BIG, primary_key=True, autoincrement=True),
    word("kind"),
    Column("subject", String(SUBJECT_CHARACTERS_MAX), nullable=False),
    ms("at_ms"),
    long_text("data"),
    long_text("personal", nullable=True),
    Index(None, "at_ms"),
    sqlite_autoincrement=True,  # a sequence is never given twice
)
"""Events, written with the change that they tell of. `personal` holds ids of members, apart from `data` so that
they can be erased; it is the only personal column here. A trigger makes a row of `webhook_deliveries` for each
subscription that wants the event."""
webhooks = table(
    "webhooks",
    id_(),
    long_text("url"),
    long_text("kinds", nullable=True),
    flag("personal"),
    word("state"),
    word("why_disabled", nullable=True),
    long_text("author"),
    long_text("sealed"),
    long_text("sealed_before", nullable=True),
    ms("before_until_ms", nullable=True),
    ms("created_ms"),
    ms("changed_ms"),
    integer("failures"),
    ms("rests_until_ms"),
    ms("claimed_until_ms"),
    word("claim", nullable=True),
    ms("served_ms"),
    one_of("state", WEBHOOK_STATES),
)
"""Subscriptions. `kinds`: as `|booking.created|key.taken|`; NULL: all. `sealed`: the secret, under a key that is
not here. `failures`: attempts in a row that failed, whatever they carried. `claim`: whoever sends to it now."""
webhook_deliveries = table(
    "webhook_deliveries",
    ref("webhook_id", "webhooks.id", primary_key=True),
    Column("sequence", BigInteger, ForeignKey("outbox.sequence"), primary_key=True, autoincrement=False),
    Column("subject", String(SUBJECT_CHARACTERS_MAX), nullable=False),
    word("state"),
    integer("attempts"),
    ms("queued_ms"),
    ms("next_ms"),
    ms("done_ms", nullable=True),
    long_text("log"),
    one_of("state", DELIVERY_STATES),
    Index(None, "sequence"),
)
"""`queued_ms`: since when it waits. `log`: the last attempts, as JSON: no address, no body, no person."""
_WAITING = text("state = 'waiting'")
Index(  # the oldest of each subject is the one to send
    "ix_webhook_deliveries_waiting",
    webhook_deliveries.c.webhook_id,
    webhook_deliveries.c.subject,
    webhook_deliveries.c.sequence,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
Index(
    "ix_webhook_deliveries_dead",
    webhook_deliveries.c.webhook_id,
    webhook_deliveries.c.sequence,
    sqlite_where=text("state = 'dead'"),
    postgresql_where=text("state = 'dead'"),
)
