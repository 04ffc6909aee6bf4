"""Problem+json as one sentence: each field with its value and what was expected, and what is possible instead."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.client.tables import INSTANT, local, text

ALTERNATIVES_SHOWN = 3  # the nearest come first
HINTS = {
    "cabinet_unreachable": "--accept-unreachable books it all the same, if the member knows",
    "version_changed": "somebody changed it since: look again, `show` tells its tag",
}


def sentence(status: int, body: bytes) -> str:
    """What is said of an error's body, whatever it is."""
    try:
        problem = json.loads(body)
        told = "; ".join([f"{problem['reason']}: {_what(problem)}", *_instead(problem)])
        return INSTANT.sub(lambda instant: local(instant[0]), told)
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"status {status} without a reason: is this the API of a dispatcher?"


def _what(problem: Mapping[str, Any]) -> str:
    faults = [
        fault["field"] + (f" = {fault['value']}" if "value" in fault else "") + f": expected {fault['expected']}"
        for fault in problem.get("errors", ())
    ]
    return text("; ".join(faults) or problem["detail"])


def _instead(problem: Mapping[str, Any]) -> Iterator[str]:
    if problem.get("latest_end"):
        yield f"the latest end possible is {text(problem['latest_end'])}"
        return  # what is free later does not lengthen this one
    for vehicle in problem.get("not_free") or ():
        if vehicle.get("next_free"):
            yield f"{text(vehicle['vehicle_id'])} is free from {text(vehicle['next_free']['start'])}"
    others = [
        f"{text(other['vehicle_id'])} at {text(other['station_id'])}"
        for other in (problem.get("alternatives") or ())[:ALTERNATIVES_SHOWN]
    ]
    if others:
        yield f"possible instead: {', '.join(others)}"
    if problem["reason"] in HINTS:
        yield HINTS[problem["reason"]]
