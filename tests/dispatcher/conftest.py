"""Every test that makes a database through these helpers runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    alone = metafunc.definition.get_closest_marker("only_sqlite") is not None
    if not alone and MAKERS & vars(metafunc.module).keys():
        metafunc.parametrize("backend", getattr(metafunc.module, "BACKENDS", BOTH), indirect=True)


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the database that the test runs on."""
    name: Backend = getattr(request, "param", "sqlite")
    with running_on(name):
        yield name
