"""`dispatcher member`."""

import sys
from typing import Any

from dispatcher.client.commands import Noun, Say, rows
from dispatcher.client.http import ROWS_MAX, path


def add(verbs: Any, say: Say) -> None:
    """`verbs`: of the noun that exists already."""
    noun = Noun(verbs, say)
    search = noun.verb(
        "search",
        "members whose name has this part, the first 200",
        lambda api, it: api.search("/members/search", name=_name(it.name), limit=ROWS_MAX),
        rows("id", "name", "standing", "role", extra=("organisation_id",)),
    )
    search.add_argument("name", metavar="NAME", help="-: read from stdin, so that no history of a shell keeps it")
    noun.one("show", "one member, with the ids of the badges", lambda api, it: api.get(path("members", it.id)))


def _name(given: str) -> str:
    return sys.stdin.readline().strip() if given == "-" else given
