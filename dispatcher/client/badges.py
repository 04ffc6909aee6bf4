"""`dispatcher badge`."""

from typing import Any

from dispatcher.client.commands import Does, Noun, Say
from dispatcher.client.http import path


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "badge", "revoke a badge, and see how far that has come", say)
    noun.one("show", "one badge; `member show` tells a member's", lambda api, it: api.thing(path("badges", it.id)))
    revoke = noun.one(
        "revoke",
        "have it open nothing any more, anywhere",
        lambda api, it: api.post(path("badges", it.id, "revoke"), reason=it.reason),
        does=Does.CHANGES,
    )
    revoke.add_argument("--reason", required=True, metavar="TEXT", help="for the record; no names")
    noun.one(
        "spread", "which boxes know that it is revoked", lambda api, it: api.get(path("badges", it.id, "spread"))
    )
