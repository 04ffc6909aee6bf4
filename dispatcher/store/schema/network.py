"""The network, as it is imported."""

from sqlalchemy import BigInteger, Column, Float, Index, String

from dispatcher.store.columns import flag, id_, integer, long_text, ms, one_of, origin, ref, word
from dispatcher.store.schema.base import BADGE_STATES, LIFE_CYCLES, POOL_STATES, STANDINGS, table

municipalities = table("municipalities", id_(), long_text("name"))
stations = table(
    "stations",
    id_(),
    long_text("name"),
    ref("municipality_id", "municipalities.id"),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    flag("public"),
    word("life_cycle"),
    one_of("life_cycle", LIFE_CYCLES),
    Index(None, "latitude", "longitude"),
)
cabinets = table(
    "cabinets",
    id_(),
    ref("station_id", "stations.id"),
    integer("slots"),
    word("public_key", nullable=True),
    word("life_cycle"),
    one_of("life_cycle", LIFE_CYCLES),
)
cabinet_stations = table(
    "cabinet_stations",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    ref("station_id", "stations.id", primary_key=True),
    flag("serves"),
)
"""The stations that a cabinet serves beside its main one, `cabinets.station_id`; `serves` false: not any more."""
organisations = table("organisations", id_(), long_text("name"))
cost_centres = table("cost_centres", id_(), ref("organisation_id", "organisations.id"), long_text("name"))
pools = table("pools", id_(), ref("organisation_id", "organisations.id"), long_text("name"))
"""Lists of an organisation's drivers. A booking that names one opens to all of them."""
members = table(
    "members",
    id_(),
    long_text("name"),
    ref("organisation_id", "organisations.id", nullable=True),
    word("standing"),
    Column("role", String(64), nullable=False, server_default="member"),
    ms("erased_ms", nullable=True),
    origin(),
    one_of("standing", STANDINGS),
)
"""`erased_ms`: the row stands for somebody who is not known any more; it has no name and may drive nothing."""
pool_members = table(
    "pool_members",
    ref("pool_id", "pools.id", primary_key=True),
    ref("member_id", "members.id", primary_key=True),
    word("state"),
    origin(),
    one_of("state", POOL_STATES),
    Index(None, "member_id"),
)
"""Who drives for whom: personal, and gone with the member."""
badges = table(
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
badge_pins = table(
    "badge_pins",
    ref("badge_id", "badges.id", primary_key=True),
    Column("sealed", String(128), nullable=False),
    origin(),
)
"""PINs as `dispatcher.store.pins` seals them. A badge without a row has none."""
vehicles = table(
    "vehicles",
    id_(),
    long_text("name"),
    word("category"),
    word("energy"),
    ref("home_station_id", "stations.id"),
    word("life_cycle"),
    word("plate", nullable=True),
    one_of("life_cycle", LIFE_CYCLES),
    Index(None, "home_station_id"),
    Index(None, "plate"),
)
"""`plate`: capital letters and digits alone, as `AB123CD`."""
keys = table(
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
key_tags = table(
    "key_tags",
    ref("key_id", "keys.id", primary_key=True),
    Column("credential", String(128), primary_key=True),
    Column("valid_from_ms", BigInteger, primary_key=True, autoincrement=False),
    ms("valid_until_ms", nullable=True),
    origin(),
)
thefts = table(
    "thefts",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    ms("at_ms"),
    long_text("author"),
    word("case_no"),
    long_text("reason"),
)
"""Cabinets that were stolen. Whom that concerns follows from their bookings."""
