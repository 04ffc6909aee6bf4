"""What vehicles tell of doors and charging cables."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("vehicle_readings", sa.Column("doors_open", sa.Boolean(), nullable=True))
    op.add_column("vehicle_readings", sa.Column("plugged_in", sa.Boolean(), nullable=True))
