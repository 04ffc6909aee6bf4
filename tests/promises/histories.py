"""A world's history as text, complete: what the lines for people leave out of a fact is there too."""

from sqlalchemy import Connection, select

from dispatcher.store import schema
from simulator.virtual.history import history
from simulator.virtual.world import VirtualWorld


def told(world: VirtualWorld) -> list[str]:
    return [*(str(line) for line in history(world)), *world.database.read_now(_facts)]


def _facts(connection: Connection) -> list[str]:
    facts = schema.facts.c
    rows = connection.execute(select(facts.cabinet_id, facts.epoch, facts.seq, facts.text))
    return [f"{row.cabinet_id} {row.epoch}/{row.seq} {row.text}" for row in sorted(rows)]
