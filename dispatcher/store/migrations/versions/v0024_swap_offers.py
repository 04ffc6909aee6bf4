"""Other vehicles are offered to bookings whose own may not be back in time."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

OPEN = sa.text("state = 'offered'")


def upgrade() -> None:
    op.create_table(
        "swap_offers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("booking_id", sa.String(length=64), nullable=False),
        sa.Column("hold_id", sa.String(length=64), nullable=False),
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("distance_m", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("offered_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "state IN ('offered', 'accepted', 'declined', 'withdrawn', 'taken')", name=op.f("ck_swap_offers_state")
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_swap_offers_booking_id")),
        sa.ForeignKeyConstraint(["hold_id"], ["bookings.id"], name=op.f("fk_swap_offers_hold_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_swap_offers_vehicle_id")),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_swap_offers_key_id")),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_swap_offers_cabinet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swap_offers")),
        sa.UniqueConstraint("booking_id", "vehicle_id", name=op.f("uq_swap_offers_booking_id_vehicle_id")),
    )
    op.create_index(
        "ix_swap_offers_open",
        "swap_offers",
        ["booking_id"],
        unique=False,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
