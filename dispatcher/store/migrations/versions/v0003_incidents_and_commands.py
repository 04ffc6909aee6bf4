"""What a fleet with faults asks for: the clock's trust, badges' last sights, facts told again, commands."""

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
    _commands()


def _commands() -> None:
    for table in ("key_states", "handovers"):
        op.add_column(table, sa.Column("command_id", sa.String(length=64), nullable=True))
    op.create_table(
        "command_counters",
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("counter", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_command_counters_cabinet_id")),
        sa.PrimaryKeyConstraint("cabinet_id", name=op.f("pk_command_counters")),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("counter", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=True),
        sa.Column("outcome_reason", sa.String(length=64), nullable=True),
        sa.Column("answered_ms", sa.BigInteger(), nullable=True),
        sa.Column("origin", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('received', 'completed', 'refused', 'expired', 'unanswered')",
            name=op.f("ck_commands_outcome"),
        ),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_commands_cabinet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
        sa.UniqueConstraint("cabinet_id", "counter", name=op.f("uq_commands_cabinet_id_counter")),
    )
    op.create_index(
        "ix_commands_open",
        "commands",
        ["cabinet_id", "counter"],
        unique=False,
        sqlite_where=sa.text("answered_ms IS NULL"),
        postgresql_where=sa.text("answered_ms IS NULL"),
    )
