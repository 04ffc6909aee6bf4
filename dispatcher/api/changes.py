"""Who changed what of the network, when and why."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from dispatcher.api.context import Context
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Listing, PageQuery, next_cursor, page_request
from dispatcher.core.windows import to_utc
from dispatcher.store.changes import changes_page

router = resource("changes", read=Scope.AUDIT_READ)

What = Literal[
    "municipalities",
    "stations",
    "cabinets",
    "slots",
    "vehicles",
    "keys",
    "key_tags",
    "blocks",
    "members",
    "organisations",
    "cost_centres",
    "pools",
    "badges",
    "badge_pins",
]


class ChangeQuery(PageQuery):
    what: What
    subject: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{1,128}$")]
    """Its id; of a slot `CABINET/NUMBER`, of a tag its key's, of a PIN its badge's."""


class ChangeOut(Answer):
    at: datetime
    author: str
    """The name of a token."""
    reason: str | None
    before: dict[str, Any] | None
    """What differed, as it was; null: it was new. Names, notes and secrets are not kept."""
    after: dict[str, Any]


class ChangeList(Listing):
    items: list[ChangeOut]


@router.get("", responses=answers(422))
async def list_changes(context: Context, query: Annotated[ChangeQuery, Query()]) -> ChangeList:
    """What was changed of one thing through this API, oldest first."""
    request = page_request(query, int)
    page = await context.database.read(
        partial(changes_page, what=query.what, subject=query.subject, request=request)
    )
    items = [
        ChangeOut(
            at=to_utc(change.at_ms),
            author=change.author,
            reason=change.reason,
            before=change.before,
            after=change.after,
        )
        for change in page.items
    ]
    return ChangeList(items=items, next=next_cursor(page))
