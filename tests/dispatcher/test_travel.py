"""How far stations are apart, and how long a badge needs from one to the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.places import Place, distance_m
from dispatcher.core.travel import needed_ms

LILLE_FLANDRES, ROUBAIX = Place(50.6366, 3.0706), Place(50.6942, 3.1746)
places = st.builds(Place, st.floats(-90, 90), st.floats(-180, 180))


def test_a_degree_of_latitude_is_111_kilometres() -> None:
    assert distance_m(Place(50, 3), Place(51, 3)) == pytest.approx(111_195, abs=1)


def test_at_sixty_an_hour_a_kilometre_takes_a_minute() -> None:
    metres = distance_m(LILLE_FLANDRES, ROUBAIX)
    assert 9_000 < metres < 10_500
    assert needed_ms(LILLE_FLANDRES, ROUBAIX) == pytest.approx(metres * 60, abs=1)


@given(places, places)
def test_the_way_there_is_as_long_as_the_way_back_and_never_more_than_half_round_the_earth(
    one: Place, other: Place
) -> None:
    assert distance_m(one, other) == pytest.approx(distance_m(other, one), abs=0.1)
    assert 0 <= distance_m(one, other) <= 20_015_087


@given(places)
def test_nobody_needs_time_to_stay(place: Place) -> None:
    assert needed_ms(place, place) == 0
