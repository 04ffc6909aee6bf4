"""Cards that lie on a reader for seconds, hours and days."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from station_agent.core.device_events import CardRead
from station_agent.held_cards import AGAIN_FIRST_US, AGAIN_MAX_US, AWAY_US, CARDS_MAX, HeldCards

CARD = CardRead("entrance", 64, bytes(8))
OTHER = CardRead("entrance", 64, bytes(range(8)))
ELSEWHERE = CardRead("return", 64, bytes(8))
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


def asked(held: HeldCards, card: CardRead, times_us: list[int], *, refused: bool = True) -> list[int]:
    """When the core was asked about this card."""
    found = []
    for at_us in times_us:
        if not held.is_held(card, at_us):
            held.answered(card, at_us, refused=refused)
            found.append(at_us)
    return found


def test_a_card_that_is_held_is_asked_about_less_and_less_often() -> None:
    times = asked(HeldCards(), CARD, list(range(0, 200 * SECOND_US, SECOND_US // 2)))
    assert times == [0, *(AGAIN_FIRST_US * (2**n - 1) for n in range(1, 5))]


def test_a_day_on_the_reader_is_some_hundred_and_fifty_facts() -> None:
    times = asked(HeldCards(), CARD, list(range(0, DAY_US, SECOND_US)))
    assert 140 < len(times) < 155
    assert max(later - earlier for earlier, later in pairwise(times)) == AGAIN_MAX_US


def test_a_card_that_was_taken_away_is_a_new_wish() -> None:
    held = HeldCards()
    gap_us = AWAY_US + 1
    assert asked(held, CARD, [0, gap_us, 2 * gap_us]) == [0, gap_us, 2 * gap_us]


def test_what_opens_is_asked_about_every_time() -> None:
    times = [n * SECOND_US // 2 for n in range(10)]
    assert asked(HeldCards(), CARD, times, refused=False) == times


def test_a_right_that_comes_while_the_card_is_held_opens_at_the_next_question() -> None:
    held = HeldCards()
    assert asked(held, CARD, list(range(0, AGAIN_FIRST_US, SECOND_US))) == [0]
    assert asked(held, CARD, [AGAIN_FIRST_US], refused=False) == [AGAIN_FIRST_US]
    assert not held.is_held(CARD, AGAIN_FIRST_US + SECOND_US)


def test_another_card_and_the_same_at_another_reader_are_asked_about_at_once() -> None:
    held = HeldCards()
    assert asked(held, CARD, [0, 1]) == [0]
    assert asked(held, OTHER, [2, 3]) == [2]
    assert asked(held, ELSEWHERE, [4, 5]) == [4]
    assert asked(held, CARD, [6]) == [], "two cards that take turns at one reader are both held"


def test_memory_is_bounded_however_many_cards_are_shown() -> None:
    held = HeldCards()
    for number in range(10 * CARDS_MAX):
        asked(held, CardRead("entrance", 64, number.to_bytes(8)), [number])
    assert len(held._refused) == CARDS_MAX


@given(st.lists(st.integers(AWAY_US + 1, 10 * AWAY_US), max_size=30))
def test_no_wish_that_hands_can_make_is_overheard(gaps_us: list[int]) -> None:
    times_us = [sum(gaps_us[:n]) for n in range(len(gaps_us))]
    assert asked(HeldCards(), CARD, times_us) == times_us
