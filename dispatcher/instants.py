"""Instants as they are sent in, by the API and in imports: RFC 3339 with the UTC offset, nothing guessed."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

TIME_WITHOUT_OFFSET = "time_without_offset"  # type of the fault, and the API's reason
NOT_AN_INSTANT = "not_an_instant"
EXAMPLE = {"example": "2026-03-29T10:00:00+02:00"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(?P<offset>Z|[+-]\d\d:\d\d)?")
PLUS_LOST = re.compile(r".*T[\d:.]+ \d\d:\d\d")
YEARS = range(1971, 3000)  # the contract's times end with the year 2999


def _instant(value: object) -> datetime:
    """A wall time alone is refused by name: it is two instants in October and none in March."""
    if not isinstance(value, str):
        raise PydanticCustomError(NOT_AN_INSTANT, "a text such as {example}", EXAMPLE)
    match = INSTANT.fullmatch(value)
    if match is not None and match["offset"] is None:
        message = "a time with its UTC offset, such as {example}"
        raise PydanticCustomError(TIME_WITHOUT_OFFSET, message, EXAMPLE)
    instant = _parsed(value) if match is not None else None
    if instant is None:
        hint = "; in a query a + is written %2B" if PLUS_LOST.fullmatch(value) else ""
        message = "an RFC 3339 time such as {example}{hint}"
        raise PydanticCustomError(NOT_AN_INSTANT, message, {**EXAMPLE, "hint": hint})
    if instant.year not in YEARS:
        raise PydanticCustomError(NOT_AN_INSTANT, "a year from 1971 to 2999")
    return instant


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # the 30th of February
        return None


Instant = Annotated[datetime, BeforeValidator(_instant)]
