"""What a pass of the reconciler reads by: keys that hang nowhere, the keys of a cabinet, quiet trackers."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    away = sa.text("state <> 'in_slot'")
    op.create_index(
        "ix_key_states_away", "key_states", ["key_id"], unique=False, sqlite_where=away, postgresql_where=away
    )
    op.create_index("ix_key_states_cabinet_id", "key_states", ["cabinet_id"], unique=False)
    op.create_index("ix_vehicle_readings_at_ms", "vehicle_readings", ["at_ms"], unique=False)
