"""Life cycles: forwards only, and what is in the way of each kind of thing."""

import pytest

from dispatcher.core.life_cycles import HINDRANCES, LifeCycle, NetworkReason, Thing, may_become

ORDERED, IN_SERVICE, RETIRED = LifeCycle
NOTHING: frozenset[NetworkReason] = frozenset()


@pytest.mark.parametrize("thing", Thing)
def test_nothing_in_the_way_a_thing_goes_forwards_and_stays_what_it_is(thing: Thing) -> None:
    for now, wanted in ((ORDERED, IN_SERVICE), (ORDERED, RETIRED), (IN_SERVICE, RETIRED), (RETIRED, RETIRED)):
        assert may_become(thing, now, wanted, NOTHING) is None


@pytest.mark.parametrize("thing", Thing)
def test_nothing_comes_back(thing: Thing) -> None:
    for now, wanted in ((RETIRED, IN_SERVICE), (RETIRED, ORDERED), (IN_SERVICE, ORDERED)):
        refused = may_become(thing, now, wanted, NOTHING)
        assert refused is not None
        assert (refused.reason, refused.value) == (NetworkReason.LIFE_CYCLE_BACKWARDS, wanted)


def test_each_row_of_the_table_refuses_its_own_direction_alone() -> None:
    for (thing, direction), rows in HINDRANCES.items():
        wanted = IN_SERVICE if direction == "into_service" else RETIRED
        other = RETIRED if direction == "into_service" else IN_SERVICE
        for reason, expected in rows.items():
            refused = may_become(thing, ORDERED, wanted, frozenset({reason}))
            assert refused is not None
            assert (refused.reason, refused.expected) == (reason, expected)
            opposite = HINDRANCES[thing, "out_of_service" if direction == "into_service" else "into_service"]
            if reason not in opposite:
                assert may_become(thing, ORDERED, other, frozenset({reason})) is None


def test_of_several_hindrances_the_first_of_the_table_is_told() -> None:
    found = frozenset({NetworkReason.HAS_BOOKINGS, NetworkReason.KEY_IS_OUT})
    refused = may_become(Thing.VEHICLES, IN_SERVICE, RETIRED, found)
    assert refused is not None
    assert refused.reason is NetworkReason.KEY_IS_OUT
