"""The OpenAPI document: FastAPI's own, with examples, and with all that any request can be answered.

What stops a request before its endpoint (the gate, the writer, the database) is the same everywhere. So each of its
statuses is described once, with all its reasons, and every operation refers to those that it can meet.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from dispatcher.api.examples import EXAMPLES
from dispatcher.api.problems import MEDIA_TYPE, PROBLEMS

DESCRIPTION = """\
Bookings, vehicles, stations and members of a station-based car-sharing network.

Every request carries a bearer token, which has scopes. Times carry their UTC offset; answers are in UTC. Every
error is problem+json (RFC 9457) whose `reason` says in one word why. Lists come in pages: `next` of one page is the
`cursor` of the following one. `Idempotency-Key` makes a write safe to send again; `etag`, `If-None-Match` and
`If-Match` tell what changed since.
"""

ANY = (401, 403, 422, 429, 503)
"""Of every operation: the token, its scope, a wrong field or page, too many requests, the database."""
OF_A_BODY = (400, 413)
OF_A_KEY = (409,)
OF_A_VERSION = (412,)
HEADERS = {
    401: {"www-authenticate": "What token is expected (RFC 6750)."},
    403: {"www-authenticate": "Which scope is expected (RFC 6750)."},
    429: {"retry-after": "Seconds until the next request is answered."},
    503: {"retry-after": "Seconds after which it is worth another try."},
}
TAG = {"etag": {"description": "For `If-None-Match` and `If-Match`.", "schema": {"type": "string"}}}
REPLAYED = {
    "idempotency-replayed": {
        "description": "`true`: nothing was done; this was answered to the same request before.",
        "schema": {"type": "string", "const": "true"},
    }
}


def document(app: FastAPI) -> None:
    """Make `app.openapi` describe it all. It is computed once, when asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            _complete(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change the document


def _complete(schema: dict[str, Any]) -> None:
    components = schema["components"]
    for name, example in EXAMPLES.items():
        if name in components["schemas"]:
            components["schemas"][name]["examples"] = [_plain(example)]
    used = set()
    for method, operation in _operations(schema):
        statuses = _refusals(operation)
        used |= statuses
        _answers(method, operation["responses"], has_key=_has(operation, "Idempotency-Key"))
        for status in sorted(statuses):
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    components["responses"] = {_name(status): _response(status) for status in sorted(used)}


def _plain(value: Any) -> Any:
    """As JSON is made of it."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in schema["paths"].values():
        yield from path.items()


def _refusals(operation: dict[str, Any]) -> set[int]:
    """The statuses of problems: what the endpoint declares, and what can happen before it."""
    declared = {int(status) for status in operation["responses"] if int(status) >= HTTPStatus.BAD_REQUEST}
    return {
        *declared,
        *ANY,
        *(OF_A_BODY if "requestBody" in operation else ()),
        *(OF_A_KEY if _has(operation, "Idempotency-Key") else ()),
        *(OF_A_VERSION if _has(operation, "If-Match") else ()),
    }


def _has(operation: dict[str, Any], header: str) -> bool:
    return any(parameter["name"] == header for parameter in operation.get("parameters", ()))


def _answers(method: str, responses: dict[str, Any], *, has_key: bool) -> None:
    """Headers of what is answered when all is well."""
    (status,) = (status for status in responses if int(status) < HTTPStatus.MULTIPLE_CHOICES)
    headers = {**(TAG if method == "get" else {}), **(REPLAYED if has_key else {})}
    if headers:
        responses[status]["headers"] = headers
    if method == "get":
        responses["304"] = {"description": "What `If-None-Match` names is what would be answered.", "headers": TAG}


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


def _response(status: int) -> dict[str, Any]:
    reasons = [(reason, title) for reason, (of, title) in PROBLEMS.items() if of == status]
    listed = "\n".join(f"- `{reason}`: {title}." for reason, title in reasons)
    headers = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.get(status, {}).items()
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described = {"description": f"{HTTPStatus(status).phrase}. Reasons:\n\n{listed}", "content": content}
    return {**described, "headers": headers} if headers else described
