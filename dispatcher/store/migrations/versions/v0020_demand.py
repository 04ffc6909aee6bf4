"""What was wanted and could not be had."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    words = ("station_id", "category", "reason", "source")
    op.create_table(
        "unmet_demand",
        sa.Column("hour_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.String(length=64), nullable=False) for name in words),
        sa.Column("count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("hour_ms", *words, name=op.f("pk_unmet_demand")),
    )
