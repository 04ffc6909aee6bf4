"""Says what was expected where pydantic found a fault, in words that follow "expected"."""

from collections.abc import Mapping
from typing import Any

WORDS = (
    ("Input should be ", ""),
    ("String should match pattern", "a text that matches"),
    ("String should have", "a text of"),
    ("Tuple should have", "a list of"),
    ("Value error, ", ""),
)


def expectation(error: Mapping[str, Any]) -> str:
    """`error` is one of `ValidationError.errors()`."""
    if error["type"] == "missing":
        return "a value"
    text = str(error["msg"])
    for pydantic, ours in WORDS:
        text = text.replace(pydantic, ours)
    return text
