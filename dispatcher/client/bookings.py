"""`dispatcher booking`."""

import argparse
from collections.abc import Mapping
from typing import Any

from dispatcher.client.commands import Does, Noun, Say, brief, rows
from dispatcher.client.http import ROWS_MAX, path
from dispatcher.client.instants import HELP, instant
from dispatcher.client.releases import CODE, add_reason, released
from dispatcher.client.tables import story, text

WRITTEN = brief(
    "id", "state", "member_id", "vehicle_id", "station_id", "start", "end", "take_by", "grant", "latest_end"
)


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "booking", "see, make, change and cancel bookings, release their keys", say)
    listing = noun.verb(
        "list",
        "bookings in the order of their start, the first 200",
        lambda api, it: api.get(
            "/bookings", station=it.station, vehicle=it.vehicle, member=it.member, state=it.state,
            from_=it.since, until=it.until, limit=ROWS_MAX,
        ),
        rows("id", "state", "start", "end", "vehicle_id", extra=("member_id",)),
    )  # fmt: skip
    add_filters(listing, "station", "vehicle", "member")
    noun.one("show", "one booking", lambda api, it: api.thing(path("bookings", it.id)))
    _add_writing(noun)
    noun.one(
        "cancel", "cancel one", lambda api, it: api.post(path("bookings", it.id, "cancel")), WRITTEN, Does.CHANGES
    )
    noun.one(
        "history",
        "what happened to one",
        lambda api, it: api.get(path("bookings", it.id, "history"), limit=ROWS_MAX),
        lambda answer: story([_told(entry) for entry in answer["items"]]),
    )
    _add_operations(noun)


def add_filters(listing: argparse.ArgumentParser, *names: str) -> None:
    """What bookings and orders are looked for by."""
    for name in names:
        listing.add_argument(f"--{name}", metavar="ID")
    listing.add_argument("--state", action="append", metavar="STATE", help="may be given more than once")
    listing.add_argument("--from", dest="since", type=instant, metavar="TIME", help="that end after it")
    listing.add_argument("--until", type=instant, metavar="TIME", help="that start before it")


def _add_writing(noun: Noun) -> None:
    new = noun.verb(
        "new",
        "book a vehicle, or a category at a station",
        lambda api, it: api.post("/bookings", **_wanted(it), category=it.category, station_id=it.station),
        WRITTEN,
        Does.WRITES,
    )
    new.add_argument("--member", required=True, metavar="ID", help="who books")
    new.add_argument("--organisation", metavar="ID", help="on whose account")
    for name in ("category", "station"):
        new.add_argument(f"--{name}", metavar="ID", help="category and station: whichever vehicle is free")
    change = noun.one(
        "change",
        "what is given is different from now on, the rest stays",
        lambda api, it: api.patch(path("bookings", it.id), **_wanted(it)),
        WRITTEN,
        Does.CHANGES,
    )
    for parser in (new, change):
        required = parser is new
        for name in ("start", "end"):
            parser.add_argument(f"--{name}", type=instant, required=required, metavar="TIME", help=HELP)
        parser.add_argument("--vehicle", metavar="ID")
        parser.add_argument(
            "--driver", action="append", metavar="ID", help="who else may take the key; again for more"
        )
        parser.add_argument("--pool", metavar="ID", help="instead of drivers: all of a pool")
        parser.add_argument("--cost-centre", metavar="ID")
        parser.add_argument(
            "--accept-unreachable",
            action="store_true",
            help="also where the cabinet cannot be told: the member knows",
        )
    extend = noun.one(
        "extend",
        "give one a later end; also while its key is out",
        lambda api, it: api.post(path("bookings", it.id, "extend"), end=it.end),
        WRITTEN,
        Does.CHANGES,
    )
    extend.add_argument("--end", type=instant, required=True, metavar="TIME", help=HELP)


def _told(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Of a change, what is different now."""
    detail = entry["detail"]
    before, after = detail.get("before"), detail.get("after")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        changed = [name for name in after if after[name] != before.get(name)]
        detail = {name: f"{text(before.get(name))} -> {text(after[name])}" for name in changed}
    return {**entry, "detail": detail}


def _wanted(it: argparse.Namespace) -> dict[str, Any]:
    return {
        "member_id": getattr(it, "member", None),
        "organisation_id": getattr(it, "organisation", None),
        "start": it.start,
        "end": it.end,
        "vehicle_id": it.vehicle,
        "driver_ids": it.driver,
        "pool_id": it.pool,
        "cost_centre_id": it.cost_centre,
        "accept_unreachable": it.accept_unreachable or None,
    }


def _add_operations(noun: Noun) -> None:
    release = noun.one(
        "release",
        "open the slot of its key, and say within ten seconds what became of it",
        lambda api, it: api.post(path("bookings", it.id, "release"), reason=it.reason),
        released,
        Does.WRITES,
    )
    code = noun.one(
        "release-code",
        "a code that its member keys in where the cabinet has no network",
        lambda api, it: api.post(path("bookings", it.id, "release-code"), reason=it.reason),
        CODE,
        Does.WRITES,
    )
    replace = noun.one(
        "replace",
        "another vehicle for the same window, also after its start",
        lambda api, it: api.post(
            path("bookings", it.id, "replace"),
            vehicle_id=it.vehicle,
            category=it.category,
            station_id=it.station,
            reason=it.reason,
        ),
        WRITTEN,
        Does.CHANGES,
    )
    replace.add_argument("--vehicle", metavar="ID")
    replace.add_argument("--category", metavar="ID", help="instead: whichever is free")
    replace.add_argument("--station", metavar="ID", help="with a category: elsewhere than at its own")
    complete = noun.one(
        "complete",
        "end one by hand whose key was taken",
        lambda api, it: api.post(path("bookings", it.id, "complete"), reason=it.reason, key_held_by=it.key_held_by),
        WRITTEN,
        Does.CHANGES,
    )
    complete.add_argument("--key-held-by", metavar="NAME", help="who has the key, where it is out")
    add_reason(release, code, replace, complete)
