from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge

from runtime.config import ConfigError
from runtime.health import Check, HealthApp, Monitored, serve_health


def registry_with(name: str) -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge(name, "Some value.", registry=registry).set(3)
    return registry


@pytest.fixture
def checks() -> list[Check]:
    return [Check("mqtt", ok=True, detail="connected")]


@pytest.fixture
async def client(checks: list[Check]) -> AsyncIterator[httpx.AsyncClient]:
    app = HealthApp(Monitored(registry_with("root"), health=lambda: checks))
    app.mount("/cabinets/42", Monitored(registry_with("cabinet"), ready=lambda: [Check("clock", ok=False)]))
    async with (
        serve_health(app, "127.0.0.1", 0, field="health.port") as serving,
        httpx.AsyncClient(base_url=serving.url) as made,
    ):
        yield made


async def test_metrics_are_served_in_the_format_that_is_asked_for(client: httpx.AsyncClient) -> None:
    plain = await client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "root 3.0" in plain.text
    openmetrics = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.text.endswith("# EOF\n")


async def test_health_is_ok_while_every_check_holds(client: httpx.AsyncClient) -> None:
    response = await client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": [{"name": "mqtt", "ok": True, "detail": "connected"}]}


async def test_one_check_that_fails_is_503(client: httpx.AsyncClient, checks: list[Check]) -> None:
    checks.append(Check("journal", ok=False, detail="disk full"))
    response = await client.get("/healthz")
    assert response.status_code == 503
    assert response.json()["status"] == "failing"
    assert response.json()["checks"][1] == {"name": "journal", "ok": False, "detail": "disk full"}


async def test_readiness_has_checks_of_its_own(client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).json() == {"status": "ok", "checks": []}
    assert (await client.get("/cabinets/42/readyz")).status_code == 503
    assert (await client.get("/cabinets/42/healthz")).status_code == 200


async def test_what_is_mounted_has_its_own_registry(client: httpx.AsyncClient) -> None:
    text = (await client.get("/cabinets/42/metrics")).text
    assert "cabinet 3.0" in text
    assert "root" not in text


@pytest.mark.parametrize(
    "path", ["/", "/metric", "/cabinets/43/metrics", "/cabinets/metrics", "/metrics/", "//metrics"]
)
async def test_other_paths_are_not_found(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.json() == {"error": "not_found"}


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/cabinets/42/readyz"])
async def test_other_methods_are_not_allowed(client: httpx.AsyncClient, path: str) -> None:
    response = await client.post(path)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert (await client.head(path)).text == ""


async def test_an_address_that_others_reach_is_refused() -> None:
    app = HealthApp(Monitored(CollectorRegistry()))
    with pytest.raises(ConfigError, match=r"health\.host = '192\.0\.2\.1' .* a proxy with TLS"):
        async with serve_health(app, "192.0.2.1", 0, field="health.host"):
            raise AssertionError("not reached")


@pytest.mark.parametrize("prefix", ["cabinets", "/cabinets/", ""])
def test_a_prefix_starts_with_a_slash_and_does_not_end_with_one(prefix: str) -> None:
    app = HealthApp(Monitored(CollectorRegistry()))
    with pytest.raises(AssertionError):
        app.mount(prefix, Monitored(CollectorRegistry()))
