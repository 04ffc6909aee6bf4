"""Every table of the dispatcher, as SQLAlchemy Core sees it. Migrations make them; a test compares the two.

Times are integers, unix milliseconds, in columns named `*_ms`. Ids that arrive in facts (keys, grants,
badge references) carry no foreign key: a fact is kept whatever it names.
"""

from dispatcher.store.schema.api import stored_answers
from dispatcher.store.schema.base import (
    BADGE_STATES,
    BOOKING_STATES,
    COMMAND_OUTCOMES,
    HANDOVER_KINDS,
    IDENTITIES,
    KEY_PLACES,
    LIFE_CYCLES,
    LIVE_BOOKING_STATES,
    POOL_STATES,
    ROLES,
    STANDINGS,
    meta,
    metadata,
)
from dispatcher.store.schema.bookings import booking_drivers, booking_history, bookings, custody
from dispatcher.store.schema.changes import changes
from dispatcher.store.schema.decisions import desired_grants, desired_states, incident_history, incidents
from dispatcher.store.schema.demand import unmet_demand
from dispatcher.store.schema.events import DELIVERY_STATES, WEBHOOK_STATES, outbox, webhook_deliveries, webhooks
from dispatcher.store.schema.ledger import cabinet_links, command_counters, commands, cursors, facts
from dispatcher.store.schema.network import (
    badge_pins,
    badges,
    cabinet_stations,
    cabinets,
    cost_centres,
    key_tags,
    keys,
    members,
    municipalities,
    organisations,
    pool_members,
    pools,
    stations,
    thefts,
    vehicles,
)
from dispatcher.store.schema.offers import OFFER_STATES, swap_offers
from dispatcher.store.schema.personal import audit, held_badges, held_names
from dispatcher.store.schema.picture import (
    badge_sightings,
    handovers,
    key_states,
    refusals,
    rentals,
    slot_states,
    vehicle_positions,
    vehicle_readings,
)
from dispatcher.store.schema.shift_notes import shift_notes
from dispatcher.store.schema.slots import SLOT_USES, slot_uses
from dispatcher.store.schema.spread import badge_spread
from dispatcher.store.schema.vehicles_out import BLOCK_KINDS, blocks

__all__ = [
    "BADGE_STATES",
    "BLOCK_KINDS",
    "BOOKING_STATES",
    "COMMAND_OUTCOMES",
    "DELIVERY_STATES",
    "HANDOVER_KINDS",
    "IDENTITIES",
    "KEY_PLACES",
    "LIFE_CYCLES",
    "LIVE_BOOKING_STATES",
    "OFFER_STATES",
    "POOL_STATES",
    "ROLES",
    "SLOT_USES",
    "STANDINGS",
    "WEBHOOK_STATES",
    "audit",
    "badge_pins",
    "badge_sightings",
    "badge_spread",
    "badges",
    "blocks",
    "booking_drivers",
    "booking_history",
    "bookings",
    "cabinet_links",
    "cabinet_stations",
    "cabinets",
    "changes",
    "command_counters",
    "commands",
    "cost_centres",
    "cursors",
    "custody",
    "desired_grants",
    "desired_states",
    "facts",
    "handovers",
    "held_badges",
    "held_names",
    "incident_history",
    "incidents",
    "key_states",
    "key_tags",
    "keys",
    "members",
    "meta",
    "metadata",
    "municipalities",
    "organisations",
    "outbox",
    "pool_members",
    "pools",
    "refusals",
    "rentals",
    "shift_notes",
    "slot_states",
    "slot_uses",
    "stations",
    "stored_answers",
    "swap_offers",
    "thefts",
    "unmet_demand",
    "vehicle_positions",
    "vehicle_readings",
    "vehicles",
    "webhook_deliveries",
    "webhooks",
]
