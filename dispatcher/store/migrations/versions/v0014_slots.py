"""What a slot was opened for last, and which doors stand open."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    for column in ("opened_purpose", "opened_key"):
        op.add_column("slot_states", sa.Column(column, sa.String(length=64), nullable=True))
    op.create_index(
        "ix_slot_states_open",
        "slot_states",
        ["cabinet_id"],
        unique=False,
        sqlite_where=sa.text("door_open = 1"),
        postgresql_where=sa.text("door_open"),
    )
