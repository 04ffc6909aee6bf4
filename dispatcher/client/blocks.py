"""`dispatcher block`."""

from typing import Any

from dispatcher.client.commands import Does, Noun, Say, brief, rows
from dispatcher.client.http import ROWS_MAX, path
from dispatcher.client.instants import instant

WRITTEN = brief("id", "kind", "vehicle_id", "start", "expected_end", "ended_at", "note", "bookings")


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "block", "see, lay and end blocks of vehicles", say)
    listing = noun.verb(
        "list",
        "blocks that nobody has ended, in the order of their start, the first 200",
        lambda api, it: api.get(
            "/blocks", vehicle=it.vehicle, kind=it.kind, going_on=None if it.all else "true", limit=ROWS_MAX
        ),
        rows("id", "kind", "vehicle_id", "start", "expected_end", extra=("note",)),
    )
    listing.add_argument("--vehicle", metavar="ID")
    listing.add_argument("--kind", action="append", metavar="KIND", help="may be given more than once")
    listing.add_argument("--all", action="store_true", help="those that were ended as well")
    noun.one("show", "one block, and the bookings under it", lambda api, it: api.thing(path("blocks", it.id)))
    new = noun.verb(
        "new",
        "take a vehicle out of service; names the bookings that are hit",
        lambda api, it: api.post(
            "/blocks",
            vehicle_id=it.vehicle,
            kind=it.kind,
            start=it.start,
            expected_end=it.expected_end,
            note=it.note,
        ),
        WRITTEN,
        Does.WRITES,
    )
    new.add_argument("--vehicle", required=True, metavar="ID")
    new.add_argument(
        "--kind", required=True, metavar="KIND", help="damage, cleaning, maintenance, battery or admin"
    )
    new.add_argument("--start", type=instant, metavar="TIME", help="now, unless given")
    new.add_argument("--expected-end", type=instant, metavar="TIME", help="nobody knows, unless given")
    new.add_argument("--note", metavar="TEXT", help="what is wrong; no names")
    end = noun.one(
        "end",
        "the vehicle is fit again",
        lambda api, it: api.post(path("blocks", it.id, "end"), reason=it.reason),
        WRITTEN,
        Does.CHANGES,
    )
    end.add_argument("--reason", metavar="TEXT", help="for the record; no names")
