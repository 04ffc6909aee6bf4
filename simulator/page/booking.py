"""Bookings and service orders for whoever stands at a cabinet, made through the dispatcher's API."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from runtime.clocks import Clock
from simulator.cabinet.words import BadCommand
from simulator.network.model import Network, Vehicle
from simulator.page.people import Person
from simulator.world.api import ON_BOX, ApiRefusal, ApiUnreachableError, BookingRequest, BookingView
from simulator.world.cabinet import PhysicalCabinet
from simulator.world.http_api import HttpBookingApi

LASTS_S: Final = 300  # real seconds to play with it, and an hour at least, which is the shortest booking
HOUR_MS: Final = 3_600_000
LOOKS: Final = 40
LOOK_S: Final = 0.25  # a right is on its box within a second: ten are patience enough
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
API: Final = "/api/v1"


class Bookings:
    """Of one cabinet's vehicles. `client` knows the API's address and a token that may do all of it."""

    def __init__(
        self, client: httpx.AsyncClient, network: Network, cabinet: PhysicalCabinet, clock: Clock, grid_ms: int
    ) -> None:
        self.made: dict[str, str] = {}
        """The last booking or order, by the credential that it is for."""
        self._client = client
        self._api = HttpBookingApi(client)
        self._network = network
        self._cabinet = cabinet
        self._clock = clock
        self._grid_ms = grid_ms
        self._staff: str | None = None

    async def book(self, person: Person, slot: int | None) -> str:
        """As `simulator.page.around.BookingDesk`."""
        refusals: list[str] = []
        for at, vehicle in self._hanging(slot):
            try:
                made = await self._make(person, vehicle)
            except ApiUnreachableError as error:
                raise BadCommand(f"book: the dispatcher does not answer: {error}") from None
            if isinstance(made, ApiRefusal):
                refusals.append(f"{vehicle.name}: {made.reason}")
                continue
            self.made[person.card.credential] = made.id
            grant = await self._grant(person, made)
            right = "its right is on the box" if grant == ON_BOX else f"its right is not on the box yet ({grant})"
            return f"{'order' if person.is_staff else 'booking'} {made.id}: {vehicle.name}, slot {at}; {right}"
        why = "; ".join(refusals) or "no key of the network hangs there"
        raise BadCommand(f"book: expected a vehicle that is free now: {why}")

    def _hanging(self, slot: int | None) -> Iterator[tuple[int, Vehicle]]:
        for each in self._cabinet.slots if slot is None else (slot,):
            key = self._cabinet.key_in(each)
            if key is not None and key.id in self._network.vehicle_of_key:
                yield each, self._network.vehicle_of_key[key.id]

    async def _make(self, person: Person, vehicle: Vehicle) -> BookingView | ApiRefusal:
        now_ms = self._clock.now_ms()
        lasts_ms = max(HOUR_MS, round(LASTS_S * 1000 * self._clock.speed))
        start_ms, lasts_ms = now_ms // self._grid_ms * self._grid_ms, -(-lasts_ms // self._grid_ms) * self._grid_ms
        if person.is_staff:
            return await self._order(vehicle, person, start_ms + lasts_ms)
        assert person.member is not None, "who books is a member"
        return await self._api.book(
            BookingRequest(
                member=person.member,
                start_ms=start_ms,
                end_ms=start_ms + lasts_ms,
                vehicle=vehicle.id,
                organisation=person.organisation,
            )
        )

    async def _order(self, vehicle: Vehicle, person: Person, end_ms: int) -> BookingView | ApiRefusal:
        if self._staff is None:
            member = await self._post("/members", {"name": "Station staff", "role": "staff"})
            if isinstance(member, ApiRefusal):
                return member
            badge = await self._post(f"/members/{member['id']}/badges", {"credential": person.card.credential})
            if isinstance(badge, ApiRefusal):
                return badge
            self._staff = member["id"]
        end = (EPOCH + timedelta(milliseconds=end_ms)).isoformat()
        order = {"holder_id": self._staff, "vehicle_id": vehicle.id, "purpose": "cleaning", "end": end}
        made = await self._post("/orders", order)
        if isinstance(made, ApiRefusal):
            return made
        return BookingView(made["id"], made["vehicle_id"], made["cabinet_id"], made["state"], made["grant"])

    async def _grant(self, person: Person, made: BookingView) -> str | None:
        """How far the right has come, at the latest after ten seconds."""
        path = f"{API}/{'orders' if person.is_staff else 'bookings'}/{made.id}"
        grant = made.grant
        for _ in range(LOOKS):
            if grant == ON_BOX:
                break
            await asyncio.sleep(LOOK_S)
            try:
                grant = (await self._client.get(path)).json().get("grant")
            except (httpx.TransportError, ValueError):
                continue
        return grant

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | ApiRefusal:
        try:
            response = await self._client.post(f"{API}{path}", json=body)
            answer: dict[str, Any] = response.json()
        except (httpx.TransportError, ValueError) as error:
            raise ApiUnreachableError(f"POST {path}: {error}") from error
        if response.is_server_error:
            raise ApiUnreachableError(f"POST {path}: {response.status_code} {answer.get('reason')}")
        return ApiRefusal(answer["reason"]) if response.is_client_error else answer
