"""`dispatcher report`."""

from typing import Any

from dispatcher.client.commands import Noun, Say

COLUMNS = ("id", "bookings", "no_shows", "booked_h", "driven_h", "km", "share_in_use", "unmet")


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "report", "see how much is used", say)
    use = noun.verb(
        "utilisation",
        "how much was used in a period",
        lambda api, it: api.get("/reports/utilisation", from_=it.since, until=it.until, by=it.by),
        COLUMNS,
    )
    use.add_argument("--by", choices=("vehicle", "category", "station", "organisation"), default="vehicle")
    fleet = noun.verb(
        "fleet",
        "which vehicles could be sold or moved",
        lambda api, it: api.get("/reports/fleet", from_=it.since, until=it.until),
        ("vehicle_id", "station_id", "category", "booked_h", "fitted_nowhere", "could_go", "move_to_station_id"),
    )
    for parser in (use, fleet):
        parser.add_argument("--from", dest="since", required=True, metavar="DAY", help="such as 2026-03-01")
        parser.add_argument("--until", required=True, metavar="DAY", help="the period ends before it")
