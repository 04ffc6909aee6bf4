"""`dispatcher cabinet`."""

import argparse
from typing import Any

from dispatcher.client.commands import Does, Noun, Say, rows
from dispatcher.client.http import ROWS_MAX, Api, path
from dispatcher.client.releases import CODE, add_reason, released
from runtime.config import ConfigError

WAIT_S = 10  # the longest that the API waits for the box

THEFT = """\
What is still to be done about a stolen cabinet: members to inform, bookings to plan anew, vehicles whose keys went
with it. With --declare, and once only, it is cut off for good first.
"""


def add(commands: Any, say: Say) -> None:
    noun = Noun.new(commands, "cabinet", "see key cabinets, open a slot, cut off a stolen one", say)
    listing = noun.verb(
        "list",
        "cabinets in the order of their ids, the first 200",
        lambda api, it: api.get("/cabinets", station=it.station, limit=ROWS_MAX),
        rows(
            "id",
            "link",
            "heard_at",
            "slots",
            "keys=slot_counts.present",
            "empty=slot_counts.empty",
            extra=("unknown=slot_counts.unknown", "told=desired.is_held", "station_id"),
        ),
    )  # fmt: skip
    listing.add_argument("--station", metavar="ID", help="that serve this station")
    noun.one("show", "one cabinet", lambda api, it: api.get(path("cabinets", it.id)))
    release = noun.one(
        "release",
        "open a slot, whatever hangs in it, and say within ten seconds what became of it",
        lambda api, it: api.post(
            path("cabinets", it.id, "commands"), slot=it.slot, reason=it.reason, wait_s=WAIT_S
        ),
        released,
        Does.WRITES,
    )
    code = noun.one(
        "release-code",
        "a code that opens a slot where the cabinet has no network",
        lambda api, it: api.post(path("cabinets", it.id, "release-codes"), slot=it.slot, reason=it.reason),
        CODE,
        Does.WRITES,
    )
    for parser in (release, code):
        parser.add_argument("--slot", type=int, required=True, metavar="N")
    add_reason(release, code)
    theft = noun.one("theft", "what to do about a stolen one; --declare cuts it off", _theft, does=Does.WRITES)
    theft.description = THEFT
    theft.add_argument("--declare", action="store_true", help="it was stolen: cut it off for good")
    theft.add_argument("--case", metavar="TEXT", help="to declare: what it is filed under")
    theft.add_argument("--reason", metavar="TEXT", help="to declare: how it was found out; no names")


def _theft(api: Api, it: argparse.Namespace) -> Any:
    if it.declare != (it.case is not None) or it.declare != (it.reason is not None):
        raise ConfigError("cabinet theft: expected --declare with --case and --reason, or none of them")
    where = path("cabinets", it.id, "theft")
    return api.post(where, case=it.case, reason=it.reason) if it.declare else api.get(where)
