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

DECIDED_BY_THE_DATABASE = {
    "test_among",
    "test_api_blocks",
    "test_api_idempotency",
    "test_api_orders",
    "test_asking_again",
    "test_backup",
    "test_blocks",
    "test_blocks_at_once",
    "test_bookings_store",
    "test_database",
    "test_desired",
    "test_erasure",
    "test_forged_rows",
    "test_ingest",
    "test_intake",
    "test_later",
    "test_looking",
    "test_migrations",
    "test_migrations_with_data",
    "test_new_ledger",
    "test_overlap",
    "test_postgresql",
    "test_projections",
    "test_reports",
    "test_retention",
    "test_rounds",
    "test_stored_answers",
    "test_vouching",
}
"""What runs on PostgreSQL with every `make test`; everything else does with `make test-long`, too.

Most of what a test takes there is the way to the server and back, and its statements are those of other tests.
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    alone = metafunc.definition.get_closest_marker("only_sqlite") is not None
    if not alone and MAKERS & vars(metafunc.module).keys():
        names = getattr(metafunc.module, "BACKENDS", BOTH)
        metafunc.parametrize("backend", [_backend(name, metafunc.module.__name__) for name in names], indirect=True)


def _backend(name: Backend, module: str) -> Any:
    is_long = name == "postgresql" and module.rpartition(".")[2] not in DECIDED_BY_THE_DATABASE
    return pytest.param(name, marks=pytest.mark.long) if is_long else name


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the database that the test runs on."""
    name: Backend = getattr(request, "param", "sqlite")
    with running_on(name):
        yield name
