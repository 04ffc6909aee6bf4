"""What vehicles tell of doors and charging cables, and where one stands that was left outside its bay."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("vehicle_readings", sa.Column("doors_open", sa.Boolean(), nullable=True))
    op.add_column("vehicle_readings", sa.Column("plugged_in", sa.Boolean(), nullable=True))
    op.create_table(
        "vehicle_positions",
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("vehicle_id", name=op.f("pk_vehicle_positions")),
    )
