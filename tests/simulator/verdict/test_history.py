import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import AccessGranted, AgentStarted, BadFact, KeyTaken
from simulator.verdict.evidence import LedgerFact
from simulator.verdict.verdict import Verdict
from tests.simulator.verdict.story import OTHER_KEY, Story, good_rental, only_broken

PROMISE = "no_fact_lost_or_doubled"


def renumbered(ledger: list[LedgerFact]) -> list[LedgerFact]:
    """As a ledger would number them: without gaps."""
    return [replace(row, position=i, seq=i) for i, row in enumerate(ledger, start=1)]


def verdict_with(story: Story, ledger: list[LedgerFact]) -> Verdict:
    return story.verdict(2700, story.evidence(ledger=tuple(renumbered(ledger))))


def test_a_good_rental_is_eight_facts_on_both_sides() -> None:
    facts = good_rental().verdict(2700).facts
    assert facts == {"physical": 8, "ledger": 8, "missing": 0, "doubled": 0, "out_of_order": 0}


@pytest.mark.parametrize("index", range(8))
def test_each_fact_is_missed_when_the_ledger_lacks_it(index: int) -> None:
    story = good_rental()
    verdict = verdict_with(story, story.ledger[:index] + story.ledger[index + 1 :])
    assert verdict.facts["missing"] == 1
    assert verdict.facts["doubled"] == verdict.facts["out_of_order"] == 0
    (found,) = only_broken(verdict, PROMISE)
    assert found.startswith("missing in the ledger")


@pytest.mark.parametrize("index", range(8))
def test_each_fact_is_named_when_the_ledger_has_it_twice(index: int) -> None:
    story = good_rental()
    verdict = verdict_with(story, story.ledger[: index + 1] + story.ledger[index:])
    assert verdict.facts["doubled"] == 1
    assert verdict.facts["missing"] == verdict.facts["out_of_order"] == 0
    (found,) = only_broken(verdict, PROMISE)
    assert found.startswith("doubled or invented in the ledger")


@pytest.mark.parametrize("index", range(7))
def test_two_facts_that_changed_places_are_named(index: int) -> None:
    story = good_rental()
    ledger = list(story.ledger)
    ledger[index], ledger[index + 1] = ledger[index + 1], ledger[index]
    verdict = verdict_with(story, ledger)
    near = index in {0, 4}  # card and door are 0.3 s apart: closer than two looks
    assert verdict.facts["out_of_order"] == (0 if near else 1)
    assert verdict.facts["missing"] == verdict.facts["doubled"] == 0
    assert verdict.promises[PROMISE].held is near


def test_a_fact_told_much_too_late_is_one_fault_and_not_many() -> None:
    story = good_rental()
    verdict = verdict_with(story, [*story.ledger[1:], story.ledger[0]])
    assert verdict.facts["out_of_order"] + verdict.facts["missing"] + verdict.facts["doubled"] == 1


def test_facts_of_other_kinds_are_not_compared() -> None:
    story = good_rental()
    started = AgentStarted(seq=1, at_ms=1, clock_trusted=True, boot_nonce="0" * 32, version="1")
    verdict = verdict_with(story, [LedgerFact(1, story.ledger[0].cabinet, "e" * 32, 1, started), *story.ledger])
    assert verdict.held


def test_a_gap_in_the_numbers_is_named() -> None:
    story = good_rental()
    ledger = [replace(row, seq=row.seq + (row.seq > 5)) for row in story.ledger]
    (found,) = only_broken(story.verdict(2700, story.evidence(ledger=tuple(ledger))), PROMISE)
    assert "fact 7 follows fact 5" in found


def test_a_fact_that_nobody_can_read_is_named() -> None:
    story = good_rental()
    row = LedgerFact(9, story.ledger[0].cabinet, "e" * 32, 9, BadFact("slot: Input should be 1 or more"))
    (found,) = only_broken(verdict_with(story, [*story.ledger, row]), PROMISE)
    assert "unreadable at position 9" in found


def test_another_badge_than_the_one_shown_is_named() -> None:
    story = good_rental()
    row = story.ledger[0]
    assert isinstance(row.fact, AccessGranted)
    changed = replace(row, fact=row.fact.model_copy(update={"badge": "ref-of-somebody"}))
    (found,) = only_broken(verdict_with(story, [changed, *story.ledger[1:]]), PROMISE)
    assert "the ledger names badge ref-of-somebody" in found


def test_another_key_than_the_one_taken_is_named() -> None:
    story = good_rental()
    row = story.ledger[2]
    assert isinstance(row.fact, KeyTaken)
    changed = replace(row, fact=row.fact.model_copy(update={"key": OTHER_KEY.id}))
    (found,) = only_broken(verdict_with(story, [*story.ledger[:2], changed, *story.ledger[3:]]), PROMISE)
    assert f"the ledger names key {OTHER_KEY.id}" in found


@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=1, max_value=4))
def test_lost_and_doubled_facts_are_counted_exactly(seed: int, faults: int) -> None:
    story = good_rental()
    rng = random.Random(seed)
    ledger = list(story.ledger)
    lost = rng.sample(range(8), k=faults)
    twice = rng.choice([i for i in range(8) if i not in lost])
    kept = [row for i, row in enumerate(ledger) if i not in lost for _ in range(2 if i == twice else 1)]
    facts = verdict_with(story, kept).facts
    assert facts["missing"] - facts["doubled"] == faults - 1
    assert facts["missing"] in {faults - 1, faults}, "a doubled fact may pass for a lost one of the same kind"
    assert facts["physical"] == 8
    assert facts["ledger"] == len(kept)
