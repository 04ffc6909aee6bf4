import json
from collections import Counter
from pathlib import Path

import pytest

from dispatcher.importing.files import read_document
from simulator.network.import_document import import_document
from simulator.network.lilas import STATIONS, lilas_network
from simulator.network.model import CARD_KINDS, SLOTS, Energy, Standing
from simulator.network.people import CITY_HALL

NETWORK = lilas_network(seed=1)


def test_the_network_has_the_size_that_the_domain_states() -> None:
    assert len(NETWORK.stations) == STATIONS == 30
    assert len(NETWORK.municipalities) == 12
    assert len(NETWORK.vehicles) == 75
    assert len(NETWORK.members) == 2000


def test_city_hall_has_124_drivers_and_partners_have_some() -> None:
    drivers = {it.name: len(NETWORK.drivers_of(it.id)) for it in NETWORK.organisations}
    assert drivers[CITY_HALL] == 124
    assert len(drivers) >= 4
    assert all(drivers.values())


def test_every_station_lies_in_the_lille_area_and_has_two_to_four_vehicles() -> None:
    for station in NETWORK.stations:
        assert 50.58 < station.latitude < 50.75, station
        assert 2.98 < station.longitude < 3.22, station
        assert 2 <= len(NETWORK.vehicles_at(station.id)) <= 4, station


def test_every_municipality_of_the_network_has_a_station() -> None:
    assert {station.municipality for station in NETWORK.stations} == {it.id for it in NETWORK.municipalities}


def test_keys_have_slots_of_their_own_and_one_slot_stays_spare() -> None:
    for cabinet in NETWORK.cabinets:
        slots = [it.key.home_slot for it in NETWORK.vehicles if it.key.cabinet == cabinet]
        assert len(set(slots)) == len(slots) < SLOTS
        assert set(slots) <= set(range(1, SLOTS + 1))


def test_energies_and_categories_are_mixed() -> None:
    assert {vehicle.energy for vehicle in NETWORK.vehicles} == set(Energy)
    assert {vehicle.category for vehicle in NETWORK.vehicles} >= {"city", "family", "van"}


def test_no_card_and_no_id_is_given_twice() -> None:
    cards = [card for member in NETWORK.members for card in (*member.badges, member.old_badge) if card]
    tags = [vehicle.key.tag for vehicle in NETWORK.vehicles]
    credentials = Counter(card.credential for card in (*cards, *tags))
    assert max(credentials.values()) == 1
    ids = Counter(
        [member.id for member in NETWORK.members]
        + [vehicle.id for vehicle in NETWORK.vehicles]
        + [vehicle.key.id for vehicle in NETWORK.vehicles]
    )
    assert max(ids.values()) == 1


def test_cards_have_the_bits_of_their_kind() -> None:
    bits = {kind.name: kind.bits for kind in CARD_KINDS}
    for member in NETWORK.members:
        for card in member.badges:
            assert card.bits == bits[card.kind] == len(card.data) * 8


def test_most_members_are_in_standing_and_some_are_not() -> None:
    standings = Counter(member.standing for member in NETWORK.members)
    assert standings[Standing.ACTIVE] > 1900
    assert standings[Standing.SUSPENDED]
    assert standings[Standing.LICENCE_EXPIRED]


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    assert lilas_network(seed=1) == NETWORK
    assert lilas_network(seed=2).members != NETWORK.members
    assert lilas_network(seed=2).stations == NETWORK.stations


def test_fewer_stations_are_the_first_ones_with_all_members() -> None:
    small = lilas_network(seed=1, stations=5)
    assert small.stations == NETWORK.stations[:5]
    assert small.members == NETWORK.members
    assert small.vehicles == NETWORK.vehicles[: len(small.vehicles)]
    assert {it.id for it in small.municipalities} == {station.municipality for station in small.stations}


@pytest.mark.parametrize("stations", [0, 31, -1])
def test_a_number_of_stations_that_there_is_not_is_refused(stations: int) -> None:
    with pytest.raises(ValueError, match=f"stations: {stations}, expected 1 to 30"):
        lilas_network(seed=1, stations=stations)


@pytest.mark.parametrize("stations", [1, 5, 30])
def test_the_import_document_is_taken_without_a_fault(stations: int, tmp_path: Path) -> None:
    network = lilas_network(seed=3, stations=stations)
    file = tmp_path / "lilas.json"
    file.write_text(json.dumps(import_document(network, {})), encoding="utf-8")
    rows, faults = read_document(json.loads(file.read_text(encoding="utf-8")), "lilas.json")
    assert not faults
    kinds = Counter(placed.kind for placed in rows)
    assert kinds["members"] == 2000
    assert kinds["stations"] == kinds["cabinets"] == stations
    assert kinds["keys"] == kinds["tags"] == kinds["vehicles"] == len(network.vehicles)
    assert kinds["badges"] >= 2000
