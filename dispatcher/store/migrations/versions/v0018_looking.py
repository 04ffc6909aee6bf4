"""What availability is looked up by: vehicles whose keys are out, and stations by their place."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_index(
        "ix_bookings_vehicle_active",
        "bookings",
        ["vehicle_id"],
        unique=False,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    columns = ["latitude", "longitude"]
    op.create_index(op.f("ix_stations_latitude_longitude"), "stations", columns, unique=False)
