"""Cost centres, and pools of drivers: what an organisation's booking names."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    for table in ("cost_centres", "pools"):
        op.create_table(
            table,
            sa.Column("id", sa.String(length=64), nullable=False),
            sa.Column("organisation_id", sa.String(length=64), nullable=False),
            sa.Column("name", sa.Text(), nullable=False),
            sa.ForeignKeyConstraint(
                ["organisation_id"], ["organisations.id"], name=op.f(f"fk_{table}_organisation_id")
            ),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        )
    op.create_table(
        "pool_members",
        sa.Column("pool_id", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=True),
        sa.CheckConstraint("state IN ('active', 'removed')", name=op.f("ck_pool_members_state")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_pool_members_member_id")),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_pool_members_pool_id")),
        sa.PrimaryKeyConstraint("pool_id", "member_id", name=op.f("pk_pool_members")),
    )
    op.create_index(op.f("ix_pool_members_member_id"), "pool_members", ["member_id"], unique=False)
    for column in ("cost_centre_id", "pool_id"):
        op.add_column("bookings", sa.Column(column, sa.String(length=64), nullable=True))
