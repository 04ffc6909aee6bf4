"""How long people are known: erased members, what the law keeps of them, the audit record."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("members", sa.Column("erased_ms", sa.BigInteger(), nullable=True))
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("case_no", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_at_ms"), "audit", ["at_ms"])
    op.create_table(
        "held_names",
        sa.Column("member_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_held_names_member_id")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_held_names")),
    )
    op.create_table(
        "held_badges",
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(length=64), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_held_badges_member_id")),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_held_badges")),
    )
    op.create_index(op.f("ix_held_badges_member_id"), "held_badges", ["member_id"])
    for name, table, column, where in (
        ("ix_bookings_known", "bookings", "ended_ms", "ended_ms IS NOT NULL AND member_id <> 'forgotten'"),
        ("ix_handovers_known", "handovers", "at_ms", "badge_ref IS NOT NULL"),
        ("ix_rentals_known", "rentals", "returned_ms", "badge_ref IS NOT NULL"),
        ("ix_facts_told", "facts", "received_ms", "text <> ''"),
    ):
        op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
