"""Every route of the application with the scope that it declares, as the gate looks them up before it lets in."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.scopes import Scope, declared, is_open_to_all


@dataclass(frozen=True, slots=True)
class Route:
    methods: frozenset[str]
    template: str
    pattern: re.Pattern[str]
    scope: Scope | None
    """None: it declares none, or more than one, and is closed to everybody who is asked for a token."""
    is_open: bool = False
    """Nobody is asked for a token; then it declares no scope."""


class RouteTable:
    """Made once, from the routes as they are then: one that is added later is not found, and so not reached."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.routes = tuple(_all(routes))

    def find(self, method: str, path: str) -> Route | Refusal:
        allowed: set[str] = set()
        for route in self.routes:
            if route.pattern.match(path):
                if method in route.methods:
                    return route
                allowed |= route.methods
        if allowed:
            detail = "expected a method that the API describes for this path"
            headers = {"allow": ", ".join(sorted(allowed))}
            return Refusal(ApiReason.METHOD_NOT_ALLOWED, detail, headers=headers)
        return Refusal(ApiReason.NOT_FOUND, "expected a path that the API describes, see /api/v1/openapi.json")

    @property
    def undeclared(self) -> list[Route]:
        """Those that are closed to everybody."""
        return [route for route in self.routes if route.scope is None and not route.is_open]


def _all(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    """What is no route of an endpoint (a mounted application, a websocket) can be reached by no request."""
    for context in iter_route_contexts(routes):
        if context.path is None or not context.methods:
            continue
        dependencies = getattr(context, "dependencies", ())
        scopes = declared(dependencies)
        scope = scopes[0] if len(scopes) == 1 else None
        is_open = is_open_to_all(dependencies) and not scopes
        pattern, _, _ = compile_path(context.path)
        yield Route(frozenset(context.methods), context.path, pattern, scope, is_open)
