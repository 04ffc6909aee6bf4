"""Each refusal is told to the member and counted; a card that lies on a reader does not fill the journal."""

from contract.facts import AccessRefused
from contract.reasons import Reason
from station_agent.core.device_events import CardRead, ReaderSignal
from station_agent.core.refusals import RUN_ENDS_MS, THINNED_MS, TOLD_EACH
from tests.station_agent.core.box import HOUR_MS, Box


def told(box: Box) -> list[AccessRefused]:
    return [fact for fact in box.new() if isinstance(fact, AccessRefused)]


def lie(box: Box, *, ms: int, every_ms: int = 1000) -> int:
    """A card lies on the reader; how often it was read."""
    for _ in range(ms // every_ms):
        wake_ms = box.station.wake_at_line_ms
        if wake_ms is not None and wake_ms <= box.line_ms:
            box.elapse()
        box.badge("stranger")
        box.pass_time(every_ms)
    return ms // every_ms


def test_what_hands_can_do_is_told_each_time() -> None:
    box = Box()
    for _ in range(TOLD_EACH):
        box.badge("stranger")
        box.pass_time(2000)
    assert [fact.repeats for fact in told(box)] == [0] * TOLD_EACH
    assert box.signals() == [ReaderSignal.CALL] * TOLD_EACH


def test_a_card_that_lies_on_a_reader_is_a_fact_a_minute_that_counts_all() -> None:
    box = Box()
    read = lie(box, ms=HOUR_MS)
    assert len(told(box)) <= TOLD_EACH + HOUR_MS // THINNED_MS
    box.pass_time(THINNED_MS)
    box.elapse()
    assert sum(1 + fact.repeats for fact in told(box)) == read
    assert len(box.signals()) == read
    assert box.station.people.refusals.counts[Reason.UNKNOWN_BADGE] == read


def test_what_was_not_told_yet_is_told_before_what_comes_next_at_that_reader() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.forget()
    lie(box, ms=20_000)
    box.badge("ann")
    assert box.kinds() == ["access_refused"] * (TOLD_EACH + 1) + ["access_granted"]
    assert told(box)[-1].repeats == 20 - TOLD_EACH - 1


def test_two_cards_in_turns_are_thinned_each_and_a_third_is_told_at_once() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", start_ms=HOUR_MS)
    box.forget()
    for _ in range(10):
        box.badge("stranger")
        box.badge("ann")
        box.pass_time(1000)
    assert [fact.reason for fact in told(box)] == [Reason.UNKNOWN_BADGE, Reason.TOO_EARLY] * TOLD_EACH
    box.event(CardRead("entrance", 26, bytes(4)))
    assert told(box)[-1].reason is Reason.UNREADABLE_BADGE


def test_ever_new_cards_that_nobody_knows_are_one_and_the_same_refusal() -> None:
    box = Box()
    for n in range(100):
        box.badge(f"none-{n}")
        box.pass_time(100)
    box.pass_time(THINNED_MS)
    box.elapse()
    assert len(told(box)) == TOLD_EACH + 1
    assert sum(1 + fact.repeats for fact in told(box)) == 100


def test_a_card_that_comes_again_after_a_while_is_told_anew() -> None:
    box = Box()
    for _ in range(3 * TOLD_EACH):
        box.badge("stranger")
        box.pass_time(RUN_ENDS_MS + 1)
    assert [fact.repeats for fact in told(box)] == [0] * 3 * TOLD_EACH


def test_the_same_card_at_another_reader_is_another_matter() -> None:
    box = Box()
    lie(box, ms=20_000)
    box.tag("stranger")
    assert told(box)[-1].reader == "returns"
    assert told(box)[-1].repeats == 0
