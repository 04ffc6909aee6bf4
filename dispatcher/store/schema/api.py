"""What the API keeps of requests."""

from sqlalchemy import Column, Index, String

from dispatcher.store.columns import id_, long_text, ms
from dispatcher.store.schema.base import table

stored_answers = table(
    "stored_answers",
    id_(),
    Column("request", String(64), nullable=False),
    long_text("sealed", nullable=True),
    ms("expires_ms"),
    Index(None, "expires_ms"),
)
"""What was answered under an `Idempotency-Key`. `id` and `request` are keyed digests; `sealed` holds the answer,
which may be of a person, encrypted. The row goes a day after it was made (`expires_ms`)."""
