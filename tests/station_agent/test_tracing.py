"""A trace is kept while somebody looks, and not for whoever comes later."""

from station_agent.drivers.talkers import TalkerAnnotator
from station_agent.tracing import LOOKED_AT_US, LineTrace


def trace() -> LineTrace:
    return LineTrace("tags-1", lambda: TalkerAnnotator("tag reader"))


def test_nothing_is_kept_before_somebody_looks() -> None:
    this = trace()
    this.note(0, b"123", sent=False)
    assert this.page(1, 0)["pieces"] == []
    this.note(2, b"123", sent=False)
    (piece,) = this.page(3, 0)["pieces"]
    assert piece["words"] == "3 bytes from the tag reader, not shown"


def test_what_passed_for_somebody_who_has_gone_is_not_shown_to_the_next_one() -> None:
    this = trace()
    this.page(0, 0)
    this.note(1, b"123", sent=False)
    assert this.page(1 + LOOKED_AT_US + 1, 0)["pieces"] == []


def test_what_passes_after_a_while_without_a_look_ends_it() -> None:
    this = trace()
    this.page(0, 0)
    this.note(1, b"123", sent=False)
    this.note(LOOKED_AT_US + 1, b"123", sent=False)
    this.note(LOOKED_AT_US + 2, b"123", sent=False)
    assert this.page(LOOKED_AT_US + 3, 0)["pieces"] == []
