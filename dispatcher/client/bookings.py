"""`dispatcher booking`."""

from typing import Any

from dispatcher.client.commands import Noun, Say
from dispatcher.client.http import ROWS_MAX

COLUMNS = ("id", "state", "start", "end", "vehicle_id")


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "booking", "see, make and cancel bookings", say)
    listing = noun.verb(
        "list",
        "bookings in the order of their start, the first 200",
        lambda api, it: api.get(
            "/bookings", station=it.station, vehicle=it.vehicle, member=it.member, state=it.state,
            from_=it.since, until=it.until, limit=ROWS_MAX,
        ),
        COLUMNS,
    )  # fmt: skip
    for name in ("station", "vehicle", "member"):
        listing.add_argument(f"--{name}", metavar="ID")
    listing.add_argument("--state", action="append", metavar="STATE", help="may be given more than once")
    listing.add_argument("--from", dest="since", metavar="TIME", help="that end after it; RFC 3339")
    listing.add_argument("--until", metavar="TIME", help="that start before it; RFC 3339")
    show = noun.verb("show", "one booking", lambda api, it: api.get(f"/bookings/{it.id}"))
    cancel = noun.verb("cancel", "cancel one", lambda api, it: api.post(f"/bookings/{it.id}/cancel"))
    for parser in (show, cancel):
        parser.add_argument("id", metavar="ID")
    new = noun.verb(
        "new",
        "book a vehicle, or a category at a station",
        lambda api, it: api.post(
            "/bookings",
            {
                "member_id": it.member, "start": it.start, "end": it.end, "vehicle_id": it.vehicle,
                "category": it.category, "station_id": it.station,
                "accept_unreachable": it.accept_unreachable or None,
            },
        ),
    )  # fmt: skip
    for name in ("member", "start", "end"):
        new.add_argument(f"--{name}", required=True, metavar="ID" if name == "member" else "TIME")
    for name in ("vehicle", "category", "station"):
        new.add_argument(f"--{name}", metavar="ID")
    new.add_argument(
        "--accept-unreachable", action="store_true", help="also where the cabinet cannot be told: the member knows"
    )
