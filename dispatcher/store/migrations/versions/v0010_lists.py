"""What the lists of the API are read by: indexes of handovers, rentals and vehicles, and number plates."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

INDEXES = (
    ("vehicles", "home_station_id"),
    ("vehicles", "plate"),
    ("handovers", "vehicle_id", "at_ms"),
    ("handovers", "cabinet_id", "at_ms"),
    ("handovers", "at_ms"),
    ("rentals", "vehicle_id", "taken_ms"),
    ("rentals", "taken_ms"),
)


def upgrade() -> None:
    op.add_column("vehicles", sa.Column("plate", sa.String(length=64), nullable=True))
    for table, *columns in INDEXES:
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)
