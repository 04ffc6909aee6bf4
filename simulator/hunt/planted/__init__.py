"""Bugs put in on purpose, each by replacing one function of a program while a hunt runs.

A hunt must find each within 50 seeds, or the checkers do not bite: `docs/planted-bugs.md` says with which seed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from simulator.hunt.planted.bug import Bug
from simulator.hunt.planted.centre import CENTRE_BUGS
from simulator.hunt.planted.intruders import INTRUDER_BUGS
from simulator.hunt.planted.station import STATION_BUGS

BUGS: dict[str, Bug] = {bug.name: bug for bug in (*STATION_BUGS, *CENTRE_BUGS, *INTRUDER_BUGS)}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """With this bug in the programs, while the block runs; None: as they are."""
    if name is None:
        yield
        return
    restore = BUGS[name].put_in()
    try:
        yield
    finally:
        restore()
