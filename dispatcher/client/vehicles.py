"""`dispatcher vehicle`."""

from typing import Any

from dispatcher.client.commands import Noun, Say, rows
from dispatcher.client.http import ROWS_MAX, path


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "vehicle", "see vehicles", say)
    listing = noun.verb(
        "list",
        "vehicles in the order of their ids, the first 200",
        lambda api, it: api.get("/vehicles", station=it.station, limit=ROWS_MAX),
        rows("id", "name", "category", "home_station_id", "key=key.state", extra=("life_cycle", "energy")),
    )
    listing.add_argument("--station", metavar="ID")
    noun.one("show", "one vehicle", lambda api, it: api.get(path("vehicles", it.id)))
