"""Every table of the dispatcher, as SQLAlchemy Core sees it. Migrations make them; a test compares the two.

Times are integers, unix milliseconds, in columns named `*_ms`. Ids that arrive in facts (keys, grants,
badge references) carry no foreign key: a fact is kept whatever it names.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

from dispatcher.core.booking_states import HOLDING_STATES, BookingState
from dispatcher.store.columns import (
    BIG,
    flag,
    id_,
    in_list,
    integer,
    long_text,
    ms,
    number,
    one_of,
    origin,
    ref,
    word,
)

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
BADGE_STATES = ("active", "revoked")
BOOKING_STATES = tuple(str(state) for state in BookingState)
LIVE_BOOKING_STATES = tuple(str(state) for state in BookingState if state in HOLDING_STATES)
"""Those that hold their vehicle: two of them never overlap, by the database's word."""
KEY_PLACES = ("in_slot", "taken", "missing", "elsewhere")
IDENTITIES = ("read", "presumed", "unknown")
HANDOVER_KINDS = ("taken", "returned")
COMMAND_OUTCOMES = ("received", "completed", "refused", "expired", "unanswered")


def _table(name: str, *items: SchemaItem, sqlite_autoincrement: bool = False) -> Table:
    return Table(name, metadata, *items, sqlite_autoincrement=sqlite_autoincrement)


meta = _table("meta", word("key", primary_key=True), long_text("value"))
"""`ledger_id`: names this ledger to every box; a restore makes a new one."""

# --- the network, imported

municipalities = _table("municipalities", id_(), long_text("name"))
stations = _table(
    "stations",
    id_(),
    long_text("name"),
    ref("municipality_id", "municipalities.id"),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    flag("public"),
    word("life_cycle"),
    one_of("life_cycle", LIFE_CYCLES),
)
cabinets = _table(
    "cabinets",
    id_(),
    ref("station_id", "stations.id"),
    integer("slots"),
    word("public_key", nullable=True),
    word("life_cycle"),
    one_of("life_cycle", LIFE_CYCLES),
)
organisations = _table("organisations", id_(), long_text("name"))
members = _table(
    "members",
    id_(),
    long_text("name"),
    ref("organisation_id", "organisations.id", nullable=True),
    word("standing"),
    origin(),
    one_of("standing", STANDINGS),
)
badges = _table(
    "badges",
    id_(),
    Column("ref", String(64), nullable=False, unique=True),
    ref("member_id", "members.id"),
    Column("credential", String(128), nullable=False, unique=True),
    word("state"),
    ms("revoked_ms", nullable=True),
    origin(),
    one_of("state", BADGE_STATES),
    Index(None, "member_id"),
)
vehicles = _table(
    "vehicles",
    id_(),
    long_text("name"),
    word("category"),
    word("energy"),
    ref("home_station_id", "stations.id"),
    word("life_cycle"),
    one_of("life_cycle", LIFE_CYCLES),
)
keys = _table(
    "keys",
    id_(),
    ref("vehicle_id", "vehicles.id"),
    ref("home_cabinet_id", "cabinets.id"),
    integer("home_slot"),
    word("life_cycle"),
    origin(),
    one_of("life_cycle", LIFE_CYCLES),
    Index(None, "vehicle_id"),
    Index(None, "home_cabinet_id"),
)
key_tags = _table(
    "key_tags",
    ref("key_id", "keys.id", primary_key=True),
    Column("credential", String(128), primary_key=True),
    Column("valid_from_ms", BigInteger, primary_key=True, autoincrement=False),
    ms("valid_until_ms", nullable=True),
    origin(),
)

# --- bookings

bookings = _table(
    "bookings",
    id_(),
    Column("grant_id", String(64), nullable=False, unique=True),
    ref("member_id", "members.id"),
    ref("organisation_id", "organisations.id", nullable=True),
    ref("vehicle_id", "vehicles.id"),
    word("category", nullable=True),
    ref("station_id", "stations.id"),
    ref("cabinet_id", "cabinets.id"),
    ref("key_id", "keys.id"),
    ms("start_ms"),
    ms("end_ms"),
    ms("original_start_ms"),
    ms("take_by_ms"),
    word("state"),
    ms("taken_ms", nullable=True),
    ms("returned_ms", nullable=True),
    ms("hold_until_ms", nullable=True),
    ms("ended_ms", nullable=True),
    ms("created_ms"),
    ms("changed_ms"),
    integer("version"),
    origin(),
    one_of("state", BOOKING_STATES),
    CheckConstraint("start_ms < take_by_ms AND take_by_ms <= end_ms", name="window"),
    Index("ix_bookings_cabinet", "cabinet_id", "start_ms"),
    Index("ix_bookings_member", "member_id", "start_ms"),
)
Index(  # what the overlap is checked by: only live bookings, so its size does not grow with history
    "ix_bookings_vehicle_live",
    bookings.c.vehicle_id,
    bookings.c.start_ms,
    sqlite_where=text(in_list("state", LIVE_BOOKING_STATES)),
    postgresql_where=text(in_list("state", LIVE_BOOKING_STATES)),
)
Index(  # what timed work asks for every few seconds
    "ix_bookings_state",
    bookings.c.state,
    bookings.c.take_by_ms,
    sqlite_where=text(in_list("state", LIVE_BOOKING_STATES)),
    postgresql_where=text(in_list("state", LIVE_BOOKING_STATES)),
)
booking_drivers = _table(
    "booking_drivers",
    ref("booking_id", "bookings.id", primary_key=True),
    ref("member_id", "members.id", primary_key=True),
)
booking_history = _table(
    "booking_history",
    number(),
    ref("booking_id", "bookings.id"),
    ms("at_ms"),
    word("what"),
    long_text("author"),
    long_text("detail"),
    Index(None, "booking_id"),
)

# --- the ledger

facts = _table(
    "facts",
    Column("position", BIG, primary_key=True, autoincrement=True),
    ref("cabinet_id", "cabinets.id"),
    Column("epoch", String(32), nullable=False),
    integer("seq"),
    ms("at_ms"),
    ms("received_ms"),
    word("kind"),
    long_text("text"),
    Column("hash", String(64), nullable=False),
    Column("repeats", BIG),
    UniqueConstraint("cabinet_id", "epoch", "seq"),
    sqlite_autoincrement=True,  # a position is never given twice
)
"""`repeats`: the position of the fact that this one tells again under another number; it was not applied again."""
cursors = _table(
    "cursors",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    Column("epoch", String(32), primary_key=True),
    integer("number"),
    ms("created_ms"),
    integer("seq"),
    Column("hash", String(64), nullable=False),
    ms("complete_ms"),
    UniqueConstraint("cabinet_id", "number"),
)
"""Facts of `epoch` are applied up to `seq`; all that the box noted before `complete_ms` is among them. `number`
is highest for the epoch that was told last: `created_ms` is by a clock that may have been set back."""

# --- what was heard of each cabinet

cabinet_links = _table(
    "cabinet_links",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    flag("online"),
    word("boot_nonce", nullable=True),
    ms("boot_ms", nullable=True),
    integer("connection", nullable=True),
    long_text("agent_version", nullable=True),
    ms("presence_ms", nullable=True),
    long_text("reported", nullable=True),
    word("reported_boot_nonce", nullable=True),
    ms("reported_boot_ms", nullable=True),
    integer("reported_connection", nullable=True),
    integer("reported_revision", nullable=True),
    ms("reported_ms", nullable=True),
    Column("reported_epoch", String(32)),
    integer("reported_seq", nullable=True),
    flag("reported_trusted", nullable=True),
    flag("reported_applied"),
    integer("desired_version_held", nullable=True),
    ms("heard_ms", nullable=True),
    flag("clock_trusted", nullable=True),
)
"""`reported_ms` is by the box's clock, `presence_ms` and `heard_ms` by ours. `reported_applied`: the newest
report was compared with the projections, once the facts that it includes were there. `clock_trusted`: by the
newest word about it, report or fact."""

# --- operators' commands

commands = _table(
    "commands",
    id_(),
    ref("cabinet_id", "cabinets.id"),
    integer("slot", nullable=True),
    integer("counter"),
    word("action"),
    long_text("author"),
    long_text("reason"),
    ms("issued_ms"),
    ms("expires_ms"),
    word("outcome", nullable=True),
    word("outcome_reason", nullable=True),
    ms("answered_ms", nullable=True),
    origin(),
    one_of("outcome", COMMAND_OUTCOMES),
    UniqueConstraint("cabinet_id", "counter"),
)
"""`answered_ms`: when its outcome was final; a command without it is open, and is sent again and again."""
Index(
    "ix_commands_open",
    commands.c.cabinet_id,
    commands.c.counter,
    sqlite_where=text("answered_ms IS NULL"),
    postgresql_where=text("answered_ms IS NULL"),
)
command_counters = _table(
    "command_counters", ref("cabinet_id", "cabinets.id", primary_key=True), integer("counter")
)
"""The last number given to a command to each cabinet, of whatever action: none is given twice."""

# --- projections of the ledger

slot_states = _table(
    "slot_states",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    integer("slot", primary_key=True),
    flag("key_present", nullable=True),
    flag("door_open", nullable=True),
    word("key_id", nullable=True),
    word("identity", nullable=True),
    word("opened_for", nullable=True),
    ms("changed_ms"),
    one_of("identity", IDENTITIES),
)
"""`opened_for`: the grant under which the slot was released, until its key is out or the slot was seen shut."""
key_states = _table(
    "key_states",
    word("key_id", primary_key=True),
    word("state"),
    word("cabinet_id", nullable=True),
    integer("slot", nullable=True),
    word("identity"),
    word("grant_id", nullable=True),
    word("badge_ref", nullable=True),
    ms("since_ms"),
    word("command_id", nullable=True),
    one_of("state", KEY_PLACES),
    one_of("identity", IDENTITIES),
)
"""`grant_id`, `command_id`: the right under which it is out."""
handovers = _table(
    "handovers",
    Column("position", BIG, ForeignKey("facts.position"), primary_key=True, autoincrement=False),
    word("kind"),
    ref("cabinet_id", "cabinets.id"),
    integer("slot"),
    word("key_id", nullable=True),
    word("vehicle_id", nullable=True),
    word("booking_id", nullable=True),
    word("badge_ref", nullable=True),
    ms("at_ms"),
    word("identity"),
    flag("wrong_slot"),
    word("command_id", nullable=True),
    one_of("kind", HANDOVER_KINDS),
    Index(None, "booking_id"),
    Index(None, "key_id", "at_ms"),
)
rentals = _table(
    "rentals",
    number(),
    word("booking_id", nullable=True),
    word("vehicle_id", nullable=True),
    word("key_id", nullable=True),
    ref("cabinet_id", "cabinets.id"),
    word("badge_ref", nullable=True),
    ms("taken_ms"),
    ms("returned_ms", nullable=True),
    integer("odometer_start_m", nullable=True),
    integer("odometer_end_m", nullable=True),
    integer("energy_start_percent", nullable=True),
    integer("energy_end_percent", nullable=True),
    Index(None, "booking_id"),
    Index(None, "key_id", "taken_ms"),
)
refusals = _table(
    "refusals",
    Column("position", BIG, ForeignKey("facts.position"), primary_key=True, autoincrement=False),
    ref("cabinet_id", "cabinets.id"),
    word("reason"),
    ms("at_ms"),
    word("badge_ref", nullable=True),
    word("grant_id", nullable=True),
    Index(None, "grant_id"),
)
"""Who came and got no key: a refusal, or `release_failed` where the lock did not open."""
badge_sightings = _table(
    "badge_sightings",
    word("badge_ref", primary_key=True),
    ref("station_id", "stations.id"),
    ms("at_ms"),
)
"""Where each badge was shown last, by trusted clocks."""
vehicle_readings = _table(
    "vehicle_readings",
    word("vehicle_id", primary_key=True),
    ms("at_ms"),
    integer("odometer_m", nullable=True),
    integer("energy_percent", nullable=True),
    flag("charging", nullable=True),
    integer("low_voltage_mv", nullable=True),
)

# --- decisions

incidents = _table(
    "incidents",
    number(),
    word("kind"),
    Column("subject", String(128), nullable=False),
    word("cabinet_id", nullable=True),
    word("vehicle_id", nullable=True),
    word("booking_id", nullable=True),
    word("severity"),
    ms("opened_ms"),
    ms("updated_ms"),
    ms("closed_ms", nullable=True),
    long_text("expected"),
    long_text("seen"),
    sqlite_autoincrement=True,
)
Index(  # opened once
    "uq_incidents_open",
    incidents.c.kind,
    incidents.c.subject,
    unique=True,
    sqlite_where=text("closed_ms IS NULL"),
    postgresql_where=text("closed_ms IS NULL"),
)
desired_states = _table(
    "desired_states",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    integer("version"),
    Column("digest", String(64), nullable=False),
    long_text("wire"),
    ms("computed_ms"),
    flag("dirty"),
    integer("grants_left_out"),
    long_text("refused", nullable=True),
)
"""Version 0 and an empty wire: marked dirty and not computed yet."""
desired_grants = _table(
    "desired_grants",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    word("grant_id", primary_key=True),
    Column("digest", String(64), nullable=False),
    integer("since_version"),
    integer("booking_version"),
)
"""The grants of the stored desired, each with the first version that carried it in its present form, and with
the version of its booking that this form was computed from."""
