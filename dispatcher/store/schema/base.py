"""What all tables share: their naming, and the words that their columns may hold."""

from sqlalchemy import MetaData, Table
from sqlalchemy.schema import SchemaItem

from dispatcher.core.booking_states import HOLDING_STATES, BookingState
from dispatcher.store.columns import long_text, word

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

LIFE_CYCLES = ("ordered", "in_service", "retired")
STANDINGS = ("active", "suspended", "licence_expired")
ROLES = ("member", "staff", "third_party")
BADGE_STATES = ("active", "revoked")
POOL_STATES = ("active", "removed")
BOOKING_STATES = tuple(str(state) for state in BookingState)
LIVE_BOOKING_STATES = tuple(str(state) for state in BookingState if state in HOLDING_STATES)
"""Those that hold their vehicle: two of them never overlap, by the database's word."""
KEY_PLACES = ("in_slot", "taken", "missing", "elsewhere")
IDENTITIES = ("read", "presumed", "unknown")
HANDOVER_KINDS = ("taken", "returned")
COMMAND_OUTCOMES = ("received", "completed", "refused", "expired", "unanswered")


def table(name: str, *items: SchemaItem, sqlite_autoincrement: bool = False) -> Table:
    """A table of the one metadata that migrations are compared with."""
    return Table(name, metadata, *items, sqlite_autoincrement=sqlite_autoincrement)


meta = table("meta", word("key", primary_key=True), long_text("value"))
"""`ledger_id`: names this ledger to every box; a restore makes a new one."""
