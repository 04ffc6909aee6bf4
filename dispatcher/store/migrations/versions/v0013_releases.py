"""Commands that hand out the key of a booking."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    with op.batch_alter_table("commands") as batch:
        batch.add_column(sa.Column("booking_id", sa.String(length=64), nullable=True))
        batch.create_foreign_key(batch.f("fk_commands_booking_id"), "bookings", ["booking_id"], ["id"])
