"""Service orders among the bookings, who may hold them, and who handed their keys on to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("bookings", sa.Column("purpose", sa.String(length=64), nullable=True))
    op.add_column("members", sa.Column("role", sa.String(length=64), server_default="member", nullable=False))
    op.create_table(
        "custody",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("booking_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("from_member_id", sa.String(length=64), nullable=True),
        sa.Column("from_name", sa.Text(), nullable=True),
        sa.Column("to_member_id", sa.String(length=64), nullable=True),
        sa.Column("to_name", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_custody_booking_id")),
        sa.ForeignKeyConstraint(["from_member_id"], ["members.id"], name=op.f("fk_custody_from_member_id")),
        sa.ForeignKeyConstraint(["to_member_id"], ["members.id"], name=op.f("fk_custody_to_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody")),
    )
    op.create_index(op.f("ix_custody_booking_id_at_ms"), "custody", ["booking_id", "at_ms"], unique=False)
