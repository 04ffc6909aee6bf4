"""How each resource of the API is set up: its whole path, its scopes, the problems that any request can meet.

A new resource declares who may call it where its router is made:

    router = resource("bookings", read=Scope.BOOKINGS_READ, write=Scope.BOOKINGS_WRITE)

GET routes then need `read`, all others `write`. A route that differs says so itself, and this replaces both:

    @router.post("/search", dependencies=[needs(Scope.MEMBERS_READ)])

What declares nothing is closed to everybody (`dispatcher.api.gate`), and a test names it. A scope that does not
exist yet is added to `dispatcher.api.scopes`, with its meaning.
"""

import json
from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.params import Depends
from fastapi.routing import APIRoute

from dispatcher.api.etags import state_tag, tagged, version_tag
from dispatcher.api.problems import Problem
from dispatcher.api.scopes import Scope, declared, needs

Responses = dict[int | str, dict[str, Any]]
READING = frozenset({"GET", "HEAD"})


def answers(*statuses: int) -> Responses:
    """The problems that an endpoint answers beside those that any endpoint does."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in sorted(statuses)}


class ResourceRoute(APIRoute):
    """An endpoint whose answers carry a tag (`dispatcher.api.etags`)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        has_versions = "version" in getattr(self.response_model, "model_fields", ())
        told = getattr(self.response_model, "TOLD", None)

        async def with_tag(request: Request) -> Response:
            response = await handler(request)
            is_read = request.method == "GET"
            if response.status_code >= HTTPStatus.MULTIPLE_CHOICES or not (is_read or "etag" in response.headers):
                return response
            if is_read and has_versions:
                response.headers["etag"] = version_tag(json.loads(bytes(response.body))["version"])
            elif is_read and told is not None:
                response.headers["etag"] = state_tag(bytes(response.body), told)
            return tagged(response, request.headers.get("if-none-match") if is_read else None)

        return with_tag


class ResourceRouter(APIRouter):
    """A router whose routes declare the scope that they need."""

    def __init__(self, name: str, read: Scope | None, write: Scope | None) -> None:
        super().__init__(
            prefix=f"/api/v1/{name}",
            tags=[name],
            responses=answers(401, 403, 422, 429, 503),
            redirect_slashes=False,  # a path has one spelling
            route_class=ResourceRoute,
        )
        self._read = read
        self._write = write

    def add_api_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        dependencies: Sequence[Depends] | None = None,
        methods: set[str] | list[str] | None = None,
        **options: Any,
    ) -> None:
        """As every router's, with the router's own scope where `dependencies` declare none."""
        own = list(dependencies or ())
        usual = self._read if READING.issuperset(methods or READING) else self._write
        if usual is not None and not declared(own):
            own.append(needs(usual))
        super().add_api_route(path, endpoint, dependencies=own, methods=methods, **options)


def resource(name: str, *, read: Scope | None = None, write: Scope | None = None) -> ResourceRouter:
    """The router of `/api/v1/{name}`: who reads needs `read`, who does anything else `write`."""
    return ResourceRouter(name, read, write)
