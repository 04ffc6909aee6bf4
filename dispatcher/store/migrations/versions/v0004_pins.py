"""PINs of badges, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "badge_pins",
        sa.Column("badge_id", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.String(length=128), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["badge_id"], ["badges.id"], name=op.f("fk_badge_pins_badge_id")),
        sa.PrimaryKeyConstraint("badge_id", name=op.f("pk_badge_pins")),
    )
