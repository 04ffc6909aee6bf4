"""Events for others, subscriptions, and what is delivered to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("state = 'waiting'")
FAN_OUT = """
    INSERT INTO webhook_deliveries (webhook_id, sequence, subject, state, attempts, queued_ms, next_ms, log)
    SELECT id, NEW.sequence, NEW.subject, 'waiting', 0, NEW.at_ms, NEW.at_ms, '[]' FROM webhooks
    WHERE state <> 'disabled' AND NEW.kind <> 'webhook.test'
    AND (kinds IS NULL OR {position}(kinds, '|' || NEW.kind || '|') > 0);
"""


def upgrade() -> None:
    _outbox()
    _webhooks()
    _deliveries()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION outbox_fan_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" {FAN_OUT.format(position='strpos')} RETURN NULL; END $$"
        )
        op.execute(
            "CREATE TRIGGER outbox_fan_out AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_fan_out()"
        )
    else:
        fan_out = FAN_OUT.format(position="instr")
        op.execute(f"CREATE TRIGGER outbox_fan_out AFTER INSERT ON outbox BEGIN {fan_out} END")


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("sequence", BIG, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("personal", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_at_ms"), "outbox", ["at_ms"])


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=True),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("why_disabled", sa.String(length=64), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("sealed_before", sa.Text(), nullable=True),
        sa.Column("before_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rests_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("claim", sa.String(length=64), nullable=True),
        sa.Column("served_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused', 'disabled')", name=op.f("ck_webhooks_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("queued_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("log", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'dead')", name=op.f("ck_webhook_deliveries_state")),
        sa.ForeignKeyConstraint(["sequence"], ["outbox.sequence"], name=op.f("fk_webhook_deliveries_sequence")),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id")),
        sa.PrimaryKeyConstraint("webhook_id", "sequence", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(op.f("ix_webhook_deliveries_sequence"), "webhook_deliveries", ["sequence"])
    op.create_index(
        "ix_webhook_deliveries_waiting",
        "webhook_deliveries",
        ["webhook_id", "subject", "sequence"],
        unique=False,
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
