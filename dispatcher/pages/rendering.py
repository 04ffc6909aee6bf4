"""Templates to text. A name that a template uses and nobody gave is an error, not a gap."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dispatcher.api.scopes import Scope
from dispatcher.core.windows import utc_text
from dispatcher.pages.looks import Look, Theme
from dispatcher.pages.static_files import static_files
from dispatcher.pages.times import distance_text, hour_text, span_text, time_text
from dispatcher.pages.words.catalogue import Language

AS_OF = "as-of-this-instant"
"""Stands in a page where the time of its making comes: a page that says the same later has the same tag."""


@cache
def environment() -> Environment:
    """The templates of this process."""
    found = Environment(
        loader=PackageLoader("dispatcher.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals.update(
        static=static_files().address, Scope=Scope, languages=tuple(Language), themes=tuple(Theme), as_of=AS_OF
    )
    return found


def rendered(template: str, look: Look, values: Mapping[str, Any]) -> str:
    """The text of a page for one reader."""
    w, now_ms = look.words, look.now_ms
    return (
        environment()
        .get_template(template)
        .render(
            look=look,
            w=w,
            time=partial(_time, look),
            time_text=lambda at_ms: time_text(at_ms, now_ms, w),
            utc=utc_text,
            hour=hour_text,
            distance=lambda at_ms: distance_text(at_ms, now_ms, w),
            span=lambda length_ms: span_text(length_ms, w),
            **values,
        )
    )


def _time(look: Look, at_ms: int) -> Markup:
    """An instant, for people and for programs."""
    shown = time_text(at_ms, look.now_ms, look.words)
    return Markup('<time datetime="{}">{}</time>').format(utc_text(at_ms // 1000 * 1000), shown)
