"""`dispatcher order`."""

from typing import Any

from dispatcher.client.bookings import add_filters
from dispatcher.client.commands import Does, Noun, Say, brief, rows
from dispatcher.client.http import ROWS_MAX, path
from dispatcher.client.instants import instant

WRITTEN = brief("id", "state", "purpose", "holder_id", "vehicle_id", "station_id", "start", "end", "grant")


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "order", "see, give and end service orders", say)
    listing = noun.verb(
        "list",
        "service orders in the order of their start, the first 200",
        lambda api, it: api.get(
            "/orders", station=it.station, vehicle=it.vehicle, holder=it.holder, state=it.state,
            from_=it.since, until=it.until, limit=ROWS_MAX,
        ),
        rows("id", "purpose", "start", "end", "vehicle_id", extra=("state", "holder_id")),
    )  # fmt: skip
    add_filters(listing, "station", "vehicle", "holder")
    noun.one("show", "one service order", lambda api, it: api.thing(path("orders", it.id)))
    new = noun.verb(
        "new",
        "a vehicle for staff or a third party, out of service meanwhile",
        lambda api, it: api.post(
            "/orders", holder_id=it.holder, vehicle_id=it.vehicle, purpose=it.purpose, start=it.start, end=it.end,
            driver_ids=it.driver, note=it.note,
        ),
        WRITTEN,
        Does.WRITES,
    )  # fmt: skip
    new.add_argument("--holder", required=True, metavar="ID", help="a member whose role is staff or third_party")
    new.add_argument("--vehicle", required=True, metavar="ID")
    new.add_argument("--purpose", required=True, metavar="PURPOSE", help="such as cleaning, garage or towing")
    new.add_argument("--start", type=instant, metavar="TIME", help="now, unless given")
    new.add_argument("--end", type=instant, required=True, metavar="TIME")
    new.add_argument("--driver", action="append", metavar="ID", help="whose badge opens, too; again for more")
    new.add_argument("--note", metavar="TEXT", help="for the history; no names")
    for verb, text in (("complete", "end one whose key is back"), ("cancel", "end one whose key was not taken")):
        ending = noun.one(
            verb,
            text,
            lambda api, it: api.post(path("orders", it.id, it.verb), reason=it.reason),
            WRITTEN,
            Does.CHANGES,
        )
        ending.add_argument("--reason", required=True, metavar="TEXT", help="for the history; no names")
