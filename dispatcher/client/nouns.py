"""All nouns of the command line that ask the API."""

from typing import Any

from dispatcher.client import (
    badges,
    blocks,
    bookings,
    cabinets,
    incidents,
    members,
    orders,
    reports,
    stations,
    vehicles,
)
from dispatcher.client.commands import Say

NOUNS = {
    "booking": bookings,
    "station": stations,
    "vehicle": vehicles,
    "cabinet": cabinets,
    "badge": badges,
    "order": orders,
    "block": blocks,
    "incident": incidents,
    "report": reports,
}
MEMBER_VERBS = frozenset({"search", "show"})


def add_nouns(commands: Any, member_commands: Any, say: Say) -> None:
    """`member_commands`: of `member`, which has others that need no API."""
    members.add(member_commands, say)
    for noun in NOUNS.values():
        noun.add(commands, say)
