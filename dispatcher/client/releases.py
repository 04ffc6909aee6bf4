"""What became of an order to open a slot, in a sentence; and the codes that need no box to be reached."""

import argparse
from collections.abc import Mapping
from typing import Any

from dispatcher.client.commands import brief
from dispatcher.client.http import ApiRefused
from dispatcher.client.tables import text

CODE = brief("code", "cabinet_id", "slot", "valid_until")


def add_reason(*parsers: argparse.ArgumentParser) -> None:
    for parser in parsers:
        parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for whoever asks later; no names")


def released(answer: Mapping[str, Any]) -> str:
    """Raises `ApiRefused`: it was not opened, as far as is known."""
    where = text(f"slot {answer['slot']} of {answer['cabinet_id']}")
    outcome, why, booking = answer["outcome"], answer["outcome_reason"], answer["booking_id"]
    if outcome == "completed":
        return f"{where} is open" + ("; the booking begins when the key is taken" if booking else "")
    if outcome in {None, "received"}:
        told = f"no word from the box yet: it may open {where} until {text(answer['expires_at'])}"
    else:
        told = f"{where} was not opened: {outcome}" + (f", {text(why)}" if why else "")
    of = f"booking release-code {booking}" if booking else f"cabinet release-code {answer['cabinet_id']}"
    slot = "" if booking else f" --slot {answer['slot']}"
    raise ApiRefused(f"{told}\nwithout the box: dispatcher {of}{slot} --reason TEXT")
