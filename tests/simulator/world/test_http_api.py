import httpx
import pytest

from simulator.world.api import ApiRefusal, ApiUnreachableError, BookingRequest, BookingView
from simulator.world.http_api import HttpBookingApi
from tests.dispatcher.api_client import running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS

REQUEST = BookingRequest("m-alix", ELEVEN_MS, ELEVEN_MS + 2 * HOUR_MS, vehicle="v-city-1")


async def test_a_booking_is_made_read_and_cancelled_at_the_real_api() -> None:
    async with running_api() as api:
        phone = HttpBookingApi(api.http)
        made = await phone.book(REQUEST)
        assert isinstance(made, BookingView)
        assert (made.vehicle, made.state) == ("v-city-1", "booked")
        assert made.grant in {"on_box", "pending", "cabinet_unreachable"}
        assert await phone.booking(made.id) == made
        cancelled = await phone.cancel(made.id)
        assert isinstance(cancelled, BookingView)
        assert (cancelled.state, cancelled.grant) == ("cancelled", None)


async def test_a_category_is_booked_at_a_station() -> None:
    async with running_api() as api:
        phone = HttpBookingApi(api.http)
        station = (await api.get("/vehicles/v-city-1"))["home_station_id"]
        wanted = BookingRequest("m-alix", ELEVEN_MS, ELEVEN_MS + 2 * HOUR_MS, category="city", station=station)
        made = await phone.book(wanted)
        assert isinstance(made, BookingView)
        assert made.vehicle.startswith("v-city")


async def test_what_the_api_refuses_is_told_with_its_reason() -> None:
    async with running_api() as api:
        phone = HttpBookingApi(api.http)
        await phone.book(REQUEST)
        assert await phone.book(REQUEST) == ApiRefusal("vehicle_not_free")
        assert await phone.booking("no-such-booking") == ApiRefusal("not_found")


async def test_a_dispatcher_that_does_not_answer_is_told_apart_from_a_refusal() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    def fail(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(503, json={"reason": "storage_unavailable"})

    def babble(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>")

    for handler in (refuse, fail, babble):
        transport = httpx.MockTransport(handler)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            with pytest.raises(ApiUnreachableError, match="GET /api/v1/bookings/b-1"):
                await HttpBookingApi(client).booking("b-1")
