"""Every test that makes a database through these helpers runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.dispatcher.backends import Backend, running_on

MAKERS = {
    "bare_engine",
    "new_database",
    "empty_database",
    "network_database",
    "running_api",
    "running",
    "made",
    "sending",
    "database",
    "api",
}
"""Where a module has one of these names, its tests make databases."""

BOTH: tuple[Backend, ...] = ("sqlite", "postgresql")
"""Unless a module says otherwise, in `BACKENDS`."""

DECIDED_BY_THE_DATABASE = {"test_api_blocks", "test_api_idempotency", "test_api_orders"}
"""Of the API's tests, those that run on PostgreSQL with every `make test`; the others do with `make test-long`."""

DECIDED_BY_THE_CORE = {
    "test_alternatives",
    "test_event_sender",
    "test_incident_desk",
    "test_no_show",
    "test_pages_details",
    "test_put_back",
    "test_reconcile",
    "test_swaps",
    "test_who_held",
}
"""These, too: much time passes in them, and their statements are those of other tests."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    alone = metafunc.definition.get_closest_marker("only_sqlite") is not None
    if not alone and MAKERS & vars(metafunc.module).keys():
        names = getattr(metafunc.module, "BACKENDS", BOTH)
        metafunc.parametrize("backend", [_backend(name, metafunc.module.__name__) for name in names], indirect=True)


def _backend(name: Backend, module: str) -> Any:
    """What a test of the API takes is the application, made anew each time: twice for all of it is too much."""
    file = module.rpartition(".")[2]
    takes_its_time = file in DECIDED_BY_THE_CORE or (
        file.startswith("test_api_") and file not in DECIDED_BY_THE_DATABASE
    )
    return pytest.param(name, marks=pytest.mark.long) if takes_its_time and name == "postgresql" else name


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the database that the test runs on."""
    name: Backend = getattr(request, "param", "sqlite")
    with running_on(name):
        yield name
