"""What was decided from it all."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, text

from dispatcher.store.columns import flag, integer, long_text, ms, number, ref, word
from dispatcher.store.schema.base import table

incidents = table(
    "incidents",
    number(),
    Column("ref", String(64), nullable=False, server_default=""),
    word("kind"),
    Column("subject", String(128), nullable=False),
    word("cabinet_id", nullable=True),
    word("vehicle_id", nullable=True),
    word("booking_id", nullable=True),
    word("severity"),
    ms("opened_ms"),
    ms("updated_ms"),
    ms("closed_ms", nullable=True),
    long_text("expected"),
    long_text("seen"),
    Column("reopened", BigInteger, nullable=False, server_default="0"),
    ms("acknowledged_ms", nullable=True),
    long_text("acknowledged_by", nullable=True),
    long_text("assigned_to", nullable=True),
    Index("uq_incidents_ref", "ref", unique=True),
    Index(None, "kind", "subject", "id"),
    sqlite_autoincrement=True,
)
"""`ref` names it in paths: opaque, unlike its number. `reopened`: how often it came back soon after it had closed.
Personal data: `assigned_to` may be the name of one who works for the operator."""
Index(  # opened once
    "uq_incidents_open",
    incidents.c.kind,
    incidents.c.subject,
    unique=True,
    sqlite_where=text("closed_ms IS NULL"),
    postgresql_where=text("closed_ms IS NULL"),
)
incident_history = table(
    "incident_history",
    number(),
    Column("incident_id", BigInteger, ForeignKey("incidents.id"), nullable=False),
    ms("at_ms"),
    word("what"),
    long_text("author"),
    long_text("detail"),
    Index(None, "incident_id"),
)
"""What became of each incident, `author` being this program or a token's name. Personal data: a comment's `detail`
is free text, and one of `assigned` may be the name of one who works for the operator."""
desired_states = table(
    "desired_states",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    integer("version"),
    Column("digest", String(64), nullable=False),
    long_text("wire"),
    ms("computed_ms"),
    flag("dirty"),
    integer("grants_left_out"),
    long_text("refused", nullable=True),
)
"""Version 0 and an empty wire: marked dirty and not computed yet."""
desired_grants = table(
    "desired_grants",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    word("grant_id", primary_key=True),
    Column("digest", String(64), nullable=False),
    integer("since_version"),
    integer("booking_version"),
)
"""The grants of the stored desired, each with the first version that carried it in its present form, and with
the version of its booking that this form was computed from."""
