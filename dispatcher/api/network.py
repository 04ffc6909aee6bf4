"""The whole network in figures."""

from collections.abc import Mapping
from datetime import datetime

from dispatcher.api.context import Context
from dispatcher.api.resources import resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer
from dispatcher.core.windows import to_utc
from dispatcher.store.network_summary import NetworkSummary, network_summary

router = resource("network", read=Scope.NETWORK_READ)


class CabinetsOut(Answer):
    """Those in service."""

    total: int
    online: int
    desired_outdated: int
    """They hold an older wanted state than the one that was computed for them."""


class NetworkOut(Answer):
    at: datetime
    municipalities: int
    stations: int
    """In service."""
    cabinets: CabinetsOut
    vehicles: Mapping[str, int]
    """By life cycle."""
    keys: Mapping[str, int]
    """By place, of those in service; `unknown`: no cabinet has said anything of them yet."""
    members: Mapping[str, int]
    """By standing."""
    bookings: Mapping[str, int]
    """By state, of those that hold a vehicle."""
    open_incidents: Mapping[str, int]
    """By severity."""


@router.get("")
async def read_network(context: Context) -> NetworkOut:
    """How large the network is and how it is doing, counted now."""
    found = await context.database.read(network_summary)
    return _out(found, context.clock.now_ms())


def _out(found: NetworkSummary, now_ms: int) -> NetworkOut:
    return NetworkOut(
        at=to_utc(now_ms),
        municipalities=found.municipalities,
        stations=found.stations,
        cabinets=CabinetsOut(
            total=found.cabinets, online=found.cabinets_online, desired_outdated=found.desired_outdated
        ),
        vehicles=found.vehicles,
        keys=found.keys,
        members=found.members,
        bookings=found.bookings,
        open_incidents=found.open_incidents,
    )
