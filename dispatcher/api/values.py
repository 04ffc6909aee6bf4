"""The small values of requests and answers: ids, pages, cursors."""

import base64
import binascii
import json
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from dispatcher.api.problems import ApiReason, FieldFault, Refusal
from dispatcher.core.windows import to_utc
from dispatcher.store.paging import LIMIT_MAX, Page, PageRequest, Position

LIMIT_DEFAULT = 50
CURSOR_CHARACTERS_MAX = 200  # a start, an id of 64 characters, base64: under 120
INTEGER_BITS = 63  # what a column holds

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="opaque")]
Category = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="such as `city`")]


class Body(BaseModel):
    """Base of what is sent in: an unknown field is a fault, since it was meant to do something."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Answer(BaseModel):
    """Base of what is answered: times in UTC, written with `Z`."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    TOLD: ClassVar[frozenset[str] | None] = None
    """Of a thing that is changed as it was read (`If-Match`) and has no `version`: the fields that are told of it
    meanwhile, by a box or by other records, and that nobody changes there. None: it is no such thing."""


class PageQuery(Body):
    """What every list takes."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT
    """Most items in the answer."""
    cursor: Annotated[str, Field(max_length=CURSOR_CHARACTERS_MAX)] | None = None
    """`next` of the page before."""


class Listing(Answer):
    next: str | None
    """The cursor of the following page; null: this was the last one."""


def instant_of(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else to_utc(at_ms)


def page_request(query: PageQuery, *kinds: type[int] | type[str]) -> PageRequest:
    """The page that a query asks for; `kinds`: the types of the list's order.

    Raises:
        Refusal: the cursor is none of this list.
    """
    if query.cursor is None:
        return PageRequest(query.limit)
    after = _position(query.cursor)
    fits = after is not None and [type(part) for part in after] == list(kinds)
    if not fits or not all(_fits_column(part) for part in after or ()):
        fault = FieldFault(field="cursor", expected="`next` of the page before, or nothing for the first page")
        raise Refusal(ApiReason.BAD_CURSOR, "the list cannot be continued from there", [fault])
    return PageRequest(query.limit, after)


def _fits_column(part: int | str) -> bool:
    """Ids are ASCII: half a surrogate pair, which JSON can write, is no text that a database takes."""
    return part.isascii() if isinstance(part, str) else part.bit_length() <= INTEGER_BITS


def _position(cursor: str) -> Position | None:
    try:
        parts: Any = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return tuple(parts) if isinstance(parts, list) else None


def next_cursor(page: Page[Any]) -> str | None:
    if page.next is None:
        return None
    text = json.dumps(page.next, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
