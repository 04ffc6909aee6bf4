"""How GBFS 3 writes texts and times: each text with its language, each time with its offset (field types)."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from dispatcher.core.windows import to_ms, utc_text
from dispatcher.open_data.settings import LocalisedUrl, Text

LANGUAGES = ("fr", "en")
SECOND_MS = 1000
TIMES_KEPT = 4096  # the grid points of a week are 672, and each is told of hundreds of vehicles

Json = dict[str, Any]
Localised = list[dict[str, str]]


def localised(text: Text | LocalisedUrl) -> Localised:
    return [{"text": getattr(text, language), "language": language} for language in LANGUAGES]


def name_of_place(name: str) -> Localised:
    """A name that no language translates: GBFS wants it in each of them all the same."""
    return [{"text": name, "language": language} for language in LANGUAGES]


@lru_cache(maxsize=TIMES_KEPT)
def timestamp(at_ms: int) -> str:
    """RFC 3339 in UTC, to the second before."""
    return utc_text(at_ms - at_ms % SECOND_MS)


def without_none(values: Mapping[str, Any]) -> Json:
    """What is not known is not there; texts, days and instants as GBFS writes them."""
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Text | LocalisedUrl):
        return localised(value)
    if isinstance(value, datetime):
        return timestamp(to_ms(value))
    return value.isoformat() if isinstance(value, date) else value
