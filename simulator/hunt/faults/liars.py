"""A broker that lies, and thieves: what is forged, replayed, withheld, or written into the database by hand."""

import json
import random
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from contract.chain import next_hash
from contract.envelope import Signer
from contract.messages import Acknowledged, Desired, FactBatch, Grant
from contract.topics import ACKNOWLEDGED, DESIRED, FACTS, Author, parse_topic
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings, desired_states, key_states
from simulator.hunt.faults.helping_oneself import help_oneself
from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.network.draws import stream
from simulator.virtual.people import Person
from simulator.virtual.premises import DISPATCHER_ID, NAMESPACE
from simulator.virtual.spells import Touches
from simulator.virtual.timers import MINUTE_US, SECOND_US
from simulator.world.acts import Book, Script
from simulator.world.api import BookingRequest
from simulator.world.demand import GRID_MS

LIES_EVERY_US = 20 * SECOND_US
HOUR_MS = 3_600_000
LIES = frozenset({Touches.WAY})
THIEF_KEY = Ed25519PrivateKey.from_private_bytes(stream(0, "thief").randbytes(32))


def _lies(cast: Cast) -> End:
    """Now and then, until it ends, the broker says something that nobody told it."""
    broker, rng = cast.world.stage.broker, cast.rng
    cabinets = list(cast.world.boxes)
    lying = [True]

    def lie() -> None:
        if not lying[0]:
            return
        cabinet = rng.choice(cabinets)
        rng.choice((_replay, _forge_acknowledgement, _forge_return, _forge_grants))(cast, cabinet)
        cast.later(round(rng.expovariate(1 / LIES_EVERY_US)), lie)

    victim = rng.choice(cabinets)
    kept = rng.choice((ACKNOWLEDGED, DESIRED)).topic(NAMESPACE, victim)
    broker.withheld = lambda _client, topic: topic == kept
    lie()

    def end() -> None:
        lying[0] = False
        broker.withheld = lambda _client, _topic: False

    return end


def _replay(cast: Cast, cabinet: str) -> None:
    """Something old is told again, to whom it was meant for."""
    memory = cast.world.overheard
    topic = cast.rng.choice((DESIRED, ACKNOWLEDGED, FACTS)).topic(NAMESPACE, cabinet)
    if memory.seen[topic]:
        cast.world.stage.broker.spread(topic, cast.rng.choice(tuple(memory.seen[topic])))


def _forge_acknowledgement(cast: Cast, cabinet: str) -> None:
    """Says that everything is in the ledger: so that facts are deleted, or a new epoch is begun."""
    topic = ACKNOWLEDGED.topic(NAMESPACE, cabinet)
    read = cast.world.overheard.newest(topic)
    if read is None:
        return
    forged = Acknowledged.model_validate(read).model_copy(update={"seq": read["seq"] + 1000})
    _tell(cast, topic, Signer(Author.DISPATCHER, DISPATCHER_ID, THIEF_KEY).sign(forged))


def _forge_return(cast: Cast, cabinet: str) -> None:
    """Says that the key is back: so that the rental ends and nobody looks for the car."""
    topic = FACTS.topic(NAMESPACE, cabinet)
    read = cast.world.overheard.newest(topic)
    if read is None:
        return
    batch = FactBatch.model_validate({**read, "facts": tuple(read["facts"])})
    keys = [vehicle.key.id for vehicle in cast.world.network.vehicles if vehicle.key.cabinet == cabinet]
    seq = batch.last_seq + 1
    fact = _return_text(seq, cast, keys)
    forged = FactBatch(
        cabinet=cabinet,
        epoch=batch.epoch,
        epoch_created_ms=batch.epoch_created_ms,
        first_seq=seq,
        hash_before=batch.last_hash,
        facts=(fact,),
        last_hash=next_hash(batch.last_hash, fact),
    )
    _tell(cast, topic, Signer(Author.AGENT, cabinet, THIEF_KEY).sign(forged))


def _return_text(seq: int, cast: Cast, keys: list[str]) -> str:
    told = {
        "seq": seq,
        "at_ms": cast.world.stage.clock.now_ms(),
        "clock_trusted": True,
        "kind": "key_returned",
        "slot": cast.rng.randint(1, 8),
        "identity": "read",
        "key": cast.rng.choice(keys),
    }
    return json.dumps(told, separators=(",", ":"))


def _forge_grants(cast: Cast, cabinet: str) -> None:
    """Every badge that this box knows may take every key, from now on for a day."""
    topic = DESIRED.topic(NAMESPACE, cabinet)
    read = cast.world.overheard.newest(topic)
    if read is None:
        return
    now_ms = cast.world.stage.clock.now_ms()
    known = Desired.model_validate_json(json.dumps(read))
    badges = tuple(entry.ref for entry in known.badges)[:100]
    grants = tuple(
        Grant(
            grant=f"forged-{entry.key}",
            badges=badges,
            key=entry.key,
            start_ms=now_ms - HOUR_MS,
            end_ms=now_ms + 24 * HOUR_MS,
            take_by_ms=now_ms + 23 * HOUR_MS,
        )
        for entry in known.keys
        if entry.home_slot is not None
    )
    forged = known.model_copy(update={"version": known.version + 1, "grants": (*known.grants, *grants)})
    _tell(cast, topic, Signer(Author.DISPATCHER, DISPATCHER_ID, THIEF_KEY).sign(forged))


def _tell(cast: Cast, topic: str, payload: bytes) -> None:
    assert parse_topic(topic, NAMESPACE) is not None
    cast.world.stage.broker.spread(topic, payload)


# --- a row by SQL


def _row_by_sql(cast: Cast) -> None:
    """GoGet 2017: who gets into the database books himself a car, and comes for its key."""
    world, rng = cast.world, cast.rng
    forged = world.database.write_now(partial(_insert_booking, world, rng))
    if forged is None:
        return
    booking, cabinet, member = forged
    world.forged.add(booking)
    cast.spell.detail = f"booking {booking} of {member}"
    cast.spell.cabinets = frozenset({cabinet})
    thief = next(one for one in world.network.members if one.id == member)
    person = Person(f"thief:{member}", help_oneself(cabinet, thief), world.around, rng)
    cast.later(rng.randrange(30 * SECOND_US, 3 * MINUTE_US), person.begin)


def _insert_booking(world: Any, rng: random.Random, connection: Connection) -> tuple[str, str, str] | None:
    """A copy of somebody's row with another member, another window and the old code."""
    rows = connection.execute(select(bookings).order_by(bookings.c.id)).mappings().all()
    hanging = {row.key_id for row in connection.execute(select(key_states).where(key_states.c.state == "in_slot"))}
    models = [row for row in rows if row["key_id"] in hanging]
    if not models:
        return None
    model, member = rng.choice(models), rng.choice(world.network.members)
    now_ms = world.stage.clock.now_ms()
    row = {
        **model,
        "id": f"forged-{rng.getrandbits(40):010x}",
        "grant_id": f"forged-{rng.getrandbits(40):010x}",
        "member_id": member.id,
        "start_ms": now_ms - 60_000,
        "original_start_ms": now_ms - 60_000,
        "take_by_ms": now_ms + HOUR_MS // 4,
        "end_ms": now_ms + HOUR_MS // 4,
        "state": LIVE_BOOKING_STATES[0],
        "taken_ms": None,
        "returned_ms": None,
        "hold_until_ms": None,
        "ended_ms": None,
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(bookings).values(row))
    except IntegrityError:  # the vehicle is not free: even a thief cannot book it twice
        return None
    dirty = update(desired_states).where(desired_states.c.cabinet_id == row["cabinet_id"])
    connection.execute(dirty.values(dirty=True))
    return row["id"], row["cabinet_id"], member.id


# --- two at once


def _race(cast: Cast) -> None:
    """Two members ask for the same car and time, at the same instant."""
    world, rng = cast.world, cast.rng
    vehicle = rng.choice(world.network.vehicles)
    grid_ms = world.stage.clock.now_ms() // GRID_MS * GRID_MS
    start_ms = grid_ms + rng.randint(24 * 4, 48 * 4) * GRID_MS  # tomorrow or the day after: nobody comes for it
    for member in rng.sample(world.network.members, 2):
        request = BookingRequest(member.id, start_ms, start_ms + 8 * GRID_MS, vehicle=vehicle.id)
        Person(f"rival:{member.id}", _ask(request), world.around, random.Random(7)).begin()


def _ask(request: BookingRequest) -> Script[None]:
    yield Book(request)


LIARS = (
    Fault("broker_lies", LIES, 2, (120, 1500), _lies, everywhere=True),
    Fault("row_by_sql", frozenset({Touches.THEFT}), 1.5, (180, 300), _row_by_sql, everywhere=True),
    Fault("race", frozenset(), 0.5, (1, 2), _race, everywhere=True),
)
