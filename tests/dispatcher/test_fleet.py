"""Which vehicles a fleet could do without: small periods that can be played by hand."""

from dispatcher.core.fleet import Car, Played, play_without
from dispatcher.core.windows import Window


def car(vehicle_id: str, *hours: tuple[int, int], station: str = "a", category: str = "city") -> Car:
    return Car(vehicle_id, station, category, tuple(Window(start, end) for start, end in hours))


def outcome(played: Played) -> tuple[int, int, int, bool]:
    return played.same_station, played.nearby, played.unplaced, played.could_go


def test_a_vehicle_whose_bookings_fit_between_those_of_another_could_go() -> None:
    (played,) = play_without([car("one", (10, 12), (16, 18)), car("two", (12, 16))], ["one"], {})
    assert outcome(played) == (2, 0, 0, True)


def test_a_vehicle_that_was_out_together_with_all_others_stays() -> None:
    (played,) = play_without([car("one", (10, 12), (16, 18)), car("two", (11, 13))], ["one"], {})
    assert outcome(played) == (1, 0, 1, False)


def test_another_category_and_a_station_too_far_away_are_no_alternative() -> None:
    cars = [car("one", (10, 12)), car("van", category="van"), car("far", station="b")]
    assert outcome(play_without(cars, ["one"], {})[0]) == (0, 0, 1, False)


def test_the_own_station_comes_first_and_the_nearest_next() -> None:
    cars = [
        car("one", (10, 12), (20, 21)),
        car("own", (10, 12)),
        car("near", (20, 21), station="b"),
        car("further", station="c"),
    ]
    (played,) = play_without(cars, ["one"], {"a": ["b", "c"]})
    assert outcome(played) == (1, 1, 0, True)


def test_of_two_vehicles_that_could_go_alone_only_one_goes_where_both_are_too_many() -> None:
    cars = [car("one", (10, 12)), car("two", (10, 12)), car("three")]
    first, second = play_without(cars, ["one", "two"], {})
    assert (first.could_go, second.could_go) == (True, False)


def test_what_could_not_go_is_put_back_before_the_next_is_tried() -> None:
    cars = [car("one", (10, 12), (14, 16)), car("two", (14, 16)), car("three", (18, 20))]
    cars.append(car("four", (14, 16), (10, 11)))
    goes, stays = play_without(cars, ["four", "three"], {})
    assert outcome(goes) == (2, 0, 0, True)  # both into three: one is out, and comes before
    assert outcome(stays) == (2, 0, 1, False)  # with what it was given: one and two are out from 14 to 16
    alone = play_without([car("x", (1, 2), (5, 6)), car("y", (5, 6))], ["x", "y"], {})
    assert [outcome(played) for played in alone] == [(1, 0, 1, False), (0, 0, 1, False)]


def test_a_vehicle_that_nobody_booked_could_go() -> None:
    assert outcome(play_without([car("one")], ["one"], {})[0]) == (0, 0, 0, True)
