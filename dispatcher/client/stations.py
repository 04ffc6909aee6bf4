"""`dispatcher station`."""

from typing import Any

from dispatcher.client.commands import Noun, Say
from dispatcher.client.http import ROWS_MAX


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "station", "see stations", say)
    columns = ("id", "name", "municipality.name", "life_cycle", "public")
    listing = "stations in the order of their ids, the first 200"
    noun.verb("list", listing, lambda api, _it: api.get("/stations", limit=ROWS_MAX), columns)
    show = noun.verb("show", "one station", lambda api, it: api.get(f"/stations/{it.id}"))
    show.add_argument("id", metavar="ID")
