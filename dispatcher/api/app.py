"""The dispatcher's HTTP application: the API under /api/v1, beside it open data, health and metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.errors import ServerErrorMiddleware

from dispatcher.api import (
    audit,
    availability,
    badge_changes,
    badges,
    blocks,
    booking_offers,
    booking_operations,
    booking_usage,
    bookings,
    cabinet_changes,
    cabinet_facts,
    cabinets,
    changes,
    commands,
    cost_centres,
    facts,
    fleet_report,
    handovers,
    incidents,
    key_changes,
    keys,
    member_changes,
    members,
    municipalities,
    municipality_changes,
    network,
    open_data,
    orders,
    organisation_changes,
    organisations,
    personal_data,
    pool_changes,
    pools,
    release_codes,
    releases,
    rentals,
    reports,
    shift_notes,
    station_changes,
    stations,
    thefts,
    vehicle_changes,
    vehicles,
    webhooks,
    who_held,
)
from dispatcher.api.callers import Callers
from dispatcher.api.context import ApiContext
from dispatcher.api.documentation import DESCRIPTION, document
from dispatcher.api.faults import add_fault_handlers, on_mistake
from dispatcher.api.gate import OPENAPI_PATH, Gate, Told, as_a_program
from dispatcher.api.rate_limits import Limits
from dispatcher.api.route_table import RouteTable
from dispatcher.api.sessions import Sessions
from dispatcher.api.tokens import Tokens
from runtime.health import HealthApp, Monitored
from runtime.listening import AsgiApp, Receive, Scope, Send

PARTS = (
    network,
    municipalities,
    municipality_changes,
    stations,
    station_changes,
    cabinets,
    cabinet_changes,
    thefts,
    keys,
    key_changes,
    vehicles,
    vehicle_changes,
    organisations,
    organisation_changes,
    cost_centres,
    pools,
    pool_changes,
    members,
    member_changes,
    personal_data,
    badges,
    badge_changes,
    bookings,
    booking_usage,
    booking_operations,
    booking_offers,
    orders,
    blocks,
    availability,
    handovers,
    rentals,
    reports,
    fleet_report,
    facts,
    cabinet_facts,
    commands,
    release_codes,
    releases,
    webhooks,
    incidents,
    shift_notes,
    who_held,
    audit,
    changes,
)
"""The resources, in the order in which the document tells them."""

VERSION = "1.0.0"  # of the API, not of the program: its major is in the path


def _operation_id(route: APIRoute) -> str:
    """The endpoint's own name: what a generated client calls its function."""
    return route.name


@dataclass(frozen=True, slots=True)
class Endpoints:
    """All that is answered, whoever runs it: made once, since to make it takes as long as two hundred requests."""

    app: FastAPI
    routes: RouteTable

    @classmethod
    def of(cls, app: FastAPI) -> "Endpoints":
        """The routes as they are now: one that is added later is not reached."""
        return cls(app, RouteTable(app.routes))


class Application:
    """What the endpoints work with, and the gate before them: there is no way in beside it."""

    def __init__(self, context: ApiContext, gate: AsgiApp) -> None:
        self.context = context
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["context"] = self.context
        await self._gate(scope, receive, send)


def make_endpoints() -> FastAPI:
    """The resources with their faults and their document; nothing of it knows a database or a clock."""
    app = FastAPI(
        title="Car-sharing dispatcher",
        version=VERSION,
        description=DESCRIPTION,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # its page loads scripts from a foreign server
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    for part in PARTS:
        app.include_router(part.router)
    app.include_router(open_data.router)
    add_fault_handlers(app)
    document(app)
    return app


@cache
def the_endpoints() -> Endpoints:
    """Those of this process."""
    return Endpoints.of(make_endpoints())


def create_app(
    context: ApiContext,
    *,
    tokens: Callable[[], Tokens],
    monitored: Monitored,
    limits: Limits | None = None,
    endpoints: Endpoints | None = None,
    told: Told = as_a_program,
) -> Application:
    """Make the application.

    Args:
        context: what the endpoints work with; its database is migrated.
        tokens: who may call, asked at every request.
        limits: how often who may call; the usual ones where absent.
        monitored: registry and checks behind /metrics, /healthz and /readyz.
        endpoints: others than this API's.
        told: how a person's browser is told what the gate refuses.
    """
    endpoints = endpoints or the_endpoints()
    sessions = Sessions(context.digest_secret, context.random_bytes, context.clock.speed)
    gate = Gate(
        endpoints.app,
        routes=endpoints.routes,
        callers=Callers(tokens, sessions, context.clock),
        rates=(limits or Limits(), context.line_clock),
        counters=context.counters,
        health=HealthApp(monitored),
        told=told,
    )
    return Application(context, ServerErrorMiddleware(gate, handler=on_mistake))  # the gate's own mistakes
