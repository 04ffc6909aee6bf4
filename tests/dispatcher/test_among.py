"""One condition for any number of ids, on both databases."""

import pytest
from sqlalchemy import select

from dispatcher.store.among import among
from dispatcher.store.schema import vehicles
from tests.dispatcher.small_fleet import new_database

_THESE = select(vehicles.c.id).where(among(vehicles.c.id, "ids")).order_by(vehicles.c.id)


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([], []),
        (["car-2"], ["car-2"]),
        (["car-2", "car-1", "car-2"], ["car-1", "car-2"]),
        (['car-1","car-2', "car-1'", "nobody's \\ car"], []),
    ],
)
def test_rows_are_found_by_ids_in_any_number_and_whatever_they_are_made_of(
    ids: list[str], found: list[str]
) -> None:
    database = new_database()
    assert database.read_now(lambda connection: connection.execute(_THESE, {"ids": ids}).scalars().all()) == found
    database.close()


def test_the_text_of_the_statement_does_not_depend_on_how_many_there_are() -> None:
    database = new_database()
    assert "ids" in str(_THESE.compile(dialect=database.engine.dialect).params)
    database.close()
