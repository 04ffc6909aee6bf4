"""How each resource of the API is set up: its whole path, its token, the problems that any request can meet."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.security import HTTPBearer

from dispatcher.api.problems import Problem

Responses = dict[int | str, dict[str, Any]]

# Documents the token; the gate is what asks for it, before anything of the request is read.
TOKEN = HTTPBearer(auto_error=False, description="made by `dispatcher new-keys`")


def answers(*statuses: int) -> Responses:
    """The problems that an endpoint answers beside those that any endpoint does."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in sorted(statuses)}


def resource(name: str) -> APIRouter:
    return APIRouter(
        prefix=f"/api/v1/{name}",
        tags=[name],
        dependencies=[Depends(TOKEN)],
        responses=answers(401, 503),
        redirect_slashes=False,  # a path has one spelling
    )
