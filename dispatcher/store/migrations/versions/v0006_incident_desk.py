"""Incidents as operators handle them: an id for paths, a history, who looks after them, how often they return."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

REF_BYTES = 15


def upgrade() -> None:
    op.add_column("incidents", sa.Column("ref", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("reopened", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("incidents", sa.Column("acknowledged_ms", sa.BigInteger(), nullable=True))
    op.add_column("incidents", sa.Column("acknowledged_by", sa.Text(), nullable=True))
    op.add_column("incidents", sa.Column("assigned_to", sa.Text(), nullable=True))
    _name_all()
    op.create_index("uq_incidents_ref", "incidents", ["ref"], unique=True)
    op.create_index("ix_incidents_kind_subject_id", "incidents", ["kind", "subject", "id"], unique=False)
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "incident_history",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_incident_history_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_history")),
    )
    op.create_index("ix_incident_history_incident_id", "incident_history", ["incident_id"], unique=False)


def _name_all() -> None:
    """Those that are there are named at random; their history begins now."""
    connection = op.get_bind()
    numbers = connection.execute(sa.text("SELECT id FROM incidents")).scalars().all()
    rename = sa.text("UPDATE incidents SET ref = :ref WHERE id = :id")
    for number in numbers:
        connection.execute(rename, {"id": number, "ref": secrets.token_urlsafe(REF_BYTES)})
