import pytest

from station_agent.drivers.bus_rest import STRETCH, BusRest

GAP_US = 4_000
QUIET_US = 200_000


def bus_rest() -> BusRest:
    return BusRest(gap_us=GAP_US, quiet_us=QUIET_US, frame_min=5)


def test_next_request_waits_for_the_gap_after_an_answer() -> None:
    rest = bus_rest()
    rest.heard(1_000)
    assert rest.free_at_us == 1_000 + GAP_US


def test_what_comes_in_the_quiet_time_starts_it_anew() -> None:
    rest = bus_rest()
    rest.keep_quiet(0)
    rest.heard_unasked(150_000, 1)
    assert rest.free_at_us == 150_000 + QUIET_US


@pytest.mark.parametrize("spacing_us", [1_000, 4_000, 50_000])
def test_line_that_never_falls_silent_is_used_all_the_same(spacing_us: int) -> None:
    rest = bus_rest()
    rest.keep_quiet(0)
    now_us = 0
    while now_us < rest.free_at_us:
        rest.heard_unasked(now_us, 1)
        now_us += spacing_us
    assert now_us <= STRETCH * QUIET_US + spacing_us


def test_noise_costs_a_gap_and_a_whole_frame_the_quiet_time() -> None:
    rest = bus_rest()
    rest.asked()
    assert rest.heard_unasked(1_000_000, 2)
    assert rest.free_at_us == 1_000_000 + GAP_US
    assert not rest.heard_unasked(1_001_000, 3)
    assert rest.free_at_us == 1_001_000 + QUIET_US
