"""`dispatcher station`."""

from typing import Any

from dispatcher.client.commands import Noun, Say, rows
from dispatcher.client.http import ROWS_MAX, path


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "station", "see stations", say)
    noun.verb(
        "list",
        "stations in the order of their ids, the first 200",
        lambda api, _it: api.get("/stations", limit=ROWS_MAX),
        rows("id", "name", "municipality=municipality.name", "life_cycle", extra=("public",)),
    )
    noun.one("show", "one station", lambda api, it: api.get(path("stations", it.id)))
