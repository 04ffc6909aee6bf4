"""What a fleet with faults asks for: the clock's trust, where badges were shown last, facts told again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("facts", sa.Column("repeats", big, nullable=True))
    op.add_column("cabinet_links", sa.Column("clock_trusted", sa.Boolean(), nullable=True))
    op.create_table(
        "badge_sightings",
        sa.Column("badge_ref", sa.String(length=64), nullable=False),
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_badge_sightings_station_id")),
        sa.PrimaryKeyConstraint("badge_ref", name=op.f("pk_badge_sightings")),
    )
