from collections.abc import Callable

import pytest

from simulator.cabinet.words import BadCommand, decimal, fitting, octets, one_of, whole


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (
            lambda: one_of("line", "lock", ("locks", "readers", "tags", "vehicle")),
            "line 'lock': did you mean locks? expected one of locks, readers, tags, vehicle",
        ),
        (lambda: one_of("line", "x", ()), "line 'x': expected one of none: there is nothing here"),
        (lambda: whole("slot", "9", 1, 8), "slot '9': expected a whole number from 1 to 8"),
        (lambda: whole("slot", "-1", 1, 8), "slot '-1': expected a whole number from 1 to 8"),
        (lambda: whole("slot", "²", 1, 8), "slot '²': expected a whole number from 1 to 8"),
        (lambda: decimal("seconds", "nan", 0, 5), "seconds 'nan': expected a number from 0 to 5"),
        (lambda: decimal("seconds", "soon", 0, 5), "seconds 'soon': expected a number from 0 to 5"),
        (lambda: octets("uid", "abc", 1, 8), "uid 'abc': expected 2 to 16 hexadecimal digits, two for each byte"),
        (lambda: octets("tag", "00", 5, 5), "tag '00': expected 10 hexadecimal digits, two for each byte"),
        (lambda: fitting("take <slot>", []), "take: expected `take <slot>`, found 0 words after it"),
        (lambda: fitting("take <slot>", ["1", "2"]), "take: expected `take <slot>`, found 2 words after it"),
        (lambda: fitting("slots", ["1"]), "slots: takes no words"),
    ],
)
def test_a_word_that_cannot_be_meant_is_refused_with_what_was_expected(
    read: Callable[[], object], expected: str
) -> None:
    with pytest.raises(BadCommand) as refused:
        read()
    assert str(refused.value) == expected


def test_words_that_fit_are_read() -> None:
    assert one_of("line", "locks", ("locks", "tags")) == "locks"
    assert whole("slot", "8", 1, 8) == 8
    assert decimal("seconds", "0.5", 0, 5) == 0.5
    assert octets("uid", "A1b2", 1, 8) == b"\xa1\xb2"
    fitting("noise <percent> [line]", ["5"])
    fitting("noise <percent> [line]", ["5", "locks"])
    fitting("record [id=value...]", ["1=1"] * 20)
