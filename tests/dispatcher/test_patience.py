"""How long something has been so without a break."""

from dispatcher.core.patience import Patience

LATE, OTHER, NEWER_FORM = ("late", "cab-a", 1), ("late", "cab-b", 1), ("late", "cab-a", 2)


def test_what_is_so_lasts_from_when_it_was_first_seen() -> None:
    patience = Patience()
    assert patience.lasting_s([LATE], 100) == {LATE: 0}
    assert patience.lasting_s([LATE, OTHER], 130) == {LATE: 30, OTHER: 0}
    assert patience.lasting_s([LATE, OTHER], 140) == {LATE: 40, OTHER: 10}


def test_a_break_or_another_form_begins_anew() -> None:
    patience = Patience()
    patience.lasting_s([LATE], 100)
    assert patience.lasting_s([NEWER_FORM], 200) == {NEWER_FORM: 0}
    assert patience.lasting_s([], 210) == {}
    assert patience.lasting_s([LATE], 220) == {LATE: 0}
