"""A plan without surprises, to be changed where a test wants one, and the places it lives in."""

from dataclasses import replace
from typing import Any

from simulator.network.lilas import lilas_network
from simulator.world.plan import BringBack, Plan

NETWORK = lilas_network(seed=1, stations=1)
CABINET = NETWORK.cabinets[0]
VEHICLE = NETWORK.vehicles[0]
KEY = VEHICLE.key
MEMBER = next(member for member in NETWORK.members if member.old_badge is not None)
START_MS = 1_772_427_600_000
MINUTE_MS = 60_000

EASY = Plan(
    name="Lilas 001/1",
    member=MEMBER.id,
    comes=MEMBER.id,
    badge=MEMBER.badges[0],
    organisation=None,
    drivers=(),
    station=VEHICLE.station,
    vehicle=VEHICLE.id,
    by_category=None,
    book_at_ms=START_MS - 30 * MINUTE_MS,
    start_ms=START_MS,
    end_ms=START_MS + 60 * MINUTE_MS,
    cancel_at_ms=None,
    arrive_at_ms=START_MS,
    return_at_ms=START_MS + 40 * MINUTE_MS,
    wrong_card=None,
    leaves_ajar=False,
    uses_ajar=False,
    tidies=False,
    bring_back=BringBack.TAG,
    taps_again=False,
    forgets_bag_ms=None,
    pin=MEMBER.pin,
    slips_at_pin=False,
    pace=1.0,
    distance_m=10_000,
)


def plan(**changes: Any) -> Plan:
    return replace(EASY, **changes)
