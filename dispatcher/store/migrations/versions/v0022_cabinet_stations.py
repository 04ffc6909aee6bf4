"""A cabinet may serve several stations."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "cabinet_stations",
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("serves", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_cabinet_stations_cabinet_id")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_cabinet_stations_station_id")),
        sa.PrimaryKeyConstraint("cabinet_id", "station_id", name=op.f("pk_cabinet_stations")),
    )
