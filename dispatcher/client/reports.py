"""`dispatcher report`."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from dispatcher.client.commands import Noun, Say, Show, rows
from dispatcher.client.http import Api
from dispatcher.client.instants import instant
from dispatcher.client.tables import table
from runtime.config import ConfigError


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "report", "see how much is used, and who held a vehicle", say)
    use = noun.verb(
        "utilisation",
        "how much was used in a period",
        lambda api, it: _asking(api, it)("/reports/utilisation", from_=it.since, until=it.until, by=it.by),
        _or_csv(rows("id", "bookings", "no_shows", "booked_h", "driven_h", "km", "share_in_use", "unmet")),
    )
    use.add_argument("--csv", action="store_true", help="for spreadsheets")
    use.add_argument("--by", choices=("vehicle", "category", "station", "organisation"), default="vehicle")
    fleet = noun.verb(
        "fleet",
        "which vehicles could be sold or moved",
        lambda api, it: _asking(api, it)("/reports/fleet", from_=it.since, until=it.until, table=it.csv),
        _or_csv(_fleet),
    )
    fleet.add_argument("--csv", choices=("under_used", "short_of_cars"), help="that table, for spreadsheets")
    for parser in (use, fleet):
        parser.add_argument("--from", dest="since", required=True, metavar="DAY", help="such as 2026-03-01")
        parser.add_argument("--until", required=True, metavar="DAY", help="the period ends before it")
    held = noun.verb(
        "who-held",
        "who held a vehicle at an instant; the question is kept in the audit record",
        lambda api, it: api.search(
            "/reports/who-held", vehicle_id=it.vehicle, at=it.at, case=it.case, reason=it.reason
        ),
    )
    held.add_argument("--vehicle", required=True, metavar="ID")
    held.add_argument("--at", type=instant, required=True, metavar="TIME", help="as on the notice")
    held.add_argument("--case", required=True, metavar="TEXT", help="what you file it under")
    held.add_argument("--reason", required=True, metavar="TEXT", help="why it is asked; no names")


def _asking(api: Api, it: argparse.Namespace) -> Callable[..., Any]:
    """Raises `ConfigError`: an answer has one form."""
    if it.csv and it.json:
        raise ConfigError("expected --csv or --json, not both")
    return api.csv if it.csv else api.get


def _or_csv(show: Show) -> Show:
    """CSV is shown as it came, in lines of this machine."""
    return lambda answer: "\n".join(answer.splitlines()) if isinstance(answer, str) else show(answer)


def _fleet(answer: Mapping[str, Any]) -> str:
    """What could go, and where more is wanted."""
    under_used = table(
        answer["under_used"],
        ("vehicle_id", "station_id", "category", "booked_h", "could_go", "move_to=move_to_station_id"),
        ("fitted_nowhere",),
    )
    short = table(
        answer["short_of_cars"], ("station_id", "category", "vehicles", "unmet_per_week"), ("share_booked",)
    )
    return f"under_used\n{under_used}\n\nshort_of_cars\n{short}"
