"""How one request wants its page: in which language and theme, for whom, at what time."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request

from dispatcher.api.context import Context
from dispatcher.api.scopes import Scope
from dispatcher.api.sessions import Session
from dispatcher.pages.words import WORDS
from dispatcher.pages.words.catalogue import Language, Words


class Theme(StrEnum):
    AUTO = "auto"
    DARK = "dark"
    LIGHT = "light"


LANGUAGE_COOKIE, THEME_COOKIE = "carshare-language", "carshare-theme"
HEADER_CHARACTERS_MAX = 200  # of Accept-Language: what browsers send is under 60
USUAL = Language.FR


@dataclass(frozen=True, slots=True)
class Look:
    language: Language
    theme: Theme
    now_ms: int
    path: str
    caller: str | None
    """The token's name; None: nobody has signed in."""
    scopes: frozenset[Scope]
    csrf: str
    """What the page's changes repeat; empty where there is no session."""

    @property
    def words(self) -> Words:
        return WORDS[self.language]

    def may(self, *scopes: Scope) -> bool:
        """A page shows nothing that the API would not show to the same token."""
        return self.scopes.issuperset(scopes)


async def _look(request: Request, context: Context) -> Look:
    return look_of(request, context.clock.now_ms())


def look_of(request: Request, now_ms: int) -> Look:
    """What a request says of itself, and the gate of who sent it."""
    state = request.scope.get("state", {})
    session = state.get("session")
    return Look(
        language=_language(request),
        theme=_theme(request),
        now_ms=now_ms,
        path=request.url.path,
        caller=state.get("caller"),
        scopes=state.get("scopes", frozenset()),
        csrf=session.csrf if isinstance(session, Session) else "",
    )


Looking = Annotated[Look, Depends(_look)]


def _theme(request: Request) -> Theme:
    chosen = request.cookies.get(THEME_COOKIE, "")
    return Theme(chosen) if chosen in set(Theme) else Theme.AUTO


def _language(request: Request) -> Language:
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in set(Language):
        return Language(chosen)
    return preferred(request.headers.get("accept-language", ""))


def preferred(header: str) -> Language:
    """The language of ours that `Accept-Language` likes best (RFC 9110, section 12.5.4)."""
    liked: dict[Language, float] = {}
    for part in header[:HEADER_CHARACTERS_MAX].split(","):
        name, _, quality = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        if language in set(Language):
            liked[Language(language)] = max(_quality(quality), liked.get(Language(language), 0.0))
    best = max(liked.items(), key=lambda item: item[1], default=(USUAL, 0.0))
    return best[0] if best[1] > 0 else USUAL


def _quality(text: str) -> float:
    value = text.strip().removeprefix("q=").strip()
    try:
        return float(value) if value else 1.0
    except ValueError:
        return 0.0
