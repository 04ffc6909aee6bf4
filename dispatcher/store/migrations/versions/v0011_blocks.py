"""Blocks, which refuse new bookings by the database's word; and who changed what of the network."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

LIVE = "('booked', 'active', 'returned')"
GOES_ON = """ended_ms IS NULL AND vehicle_id = NEW.vehicle_id AND start_ms < NEW.end_ms
                AND (expected_end_ms IS NULL OR expected_end_ms > NEW.start_ms OR NEW.changed_ms >= NEW.start_ms)"""
"""Past its expected end a block covers the present instant: whose start has come by then is under it."""
IS_NEW_TIME = """NEW.vehicle_id <> OLD.vehicle_id OR NEW.start_ms < OLD.start_ms OR NEW.end_ms > OLD.end_ms
            OR OLD.state NOT IN ('booked', 'active', 'returned')"""
"""What a booking had before a block was laid over it stays its own."""


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_what_subject"), "changes", ["what", "subject"], unique=False)
    _blocks()
    if op.get_bind().dialect.name == "postgresql":
        _refuse_in_postgresql()
    else:
        _refuse_in_sqlite()


def _blocks() -> None:
    op.create_table(
        "blocks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("expected_end_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint(
            "kind IN ('damage', 'cleaning', 'maintenance', 'battery', 'admin')", name=op.f("ck_blocks_kind")
        ),
        sa.CheckConstraint("expected_end_ms IS NULL OR start_ms < expected_end_ms", name=op.f("ck_blocks_window")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_blocks_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocks")),
    )
    op.create_index("ix_blocks_vehicle", "blocks", ["vehicle_id", "ended_ms"], unique=False)


def _refuse_in_sqlite() -> None:
    """One writer at a time: what a trigger sees is all there is."""
    for event, and_new in (("INSERT", ""), ("UPDATE", f"AND ({IS_NEW_TIME})")):
        op.execute(
            f"""
            CREATE TRIGGER booking_blocked_{event.lower()} BEFORE {event} ON bookings
            WHEN NEW.purpose IS NULL AND NEW.state IN {LIVE} {and_new}
            BEGIN
                SELECT RAISE(ABORT, 'booking_blocked') WHERE EXISTS (
                    SELECT 1 FROM blocks WHERE {GOES_ON}
                );
            END
            """  # noqa: S608  # made of this file's own constants
        )


def _refuse_in_postgresql() -> None:
    """A booking shares the vehicle's row, a block has it alone: the second to come sees what the first wrote.

    Each statement of a function takes a new snapshot where transactions are read committed.
    """
    op.execute(
        f"""
        CREATE FUNCTION refuse_blocked_booking() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM vehicles WHERE id = NEW.vehicle_id FOR SHARE;
            IF EXISTS (SELECT 1 FROM blocks WHERE {GOES_ON}) THEN
                RAISE EXCEPTION 'booking_blocked' USING ERRCODE = 'exclusion_violation';
            END IF;
            RETURN NEW;
        END $$
        """  # noqa: S608  # as above
    )
    op.execute(
        """
        CREATE FUNCTION lock_blocked_vehicle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM vehicles WHERE id = NEW.vehicle_id FOR UPDATE;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        f"""
        CREATE TRIGGER booking_blocked_insert BEFORE INSERT ON bookings FOR EACH ROW
        WHEN (NEW.purpose IS NULL AND NEW.state IN {LIVE}) EXECUTE FUNCTION refuse_blocked_booking()
        """
    )
    op.execute(
        f"""
        CREATE TRIGGER booking_blocked_update BEFORE UPDATE ON bookings FOR EACH ROW
        WHEN (NEW.purpose IS NULL AND NEW.state IN {LIVE} AND ({IS_NEW_TIME}))
        EXECUTE FUNCTION refuse_blocked_booking()
        """
    )
    op.execute(
        """
        CREATE TRIGGER block_locks_vehicle BEFORE INSERT OR UPDATE ON blocks FOR EACH ROW
        EXECUTE FUNCTION lock_blocked_vehicle()
        """
    )
