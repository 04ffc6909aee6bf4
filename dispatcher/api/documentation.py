"""The OpenAPI document: FastAPI's own, with errors under the media type that they really have."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from dispatcher.api.problems import MEDIA_TYPE

DESCRIPTION = """\
Bookings, vehicles, stations and members of a station-based car-sharing network.

Every request carries a bearer token. Times carry their UTC offset; answers are in UTC. Every error is
problem+json (RFC 9457) whose `reason` says in one word why. Lists come in pages: `next` of one page is the
`cursor` of the following one.
"""


def document(app: FastAPI) -> None:
    """Make `app.openapi` describe problems with their own media type. It is computed once, when asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            for path in schema["paths"].values():
                for operation in path.values():
                    _retype_problems(operation["responses"])
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change the document


def _retype_problems(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            response["content"] = {MEDIA_TYPE: response["content"].pop("application/json")}
