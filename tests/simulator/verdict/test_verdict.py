import json

from tests.simulator.verdict.story import KEY, Story, good_rental

KEYS = ("promises", "bookings", "handovers", "facts", "refusals", "wall_s", "simulated_s")
PROMISES = (
    "no_key_leaves_without_a_right",
    "a_right_opens",
    "no_fact_lost_or_doubled",
    "no_vehicle_booked_twice",
    "picture_converges",
)


def test_the_document_has_stable_keys_and_whole_numbers() -> None:
    document = json.loads(json.dumps(good_rental().verdict(2700).to_document(wall_s=1.5, simulated_s=90)))
    assert tuple(document) == KEYS
    assert tuple(document["promises"]) == PROMISES
    assert all(it == {"held": True, "counterexamples": []} for it in document["promises"].values())
    assert tuple(document["facts"]) == ("physical", "ledger", "missing", "doubled", "out_of_order")
    assert tuple(document["handovers"]) == ("taken", "returned")
    numbers = [*document["facts"].values(), *document["bookings"].values(), *document["handovers"].values()]
    assert all(type(number) is int for number in numbers)
    assert document["bookings"]["completed"] == 1


def test_counterexamples_are_in_the_document_and_on_the_screen() -> None:
    story = Story()
    for second in range(12):
        story.pulses(20 + second, KEY.home_slot)
    verdict = story.verdict(100)
    assert not verdict.held
    document = verdict.to_document(wall_s=1, simulated_s=1)
    assert len(document["promises"]["no_key_leaves_without_a_right"]["counterexamples"]) == 12
    text = verdict.to_text()
    assert "BROKEN no key leaves without a right" in text
    assert "and 2 more" in text
    assert "held   a right opens" in text


def test_refusals_are_counted_by_reason() -> None:
    story = Story(refused=["too_early", "no_booking", "too_early"])
    assert story.verdict(10).refusals == {"no_booking": 1, "too_early": 2}
