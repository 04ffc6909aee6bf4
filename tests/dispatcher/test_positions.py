"""Where a vehicle was left outside its bay is known from its return to its next take, and from nowhere else."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, text

from contract.facts import Identity, KeyReturned, KeyTaken, VehicleReading
from contract.messages import VehicleState
from contract.places import Position
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.applying import Applying
from dispatcher.store.keys import fob_of
from dispatcher.store.links import keep_reported
from dispatcher.store.positions import keep_positions, vehicle_left
from dispatcher.store.reports import apply_reports
from dispatcher.store.schema import cabinet_links, vehicle_positions
from dispatcher.store.vehicles import LeftAt, vehicle_by_id
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import OTHER_CABINET, RULES, incidents
from tests.dispatcher.test_projections import Bench

THERE = Position(latitude=50.6416, longitude=3.0706)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def state(position: Position | None = THERE, vehicle: str = "car-1") -> tuple[VehicleState, ...]:
    return (VehicleState(vehicle=vehicle, reading=VehicleReading(age_s=0), position=position),)


def left_at(bench: Bench, vehicle: str = "car-1") -> LeftAt | None:
    found = bench.database.read_now(lambda connection: vehicle_by_id(connection, vehicle, signals=True))
    assert found is not None
    return found.left_at


def left_outside(bench: Bench) -> None:
    bench.return_key(at_home=False)
    bench.report((), vehicles=state())


def anywhere(bench: Bench, words: Sequence[str]) -> list[str]:
    """Every table in which one of these words stands."""

    def look(connection: Connection) -> list[str]:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        return [
            name
            for name in names
            if any(
                word in repr(tuple(row))
                for row in connection.execute(text(f'SELECT * FROM "{name}"'))  # noqa: S608  # names of our own
                for word in words
            )
        ]

    return bench.database.read_now(look)


def test_a_car_outside_its_bay_is_an_incident_and_its_place_is_shown_until_the_next_take(bench: Bench) -> None:
    left_outside(bench)
    assert incidents(bench.database) == [(IncidentKind.CAR_OUTSIDE_BAY, "car-1", True)]
    assert left_at(bench) == LeftAt(50.6416, 3.0706, bench.box.now_ms)
    bench.report((), vehicles=state(None))  # a box that was started again does not know it any more
    assert left_at(bench) is not None
    bench.take_key()
    assert left_at(bench) is None
    assert (IncidentKind.CAR_OUTSIDE_BAY, "car-1", False) in incidents(bench.database)


@pytest.mark.parametrize("at_home", [True, None])
def test_a_return_to_the_bay_or_to_nobody_knows_where_is_no_incident(bench: Bench, at_home: bool | None) -> None:
    left_outside(bench)
    bench.return_key(at_home=at_home)
    assert incidents(bench.database) == [(IncidentKind.CAR_OUTSIDE_BAY, "car-1", False)]
    assert left_at(bench) is None


def test_after_the_take_the_position_is_nowhere_in_the_database(bench: Bench) -> None:
    left_outside(bench)
    words = ("50.6416", "3.0706")
    assert anywhere(bench, words) == ["vehicle_positions"]
    bench.take_key()
    assert anywhere(bench, words) == []


def test_a_place_told_and_left_within_one_transaction_is_nowhere_in_the_database(bench: Bench) -> None:
    left_outside(bench)
    told = bench.box.report(slots=(), vehicles=state())
    now_ms = bench.box.now_ms

    def leave(connection: Connection) -> None:
        fob = fob_of(connection, "key-1")
        assert fob is not None
        vehicle_left(Applying(connection, 1, bench.box.cabinet, now_ms, RULES), fob)

    def work(connection: Connection) -> None:
        leave(connection)
        leave(connection)
        keep_positions(connection, told, now_ms)
        leave(connection)

    bench.database.write_now(work)
    assert left_at(bench) is None


def test_a_report_that_comes_after_the_take_brings_nothing_back(bench: Bench) -> None:
    bench.return_key(at_home=False)
    late = bench.box.report(slots=(), vehicles=state())
    bench.take_key()
    bench.database.write_now(lambda connection: keep_reported(connection, late, bench.box.now_ms))
    bench.database.write_now(lambda connection: apply_reports(connection, RULES, bench.box.now_ms))
    assert bench.row(cabinet_links)["reported_applied"]
    assert anywhere(bench, ("50.6416",)) == []


def test_a_box_has_no_say_on_where_others_vehicles_stand(bench: Bench) -> None:
    bench.box = FakeBox(OTHER_CABINET)
    bench.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-3")
    bench.report((), vehicles=state())
    assert bench.rows(vehicle_positions) == []


def test_no_fact_can_carry_a_position() -> None:
    fields: dict[str, Any] = {"slot": 1, "identity": Identity.READ, "position": {"latitude": 50.6416}}
    fact = KeyReturned(seq=1, at_ms=1, clock_trusted=True, **fields)
    assert "50.6416" not in fact.to_json()
