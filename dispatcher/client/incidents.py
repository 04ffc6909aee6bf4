"""`dispatcher incident`."""

import argparse
import re
from collections.abc import Callable, Iterator
from typing import Any

from dispatcher.client.commands import Does, Noun, Say, brief, rows
from dispatcher.client.http import ROWS_MAX, Api, ApiRefused, path

NUMBER = re.compile(r"[0-9]{1,9}")  # an id has 20 characters

WRITTEN = brief("number", "kind", "subject", "closed_at", "acknowledged_by", "assigned_to", "history")


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "incident", "see incidents, and say who does what about them", say)
    listing = noun.verb(
        "list",
        "open incidents, the newest first, at most 200",
        lambda api, it: api.get("/incidents", open=None if it.all else "true", limit=ROWS_MAX),
        rows("number", "severity", "kind", "subject", "opened_at", extra=("assigned_to",)),
    )
    listing.add_argument("--all", action="store_true", help="those that are closed as well")
    show = noun.verb("show", "one incident: what to do, and whom it hits", _of(lambda api, at, _it: api.thing(at)))
    ack = noun.verb(
        "ack",
        "say that you have seen it",
        _of(lambda api, at, _it: api.post(f"{at}/acknowledge")),
        WRITTEN,
        Does.CHANGES,
    )
    assign = noun.verb(
        "assign",
        "say who looks after it",
        _of(lambda api, at, it: api.post(f"{at}/assign", assignee=it.to)),
        WRITTEN,
        Does.CHANGES,
    )
    assign.add_argument("--to", required=True, metavar="NAME", help="of a token or of a colleague")
    comment = noun.verb(
        "comment",
        "write into its history",
        _of(lambda api, at, it: api.post(f"{at}/comments", text=it.text)),
        WRITTEN,
        Does.CHANGES,
    )
    comment.add_argument(
        "--text", required=True, metavar="TEXT", help="what was found or done; no names of members"
    )
    close = noun.verb(
        "close",
        "say that one is over whose end no sensor tells; a new fact opens it again",
        _of(lambda api, at, it: api.post(f"{at}/close", reason=it.reason)),
        WRITTEN,
        Does.CHANGES,
    )
    close.add_argument("--reason", required=True, metavar="TEXT", help="what was found; no names of members")
    for parser in (show, ack, assign, comment, close):
        parser.add_argument("id", metavar="NUMBER", help="as `incident list` has it, or an id")


def _of(ask: Callable[[Api, str, argparse.Namespace], Any]) -> Callable[[Api, argparse.Namespace], Any]:
    return lambda api, it: ask(api, path("incidents", _id(api, it.id)), it)


def _id(api: Api, given: str) -> str:
    """The id of a number: lists are in the order of numbers, the highest first. Raises `ApiRefused`."""
    if not NUMBER.fullmatch(given):
        return given
    for incidents in _pages(api):
        down_from_it = [incident for incident in incidents if incident["number"] <= int(given)]
        if down_from_it and down_from_it[0]["number"] == int(given):
            return str(down_from_it[0]["id"])
        if down_from_it:
            break
    raise ApiRefused(f"not_found: there is no incident {int(given)}")


def _pages(api: Api) -> Iterator[list[Any]]:
    cursor: str | None = None
    while True:
        page = api.get("/incidents", limit=ROWS_MAX, cursor=cursor)
        yield page["items"]
        cursor = page["next"]
        if cursor is None:
            return
