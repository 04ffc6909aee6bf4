"""Values on a command line, for argparse: an error names what was expected."""

import argparse


class number:  # noqa: N801  # reads as a function where it is used
    """A number within bounds."""

    def __init__(self, kind: type[int] | type[float], low: float, high: float) -> None:
        self._kind, self._low, self._high = kind, low, high

    def __call__(self, text: str) -> float:
        expected = f"expected {self._low:g} to {self._high:g}"
        try:
            value = self._kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r}: {expected}") from None
        if not self._low <= value <= self._high:
            raise argparse.ArgumentTypeError(f"{text}: {expected}")
        return value
