"""Slots that are spare or out of use, and how far the revocation of a badge has come."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "slot_uses",
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("use", sa.String(length=64), nullable=False),
        sa.CheckConstraint("use IN ('spare', 'out_of_use')", name=op.f("ck_slot_uses_use")),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_slot_uses_cabinet_id")),
        sa.PrimaryKeyConstraint("cabinet_id", "slot", name=op.f("pk_slot_uses")),
    )
    op.create_table(
        "badge_spread",
        sa.Column("badge_id", sa.String(length=64), nullable=False),
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("held_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["badge_id"], ["badges.id"], name=op.f("fk_badge_spread_badge_id")),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_badge_spread_cabinet_id")),
        sa.PrimaryKeyConstraint("badge_id", "cabinet_id", name=op.f("pk_badge_spread")),
    )
    op.create_index(
        "ix_badge_spread_open",
        "badge_spread",
        ["cabinet_id"],
        unique=False,
        sqlite_where=sa.text("held_ms IS NULL"),
        postgresql_where=sa.text("held_ms IS NULL"),
    )
