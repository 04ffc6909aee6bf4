"""`dispatcher incident`."""

from typing import Any

from dispatcher.client.commands import Noun, Say
from dispatcher.client.http import ROWS_MAX


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "incident", "see and acknowledge incidents", say)
    listing = noun.verb(
        "list",
        "open incidents, the newest first, at most 200",
        lambda api, it: api.get("/incidents", open=None if it.all else "true", limit=ROWS_MAX),
        ("number", "severity", "kind", "subject", "opened_at", "id"),
    )
    listing.add_argument("--all", action="store_true", help="those that are closed as well")
    show = noun.verb("show", "one incident", lambda api, it: api.get(f"/incidents/{it.id}"))
    ack = noun.verb("ack", "say that you have seen it", lambda api, it: api.post(f"/incidents/{it.id}/acknowledge"))
    for parser in (show, ack):
        parser.add_argument("id", metavar="ID")
