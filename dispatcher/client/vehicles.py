"""`dispatcher vehicle`."""

from typing import Any

from dispatcher.client.commands import Noun, Say
from dispatcher.client.http import ROWS_MAX


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "vehicle", "see vehicles", say)
    listing = noun.verb(
        "list",
        "vehicles in the order of their ids, the first 200",
        lambda api, it: api.get("/vehicles", station=it.station, limit=ROWS_MAX),
        ("id", "name", "category", "home_station_id", "life_cycle", "key.state"),
    )
    listing.add_argument("--station", metavar="ID")
    show = noun.verb("show", "one vehicle", lambda api, it: api.get(f"/vehicles/{it.id}"))
    show.add_argument("id", metavar="ID")
