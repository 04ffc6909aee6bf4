"""Turns whatever stopped a request into one problem, counted by its reason, without a secret in it."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

from dispatcher.api.context import ApiContext
from dispatcher.api.etags import tagged
from dispatcher.api.gate import BODY_BYTES_MAX, ROUTE
from dispatcher.api.problems import ApiReason, FieldFault, Refusal
from dispatcher.api.writing import REPLAYED, Replay
from dispatcher.expectations import expectation
from dispatcher.instants import TIME_WITHOUT_OFFSET
from runtime.redaction import is_secret_name

VALUE_CHARACTERS_MAX = 80  # enough to recognise a value, short enough to read
FAULTS_MAX = 50  # a body of 16 KiB can hold thousands; nobody reads more
RETRY_AFTER_S = 5  # a writer waits 10 s for the lock; who comes back then has mostly waited enough

NOT_QUOTED = frozenset(
    {"assignee", "case", "credential", "key_held_by", "name", "note", "plate", "reason", "text", "to_name"}
)  # of a person, or words that may name one: no answer and no log repeats them

REASON_BY_STATUS: Mapping[int, tuple[ApiReason, str]] = MappingProxyType(
    {
        400: (ApiReason.MALFORMED_JSON, "expected a JSON object in UTF-8"),
        413: (ApiReason.BODY_TOO_LARGE, f"expected at most {BODY_BYTES_MAX} bytes"),
    }
)

log = structlog.get_logger()


def add_fault_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(Replay, _on_replay)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(OperationalError, _on_storage)
    app.add_exception_handler(DataError, _on_unkept)
    app.add_exception_handler(Exception, on_mistake)


async def _on_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return _answer(request, error)


async def _on_replay(request: Request, error: Exception) -> Response:
    """No fault, but the same way out: the endpoint is left as soon as it is known that all was done before."""
    assert isinstance(error, Replay)
    _context(request).counters.replays += 1
    headers = {**error.answer.headers, REPLAYED: "true"}
    response = Response(error.answer.body, error.answer.status, headers, "application/json")
    return tagged(response, None) if "etag" in headers else response


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _answer(request, invalid(error.errors()))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    reason, detail = REASON_BY_STATUS.get(
        error.status_code, (ApiReason.INVALID_REQUEST, "expected a request that the API describes")
    )
    return _answer(request, Refusal(reason, detail, headers=error.headers))


async def _on_storage(request: Request, error: Exception) -> JSONResponse:
    log.error("api_storage_unavailable", route=_route(request), error=type(error).__name__)
    headers = {"retry-after": str(RETRY_AFTER_S)}
    return _answer(request, Refusal(ApiReason.STORAGE_UNAVAILABLE, "nothing was changed", headers=headers))


async def _on_unkept(request: Request, _error: Exception) -> JSONResponse:
    """Which value it was the database does not say, and its words may quote it."""
    expected = "expected texts without the character NUL, and numbers of 64 bits"
    return _answer(request, Refusal(ApiReason.INVALID_REQUEST, expected))


async def on_mistake(request: Request, _error: Exception) -> JSONResponse:
    """The server logs the traceback: the error is raised again once this is answered."""
    return _answer(request, Refusal(ApiReason.INTERNAL_ERROR, "it is in the dispatcher's log"))


def _answer(request: Request, refusal: Refusal) -> JSONResponse:
    _context(request).counters.refusals[refusal.problem.reason] += 1
    log.info(
        "api_refused",
        reason=refusal.problem.reason,
        status=refusal.problem.status,
        route=_route(request),
        caller=getattr(request.state, "caller", None),
    )
    return refusal.response()


def _context(request: Request) -> ApiContext:
    context = request.state.context
    assert isinstance(context, ApiContext)
    return context


def _route(request: Request) -> str | None:
    """The template: the path itself holds ids."""
    return request.scope.get(ROUTE)


def invalid(errors: Sequence[Any]) -> Refusal:
    """The problem of a request with wrong fields, each of them named."""
    faults = [_fault(error) for error in errors[:FAULTS_MAX]]
    reasons = {_reason(error) for error in errors}
    reason = reasons.pop() if len(reasons) == 1 else ApiReason.INVALID_REQUEST
    detail = "; ".join(f"{fault.field}: expected {fault.expected}" for fault in faults)
    return Refusal(reason, detail, faults)


def _reason(error: Mapping[str, Any]) -> ApiReason:
    if error["type"] == "json_invalid":
        return ApiReason.MALFORMED_JSON
    if error["type"] == TIME_WITHOUT_OFFSET:
        return ApiReason.TIME_WITHOUT_OFFSET
    return ApiReason.INVALID_REQUEST


def _fault(error: Mapping[str, Any]) -> FieldFault:
    if error["type"] == "json_invalid":
        return FieldFault(field="body", expected=f"JSON: {error['ctx']['error']} at {error['loc'][-1]}")
    where = [str(part) for part in error["loc"][1:]] or [str(error["loc"][0])]
    value = None if error["type"] == "extra_forbidden" else _value(where, error.get("input"))
    return FieldFault(field=".".join(where), value=value, expected=_expected(error))


def _expected(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "a field that this request knows"
        case "model_attributes_type" | "dict_type":
            return "a JSON object, sent as content-type application/json"
        case _:
            return expectation(error)


def _value(where: Sequence[str], value: object) -> str | None:
    """The value as sent, unless it may hold a secret or names somebody, or holds fields of its own."""
    hidden = any(is_secret_name(part) or part in NOT_QUOTED for part in where)
    if hidden or not isinstance(value, str | int | float | None):
        return None
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[:VALUE_CHARACTERS_MAX] + "..."
