"""How often a caller may ask, told apart by token, or by address where there is none."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from dispatcher.api.rate_limits import NAMES_MAX, Buckets, Limits, Rate, network_of
from dispatcher.api.tokens import TOKENS_MAX
from tests.dispatcher.api_client import OTHER_TOKEN, TOKEN, Api, running_api
from tests.dispatcher.fake_link import HandClock

LIMITS = Limits(callers=Rate(2, 3), strangers=Rate(0.1, 1))
SECOND_US = 1_000_000


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest_asyncio.fixture
async def api(clock: HandClock) -> AsyncIterator[Api]:
    async with running_api(token="", limits=LIMITS, line_clock=clock) as api:
        yield api


async def ask(api: Api, token: str = TOKEN, path: str = "/api/v1/stations") -> httpx.Response:
    return await api.http.get(path, headers={"authorization": f"Bearer {token}"} if token else {})


async def statuses(api: Api, count: int, token: str = TOKEN) -> list[int]:
    return [(await ask(api, token)).status_code for _ in range(count)]


async def test_a_caller_may_ask_a_few_times_at_once_and_then_as_fast_as_the_bucket_fills(
    api: Api, clock: HandClock
) -> None:
    assert await statuses(api, 5) == [200, 200, 200, 429, 429]
    clock.us += SECOND_US
    assert await statuses(api, 3) == [200, 200, 429]
    clock.us += 3600 * SECOND_US
    assert await statuses(api, 4) == [200, 200, 200, 429]


async def test_who_asks_too_often_is_told_when_to_come_back(api: Api, clock: HandClock) -> None:
    await statuses(api, 3)
    refused = await ask(api)
    assert (refused.json()["reason"], refused.headers["retry-after"]) == ("too_many_requests", "1")
    clock.us += int(refused.headers["retry-after"]) * SECOND_US
    assert (await ask(api)).status_code == 200
    assert api.context.counters.refusals["too_many_requests"] == 1


async def test_one_caller_does_not_use_up_what_another_has(api: Api) -> None:
    await statuses(api, 4)
    assert await statuses(api, 3, OTHER_TOKEN) == [200, 200, 200]


async def test_an_address_without_a_known_token_has_a_bucket_of_its_own(api: Api) -> None:
    assert await statuses(api, 2, token="") == [401, 429]
    assert await statuses(api, 1, token="a guess") == [429]
    refused = await ask(api, token="")
    assert refused.headers["retry-after"] == "10"
    assert (await ask(api, token="", path="/api/v1/openapi.json")).status_code == 429
    assert await statuses(api, 1) == [200]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_health_is_asked_for_without_a_limit(api: Api, path: str) -> None:
    await statuses(api, 2, token="")
    assert {(await ask(api, "", path)).status_code for _ in range(20)} == {200}


def test_there_are_so_many_buckets_and_no_more() -> None:
    buckets = Buckets(Rate(1, 1), keys_max=2)
    assert [buckets.take(key, 0) for key in ("a", "b", "a", "c")] == [0, 0, 1, 0]
    assert len(buckets) == 2
    assert [buckets.take(key, 0) for key in ("a", "b")] == [1, 0]


def test_there_is_a_bucket_for_every_token() -> None:
    assert NAMES_MAX >= TOKENS_MAX


def test_a_refused_request_takes_nothing_and_a_full_bucket_takes_no_more() -> None:
    buckets = Buckets(Rate(1, 1), keys_max=2)
    assert buckets.take("a", 0) == 0
    assert [buckets.take("a", at_us) for at_us in range(0, SECOND_US, SECOND_US // 10)] == [1] * 10
    assert buckets.take("a", SECOND_US) == 0
    assert [buckets.take("a", 1000 * SECOND_US) for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("/run/socket", "/run/socket"),
    ],
)
def test_addresses_of_one_subscriber_are_one(address: str, network: str) -> None:
    assert network_of(address) == network
