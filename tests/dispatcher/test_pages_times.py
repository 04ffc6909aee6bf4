"""Times as pages say them."""

from datetime import UTC, datetime

import pytest

from dispatcher.core.windows import to_ms
from dispatcher.pages.times import distance_text, time_text
from dispatcher.pages.words import WORDS
from dispatcher.pages.words.catalogue import Language

FRENCH, ENGLISH = WORDS[Language.FR], WORDS[Language.EN]
NOW_MS = to_ms(datetime(2026, 3, 2, 22, 41, tzinfo=UTC))


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (datetime(2026, 3, 2, 5, 7, tzinfo=UTC), "06:07"),
        (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), "mar. 3 mars 00:30"),
        (datetime(2025, 12, 31, 11, 0, tzinfo=UTC), "mer. 31 déc. 2025 12:00"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "dim. 25 oct. 02:30 (+0200)"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "dim. 25 oct. 02:30 (+0100)"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=UTC), "dim. 25 oct. 03:30"),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "dim. 29 mars 03:30"),
    ],
)
def test_an_instant_is_said_as_people_in_lille_read_it(at: datetime, says: str) -> None:
    assert time_text(to_ms(at), NOW_MS, FRENCH) == says


@pytest.mark.parametrize(
    ("minutes", "says"),
    [
        (0, "less than a minute ago"),
        (-5, "5 min ago"),
        (-119, "119 min ago"),
        (-120, "2 h ago"),
        (-47 * 60, "47 h ago"),
        (-48 * 60, "2 days ago"),
        (90, "in 90 min"),
    ],
)
def test_how_far_an_instant_is_from_now_is_said_in_one_unit(minutes: int, says: str) -> None:
    assert distance_text(NOW_MS + minutes * 60_000, NOW_MS, ENGLISH) == says
