"""Who has a key that an operator declared elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("key_states", sa.Column("holder", sa.String(length=100), nullable=True))
