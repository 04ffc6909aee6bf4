"""Rows that become rights say who wrote them. Those that are there say nothing yet: `dispatcher vouch`."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table in ("bookings", "members", "badges", "keys", "key_tags"):
        op.add_column(table, sa.Column("origin", sa.String(length=64), nullable=True))
