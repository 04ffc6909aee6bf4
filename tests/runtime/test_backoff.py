from random import Random

from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import SPREAD, Backoff


@given(st.integers(), st.integers(1, 50))
def test_delays_grow_to_their_bound_and_no_further(seed: int, attempts: int) -> None:
    backoff = Backoff(0.5, 15, Random(seed))
    for attempt in range(attempts):
        bound_s = min(0.5 * 2**attempt, 15)
        assert bound_s * SPREAD <= backoff.next_s() <= bound_s


def test_after_a_reset_the_first_delay_comes_again() -> None:
    backoff = Backoff(0.5, 15, Random(1))
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.5


def test_two_boxes_do_not_come_back_at_the_same_instant() -> None:
    assert Backoff(1, 15, Random("box-1")).next_s() != Backoff(1, 15, Random("box-2")).next_s()
