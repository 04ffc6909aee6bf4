"""The Lilas network: places and vehicles from `lilas.json`, people and cards from a seed."""

from itertools import count
from typing import Any

from simulator.network.data import read_json
from simulator.network.draws import UniqueDraws, stream
from simulator.network.model import (
    EM4100,
    SLOTS,
    Card,
    Energy,
    Key,
    Municipality,
    Network,
    Station,
    Vehicle,
)
from simulator.network.people import draw_people

STATIONS = 30


def lilas_network(seed: int, stations: int = STATIONS) -> Network:
    """The network, or its first stations: those of the centre come first, busiest first.

    All 2,000 members are in it whatever the number of stations; the same seed gives the same network.

    Raises:
        ValueError: `stations` is not between 1 and 30.
    """
    if not 1 <= stations <= STATIONS:
        raise ValueError(f"stations: {stations}, expected 1 to {STATIONS}")
    places = read_json("lilas.json")
    ids = UniqueDraws(stream(seed, "ids"))
    organisations, members = draw_people(seed, ids)
    chosen = places["stations"][:stations]
    named = {row["municipality"] for row in chosen}
    numbers = count(1)
    return Network(
        municipalities=tuple(
            Municipality(row["id"], row["name"]) for row in places["municipalities"] if row["id"] in named
        ),
        stations=tuple(_station(row) for row in chosen),
        vehicles=tuple(
            _vehicle(ids, next(numbers), _station(row), slot, kind)
            for row in chosen
            for slot, kind in enumerate(row["vehicles"], start=1)
        ),
        organisations=organisations,
        members=members,
    )


def _station(row: Any) -> Station:
    return Station(row["id"], row["name"], row["municipality"], row["latitude"], row["longitude"])


def _vehicle(ids: UniqueDraws, number: int, station: Station, slot: int, kind: str) -> Vehicle:
    assert slot < SLOTS, "one slot of every cabinet stays spare"
    category, energy = kind.split("/")
    vehicle_id = ids.opaque_id("v")
    key = Key(
        id=ids.opaque_id("k"),
        vehicle=vehicle_id,
        cabinet=station.cabinet,
        home_slot=slot,
        tag=Card(EM4100.name, EM4100.bits, ids.number(EM4100.bits)),
    )
    return Vehicle(vehicle_id, f"Lilas {number:03}", station.id, category, Energy(energy), key)
