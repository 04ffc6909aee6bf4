"""One shift leaves notes to the next."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "shift_notes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("station_id", sa.String(length=64), nullable=True),
        sa.Column("incident_ref", sa.String(length=64), nullable=True),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_shift_notes_station_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_notes")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_shift_notes_ref", "shift_notes", ["ref"], unique=True)
    op.create_index(op.f("ix_shift_notes_at_ms"), "shift_notes", ["at_ms"], unique=False)
