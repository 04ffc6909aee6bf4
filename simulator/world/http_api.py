"""Members' phones over HTTP: `BookingApi` on the dispatcher's REST API under `/api/v1`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from simulator.world.api import ApiAnswer, ApiRefusal, ApiUnreachableError, BookingRequest, BookingView

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PATH = "/api/v1/bookings"


class HttpBookingApi:
    """`client` knows the base URL and the bearer token, and may be an in-process one."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def book(self, request: BookingRequest) -> ApiAnswer:
        wanted = {
            "member_id": request.member,
            "start": _instant(request.start_ms),
            "end": _instant(request.end_ms),
            "vehicle_id": request.vehicle,
            "category": request.category,
            "station_id": request.station,
            "organisation_id": request.organisation,
            "driver_ids": list(request.drivers),
            "accept_unreachable": True,  # they go and try
        }
        return await self._ask("POST", PATH, {name: value for name, value in wanted.items() if value})

    async def booking(self, booking: str) -> ApiAnswer:
        return await self._ask("GET", f"{PATH}/{booking}")

    async def cancel(self, booking: str) -> ApiAnswer:
        return await self._ask("POST", f"{PATH}/{booking}/cancel")

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> ApiAnswer:
        try:
            response = await self._client.request(method, path, json=body)
            answer = response.json()
        except (httpx.TransportError, ValueError) as error:
            raise ApiUnreachableError(f"{method} {path}: {error}") from error
        if response.is_server_error:
            raise ApiUnreachableError(f"{method} {path}: {response.status_code} {answer.get('reason')}")
        if response.is_client_error:
            return ApiRefusal(answer["reason"])
        return BookingView(
            id=answer["id"],
            vehicle=answer["vehicle_id"],
            cabinet=answer["cabinet_id"],
            state=answer["state"],
            grant=answer["grant"],
        )


def _instant(at_ms: int) -> str:
    return (EPOCH + timedelta(milliseconds=at_ms)).isoformat()
