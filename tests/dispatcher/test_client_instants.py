"""Times as a person types them: one instant, or a refusal that says why there is none."""

from argparse import ArgumentTypeError

import pytest

from dispatcher.client.instants import instant
from tests.dispatcher.terminal import here


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("2026-10-04T13:00", "2026-10-04T13:00:00+02:00"),
        ("2026-12-04 13:00", "2026-12-04T13:00:00+01:00"),
        ("2026-10-04", "2026-10-04T00:00:00+02:00"),
        ("2026-10-25T02:30+01:00", "2026-10-25T02:30:00+01:00"),
        ("2026-10-25 02:30+0200", "2026-10-25T02:30:00+02:00"),
        ("2026-10-04T11:00:00Z", "2026-10-04T11:00:00+00:00"),
    ],
)
def test_a_wall_time_is_of_this_machine_and_an_offset_is_kept(typed: str, sent: str) -> None:
    with here():
        assert instant(typed) == sent


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-10-25T02:30", "comes twice: expected 2026-10-25T02:30+02:00 or 2026-10-25T02:30+01:00"),
        ("2026-03-29T02:30", "never comes"),
        ("soon", "expected a time such as"),
        ("0001-01-01", "expected a time such as"),
    ],
)
def test_a_wall_time_that_is_not_one_instant_is_refused_by_name(typed: str, expected: str) -> None:
    with here(), pytest.raises(ArgumentTypeError, match=expected.replace("+", r"\+")):
        instant(typed)
