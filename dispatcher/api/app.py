"""The dispatcher's HTTP application: the API under /api/v1, beside it health and metrics."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.routing import APIRoute

from dispatcher.api import (
    audit,
    availability,
    badge_changes,
    badges,
    blocks,
    booking_operations,
    booking_usage,
    bookings,
    cabinet_changes,
    cabinet_facts,
    cabinets,
    changes,
    commands,
    facts,
    fleet_report,
    handovers,
    incidents,
    key_changes,
    keys,
    member_changes,
    members,
    municipalities,
    network,
    orders,
    organisation_changes,
    organisations,
    personal_data,
    release_codes,
    releases,
    rentals,
    reports,
    station_changes,
    stations,
    thefts,
    vehicle_changes,
    vehicles,
    webhooks,
    who_held,
)
from dispatcher.api.context import ApiContext
from dispatcher.api.documentation import DESCRIPTION, document
from dispatcher.api.faults import add_fault_handlers
from dispatcher.api.gate import OPENAPI_PATH, Gate
from dispatcher.api.rate_limits import Limits
from dispatcher.api.tokens import Tokens
from runtime.health import HealthApp, Monitored

PARTS = (
    network,
    municipalities,
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
    members,
    member_changes,
    personal_data,
    badges,
    badge_changes,
    bookings,
    booking_usage,
    booking_operations,
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
    who_held,
    audit,
    changes,
)
"""The resources, in the order in which the document tells them."""

VERSION = "1.0.0"  # of the API, not of the program: its major is in the path


def _operation_id(route: APIRoute) -> str:
    """The endpoint's own name: what a generated client calls its function."""
    return route.name


def create_app(
    context: ApiContext, *, tokens: Callable[[], Tokens], monitored: Monitored, limits: Limits | None = None
) -> FastAPI:
    """Make the application.

    Args:
        context: what the endpoints work with; its database is migrated.
        tokens: who may call, asked at every request.
        limits: how often who may call; the usual ones where absent.
        monitored: registry and checks behind /metrics, /healthz and /readyz.
    """
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
    app.state.context = context
    for part in PARTS:
        app.include_router(part.router)
    app.add_middleware(
        Gate,
        routes=app.routes,
        tokens=tokens,
        clocks=(context.clock, context.line_clock),
        limits=limits or Limits(),
        counters=context.counters,
        health=HealthApp(monitored),
    )
    add_fault_handlers(app)
    document(app)
    return app
