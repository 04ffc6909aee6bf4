"""`dispatcher member`."""

from typing import Any

from dispatcher.client.commands import Noun, Say
from dispatcher.client.http import ROWS_MAX


def add(verbs: Any, say: Say) -> None:
    """`verbs`: of the noun that exists already."""
    noun = Noun(verbs, say)
    search = noun.verb(
        "search",
        "members whose name has this part, the first 200",
        lambda api, it: api.post("/members/search", {"name": it.name, "limit": ROWS_MAX}),
        ("id", "name", "standing", "organisation_id"),
    )
    search.add_argument("name", metavar="NAME")
    show = noun.verb("show", "one member", lambda api, it: api.get(f"/members/{it.id}"))
    show.add_argument("id", metavar="ID")
