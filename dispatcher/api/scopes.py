"""What a token may do: the closed list of scopes, and how a route declares the one that it needs.

A scope implies no other one. A route has exactly one, or says that it is `open_to_all`; one that says neither is
closed to everybody, which `dispatcher.api.gate` decides and `tests/dispatcher/test_api_scopes.py` finds.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from fastapi import Security
from fastapi.params import Depends
from fastapi.security import HTTPBearer


class Scope(StrEnum):
    NETWORK_READ = "network:read"
    BOOKINGS_READ = "bookings:read"
    BOOKINGS_WRITE = "bookings:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    FLEET_READ = "fleet:read"
    FLEET_WRITE = "fleet:write"
    INCIDENTS_READ = "incidents:read"
    OPERATIONS = "operations"
    FACTS_READ = "facts:read"
    REPORTS_READ = "reports:read"
    AUDIT_READ = "audit:read"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


MEANING: Mapping[Scope, str] = MappingProxyType(
    {
        Scope.NETWORK_READ: "see stations, cabinets, vehicles and which of them are free",
        Scope.BOOKINGS_READ: "see bookings with their history",
        Scope.BOOKINGS_WRITE: "book, change, extend and cancel",
        Scope.MEMBERS_READ: "see and search members, organisations with pools and cost centres, badges"
        " without their numbers",
        Scope.MEMBERS_WRITE: "add and change members, their standing, organisations with pools and cost"
        " centres, badges",
        Scope.FLEET_READ: "see keys with their tags, service orders, blocks and life cycles",
        Scope.FLEET_WRITE: "add and change stations, cabinets, slots, vehicles, keys and tags; place service orders"
        " and blocks",
        Scope.INCIDENTS_READ: "see incidents with their history, and shift notes",
        Scope.OPERATIONS: "release slots, make release codes, lock vehicles out, revoke badges everywhere,"
        " replace a booking's vehicle or end it by hand, handle incidents,"
        " and leave shift notes",
        Scope.FACTS_READ: "see the ledger, handovers and rentals",
        Scope.REPORTS_READ: "see reports on use and on unmet demand",
        Scope.AUDIT_READ: "ask who held a vehicle at an instant, and read the audit records",
        Scope.WEBHOOKS: "set up webhooks, see their deliveries and send them again",
        Scope.ADMIN: "export and erase what is kept of a member, and run the housekeeping",
    }
)

BEARER = HTTPBearer(
    scheme_name="token",
    auto_error=False,  # the gate is what asks for it, before anything of the request is read
    description="Made by `dispatcher token new`. Each operation names the one scope that it needs:\n\n"
    + "\n".join(f"- `{scope}`: {MEANING[scope]}" for scope in Scope),
)


def needs(scope: Scope) -> Depends:
    """The declaration of one route: `@router.post("/search", dependencies=[needs(Scope.MEMBERS_READ)])`."""
    declaration: Depends = Security(BEARER, scopes=[scope.value])
    return declaration


async def _anybody() -> None:
    """Stands for "whoever asks" among the dependencies of a route."""


def open_to_all() -> Depends:
    """The declaration of a route that needs no token: the sign-in page, and what the whole world may read."""
    return Depends(_anybody)


def is_open_to_all(dependencies: Iterable[Depends]) -> bool:
    return any(dependency.dependency is _anybody for dependency in dependencies)


def declared(dependencies: Iterable[Depends]) -> Sequence[Scope]:
    """The scopes that `dependencies` declare: a route is open to somebody only where it is exactly one."""
    return [
        Scope(scope)
        for dependency in dependencies
        if dependency.dependency is BEARER
        for scope in getattr(dependency, "scopes", None) or ()
    ]
