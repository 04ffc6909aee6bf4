"""Dead letters are counted and listed without reading what was delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

DEAD = sa.text("state = 'dead'")


def upgrade() -> None:
    op.create_index(
        "ix_webhook_deliveries_dead",
        "webhook_deliveries",
        ["webhook_id", "sequence"],
        unique=False,
        sqlite_where=DEAD,
        postgresql_where=DEAD,
    )
