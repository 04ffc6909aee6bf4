"""Reads the data files of this package."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def read_json(name: str) -> Any:
    """A JSON file beside this module; do not change what it gives: it is kept."""
    return json.loads(files("simulator.network").joinpath(name).read_text(encoding="utf-8"))
