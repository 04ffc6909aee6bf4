"""The first tables: the network, bookings that cannot overlap, the ledger and its projections.

Written out rather than taken from `schema.py`, because a migration stays as it was when it ran. Longer
than a module of ours should be: one function for each table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LIVE = "('booked', 'active', 'returned')"


def upgrade() -> None:
    _incidents()
    _key_states()
    _meta()
    _municipalities()
    _organisations()
    _vehicle_readings()
    _members()
    _stations()
    _badges()
    _cabinets()
    _vehicles()
    _cabinet_links()
    _cursors()
    _desired_grants()
    _desired_states()
    _facts()
    _keys()
    _rentals()
    _slot_states()
    _bookings()
    _handovers()
    _key_tags()
    _refusals()
    _booking_drivers()
    _booking_history()
    if op.get_bind().dialect.name == "postgresql":
        _refuse_overlap_in_postgresql()
    else:
        _refuse_overlap_in_sqlite()


def _refuse_overlap_in_sqlite() -> None:
    for event in ("INSERT", "UPDATE"):
        op.execute(
            f"""
            CREATE TRIGGER booking_overlap_{event.lower()} BEFORE {event} ON bookings
            WHEN NEW.state IN {LIVE}
            BEGIN
                SELECT RAISE(ABORT, 'booking_overlap') WHERE EXISTS (
                    SELECT 1 FROM bookings
                    WHERE state IN {LIVE} AND vehicle_id = NEW.vehicle_id AND id <> NEW.id
                    AND start_ms < NEW.end_ms AND end_ms > NEW.start_ms
                );
            END
            """  # noqa: S608  # made of this file's own constants
        )


def _refuse_overlap_in_postgresql() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute(
        f"""
        ALTER TABLE bookings ADD CONSTRAINT booking_overlap
        EXCLUDE USING gist (vehicle_id WITH =, int8range(start_ms, end_ms) WITH &&)
        WHERE (state IN {LIVE})
        """
    )


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("cabinet_id", sa.String(length=64), nullable=True),
        sa.Column("vehicle_id", sa.String(length=64), nullable=True),
        sa.Column("booking_id", sa.String(length=64), nullable=True),
        sa.Column("severity", sa.String(length=64), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_incidents_open",
        "incidents",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("closed_ms IS NULL"),
        postgresql_where=sa.text("closed_ms IS NULL"),
    )


def _key_states() -> None:
    op.create_table(
        "key_states",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("cabinet_id", sa.String(length=64), nullable=True),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("grant_id", sa.String(length=64), nullable=True),
        sa.Column("badge_ref", sa.String(length=64), nullable=True),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("identity IN ('read', 'presumed', 'unknown')", name=op.f("ck_key_states_identity")),
        sa.CheckConstraint(
            "state IN ('in_slot', 'taken', 'missing', 'elsewhere')", name=op.f("ck_key_states_state")
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_key_states")),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )


def _municipalities() -> None:
    op.create_table(
        "municipalities",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_municipalities")),
    )


def _organisations() -> None:
    op.create_table(
        "organisations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
    )


def _vehicle_readings() -> None:
    op.create_table(
        "vehicle_readings",
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("odometer_m", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("energy_percent", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("charging", sa.Boolean(), nullable=True),
        sa.Column("low_voltage_mv", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("vehicle_id", name=op.f("pk_vehicle_readings")),
    )


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.String(length=64), nullable=True),
        sa.Column("standing", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "standing IN ('active', 'suspended', 'licence_expired')", name=op.f("ck_members_standing")
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_members_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
    )


def _stations() -> None:
    op.create_table(
        "stations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("municipality_id", sa.String(length=64), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("life_cycle", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "life_cycle IN ('ordered', 'in_service', 'retired')", name=op.f("ck_stations_life_cycle")
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipalities.id"], name=op.f("fk_stations_municipality_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stations")),
    )


def _badges() -> None:
    op.create_table(
        "badges",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(length=64), nullable=False),
        sa.Column("credential", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('active', 'revoked')", name=op.f("ck_badges_state")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_badges_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_badges")),
        sa.UniqueConstraint("credential", name=op.f("uq_badges_credential")),
        sa.UniqueConstraint("ref", name=op.f("uq_badges_ref")),
    )
    op.create_index(op.f("ix_badges_member_id"), "badges", ["member_id"], unique=False)


def _cabinets() -> None:
    op.create_table(
        "cabinets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("slots", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=True),
        sa.Column("life_cycle", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "life_cycle IN ('ordered', 'in_service', 'retired')", name=op.f("ck_cabinets_life_cycle")
        ),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_cabinets_station_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cabinets")),
    )


def _vehicles() -> None:
    op.create_table(
        "vehicles",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("energy", sa.String(length=64), nullable=False),
        sa.Column("home_station_id", sa.String(length=64), nullable=False),
        sa.Column("life_cycle", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "life_cycle IN ('ordered', 'in_service', 'retired')", name=op.f("ck_vehicles_life_cycle")
        ),
        sa.ForeignKeyConstraint(["home_station_id"], ["stations.id"], name=op.f("fk_vehicles_home_station_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicles")),
    )


def _cabinet_links() -> None:
    op.create_table(
        "cabinet_links",
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("boot_nonce", sa.String(length=64), nullable=True),
        sa.Column("boot_ms", sa.BigInteger(), nullable=True),
        sa.Column("connection", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("agent_version", sa.Text(), nullable=True),
        sa.Column("presence_ms", sa.BigInteger(), nullable=True),
        sa.Column("reported", sa.Text(), nullable=True),
        sa.Column("reported_boot_nonce", sa.String(length=64), nullable=True),
        sa.Column("reported_boot_ms", sa.BigInteger(), nullable=True),
        sa.Column("reported_connection", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("reported_revision", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("reported_ms", sa.BigInteger(), nullable=True),
        sa.Column("reported_epoch", sa.String(length=32), nullable=True),
        sa.Column("reported_seq", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("reported_trusted", sa.Boolean(), nullable=True),
        sa.Column("reported_applied", sa.Boolean(), nullable=False),
        sa.Column("desired_version_held", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("heard_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_cabinet_links_cabinet_id")),
        sa.PrimaryKeyConstraint("cabinet_id", name=op.f("pk_cabinet_links")),
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("complete_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_cursors_cabinet_id")),
        sa.PrimaryKeyConstraint("cabinet_id", "epoch", name=op.f("pk_cursors")),
        sa.UniqueConstraint("cabinet_id", "number", name=op.f("uq_cursors_cabinet_id_number")),
    )


def _desired_grants() -> None:
    op.create_table(
        "desired_grants",
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("grant_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("since_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("booking_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_desired_grants_cabinet_id")),
        sa.PrimaryKeyConstraint("cabinet_id", "grant_id", name=op.f("pk_desired_grants")),
    )


def _desired_states() -> None:
    op.create_table(
        "desired_states",
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("wire", sa.Text(), nullable=False),
        sa.Column("computed_ms", sa.BigInteger(), nullable=False),
        sa.Column("dirty", sa.Boolean(), nullable=False),
        sa.Column("grants_left_out", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_desired_states_cabinet_id")),
        sa.PrimaryKeyConstraint("cabinet_id", name=op.f("pk_desired_states")),
    )


def _facts() -> None:
    op.create_table(
        "facts",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_facts_cabinet_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_facts")),
        sa.UniqueConstraint("cabinet_id", "epoch", "seq", name=op.f("uq_facts_cabinet_id_epoch_seq")),
        sqlite_autoincrement=True,
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("home_cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("home_slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("life_cycle", sa.String(length=64), nullable=False),
        sa.CheckConstraint("life_cycle IN ('ordered', 'in_service', 'retired')", name=op.f("ck_keys_life_cycle")),
        sa.ForeignKeyConstraint(["home_cabinet_id"], ["cabinets.id"], name=op.f("fk_keys_home_cabinet_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_keys_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    )
    op.create_index(op.f("ix_keys_home_cabinet_id"), "keys", ["home_cabinet_id"], unique=False)
    op.create_index(op.f("ix_keys_vehicle_id"), "keys", ["vehicle_id"], unique=False)


def _rentals() -> None:
    op.create_table(
        "rentals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("booking_id", sa.String(length=64), nullable=True),
        sa.Column("vehicle_id", sa.String(length=64), nullable=True),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("badge_ref", sa.String(length=64), nullable=True),
        sa.Column("taken_ms", sa.BigInteger(), nullable=False),
        sa.Column("returned_ms", sa.BigInteger(), nullable=True),
        sa.Column("odometer_start_m", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("odometer_end_m", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("energy_start_percent", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("energy_end_percent", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_rentals_cabinet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rentals")),
    )
    op.create_index(op.f("ix_rentals_booking_id"), "rentals", ["booking_id"], unique=False)
    op.create_index(op.f("ix_rentals_key_id_taken_ms"), "rentals", ["key_id", "taken_ms"], unique=False)


def _slot_states() -> None:
    op.create_table(
        "slot_states",
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_present", sa.Boolean(), nullable=True),
        sa.Column("door_open", sa.Boolean(), nullable=True),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("identity", sa.String(length=64), nullable=True),
        sa.Column("opened_for", sa.String(length=64), nullable=True),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("identity IN ('read', 'presumed', 'unknown')", name=op.f("ck_slot_states_identity")),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_slot_states_cabinet_id")),
        sa.PrimaryKeyConstraint("cabinet_id", "slot", name=op.f("pk_slot_states")),
    )


def _bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("grant_id", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(length=64), nullable=False),
        sa.Column("organisation_id", sa.String(length=64), nullable=True),
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=True),
        sa.Column("station_id", sa.String(length=64), nullable=False),
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("original_start_ms", sa.BigInteger(), nullable=False),
        sa.Column("take_by_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("taken_ms", sa.BigInteger(), nullable=True),
        sa.Column("returned_ms", sa.BigInteger(), nullable=True),
        sa.Column("hold_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint(
            "state IN ('booked', 'active', 'returned', 'completed', 'cancelled', 'no_show')",
            name=op.f("ck_bookings_state"),
        ),
        sa.CheckConstraint("start_ms < take_by_ms AND take_by_ms <= end_ms", name=op.f("ck_bookings_window")),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_bookings_cabinet_id")),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_bookings_key_id")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_bookings_member_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_bookings_organisation_id")
        ),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_bookings_station_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_bookings_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
        sa.UniqueConstraint("grant_id", name=op.f("uq_bookings_grant_id")),
    )
    op.create_index("ix_bookings_cabinet", "bookings", ["cabinet_id", "start_ms"], unique=False)
    op.create_index("ix_bookings_member", "bookings", ["member_id", "start_ms"], unique=False)
    op.create_index(
        "ix_bookings_state",
        "bookings",
        ["state", "take_by_ms"],
        unique=False,
        sqlite_where=sa.text("state IN ('booked', 'active', 'returned')"),
        postgresql_where=sa.text("state IN ('booked', 'active', 'returned')"),
    )
    op.create_index(
        "ix_bookings_vehicle_live",
        "bookings",
        ["vehicle_id", "start_ms"],
        unique=False,
        sqlite_where=sa.text("state IN ('booked', 'active', 'returned')"),
        postgresql_where=sa.text("state IN ('booked', 'active', 'returned')"),
    )


def _handovers() -> None:
    op.create_table(
        "handovers",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("vehicle_id", sa.String(length=64), nullable=True),
        sa.Column("booking_id", sa.String(length=64), nullable=True),
        sa.Column("badge_ref", sa.String(length=64), nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("wrong_slot", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('taken', 'returned')", name=op.f("ck_handovers_kind")),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_handovers_cabinet_id")),
        sa.ForeignKeyConstraint(["position"], ["facts.position"], name=op.f("fk_handovers_position")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_handovers")),
    )
    op.create_index(op.f("ix_handovers_booking_id"), "handovers", ["booking_id"], unique=False)
    op.create_index(op.f("ix_handovers_key_id_at_ms"), "handovers", ["key_id", "at_ms"], unique=False)


def _key_tags() -> None:
    op.create_table(
        "key_tags",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("credential", sa.String(length=128), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_until_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_key_tags_key_id")),
        sa.PrimaryKeyConstraint("key_id", "credential", "valid_from_ms", name=op.f("pk_key_tags")),
    )


def _refusals() -> None:
    op.create_table(
        "refusals",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("cabinet_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("badge_ref", sa.String(length=64), nullable=True),
        sa.Column("grant_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["cabinet_id"], ["cabinets.id"], name=op.f("fk_refusals_cabinet_id")),
        sa.ForeignKeyConstraint(["position"], ["facts.position"], name=op.f("fk_refusals_position")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_refusals")),
    )
    op.create_index(op.f("ix_refusals_grant_id"), "refusals", ["grant_id"], unique=False)


def _booking_drivers() -> None:
    op.create_table(
        "booking_drivers",
        sa.Column("booking_id", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_booking_drivers_booking_id")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_booking_drivers_member_id")),
        sa.PrimaryKeyConstraint("booking_id", "member_id", name=op.f("pk_booking_drivers")),
    )


def _booking_history() -> None:
    op.create_table(
        "booking_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("booking_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_booking_history_booking_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_history")),
    )
    op.create_index(op.f("ix_booking_history_booking_id"), "booking_history", ["booking_id"], unique=False)
