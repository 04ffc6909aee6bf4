"""Pages that show more than one scope covers: the route declares one, the page asks for the others."""

from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.scopes import Scope
from dispatcher.pages.looks import Look


def must_see(look: Look, *scopes: Scope) -> None:
    """Raises `Refusal` where the reader's token lacks one of them."""
    for scope in scopes:
        if not look.may(scope):
            detail = f"this page shows what {scope} covers, which the token lacks"
            raise Refusal(ApiReason.INSUFFICIENT_SCOPE, detail, scope=scope)
