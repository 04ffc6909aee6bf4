"""Who vouches for the clock: the kernel, or an answer of the dispatcher to a question of this box."""

import pytest

from contract.messages import TimeReply
from station_agent.clock_trust import ASK_AGAIN_MS, OFFSET_MAX_MS, ROUND_TRIP_MAX_MS, WORD_LASTS_MS, ClockTrust

WALL_MS = 1_800_000_000_000
NONCE, OTHER = "a" * 32, "b" * 32


def reply(nonce: str, at_ms: int) -> TimeReply:
    return TimeReply(cabinet="gare-1", nonce=nonce, at_ms=at_ms)


def asked(*, offset_ms: int = 0, round_trip_ms: int = 50, nonce: str = NONCE) -> ClockTrust:
    trust = ClockTrust()
    trust.asks(1000, NONCE)
    trust.answered(1000 + round_trip_ms, WALL_MS, reply(nonce, WALL_MS + offset_ms))
    return trust


def test_the_kernels_word_is_enough_and_its_silence_is_not() -> None:
    trust = ClockTrust()
    assert trust.source(0, kernel_synchronised=True) == "kernel"
    assert trust.source(0, kernel_synchronised=False) == "none"


def test_an_answer_that_agrees_vouches_for_a_day() -> None:
    trust = asked()
    assert trust.source(1050, kernel_synchronised=False) == "dispatcher"
    assert trust.source(1050 + WORD_LASTS_MS - 1, kernel_synchronised=False) == "dispatcher"
    assert trust.source(1050 + WORD_LASTS_MS, kernel_synchronised=False) == "none"


@pytest.mark.parametrize("offset_ms", [OFFSET_MAX_MS + 1, -OFFSET_MAX_MS - 1, 3_600_000])
def test_a_clock_that_the_dispatcher_contradicts_is_not_trusted(offset_ms: int) -> None:
    trust = asked(offset_ms=offset_ms)
    assert trust.source(1050, kernel_synchronised=False) == "none"
    assert trust.offset_ms == offset_ms


def test_an_answer_to_another_question_or_a_late_one_says_nothing() -> None:
    assert asked(nonce=OTHER).source(1050, kernel_synchronised=False) == "none"
    late = asked(round_trip_ms=ROUND_TRIP_MAX_MS + 1)
    assert late.source(10_000, kernel_synchronised=False) == "none"


def test_an_answer_counts_once() -> None:
    trust = asked(offset_ms=OFFSET_MAX_MS + 1)
    trust.answered(1060, WALL_MS, reply(NONCE, WALL_MS))
    assert trust.source(1060, kernel_synchronised=False) == "none"


def test_it_asks_until_answered_and_then_once_an_hour() -> None:
    trust = ClockTrust()
    assert trust.wants_to_ask(0)
    trust = asked()
    assert not trust.wants_to_ask(1050 + ASK_AGAIN_MS - 1)
    assert trust.wants_to_ask(1050 + ASK_AGAIN_MS)
