"""How every cabinet of the network is wired: what the devices are built by and the agents are configured with."""

import random

from simulator.network.draws import stream
from simulator.network.model import SLOTS

LOCK_UNIT = 1  # board with 8 relays (locks) and 8 inputs (key contacts)
DOOR_UNIT = 2  # board whose 8 inputs are the door contacts
LOCK_BAUD = 9600  # as the boards leave the factory
LOCK_LINE = "locks"
"""Name of the lock bus's port in a cabinet's folder."""

BADGE_READER = "entrance"
RETURN_READER = "return"
READER_ADDRESS = {BADGE_READER: 1, RETURN_READER: 2}
READER_ROLE = {BADGE_READER: "badge", RETURN_READER: "return_tag"}
READER_BAUD = 38_400  # two readers polled every 50 ms on one bus (design/hardware.md)
READER_LINE = "readers"
"""Name of the reader bus's port in a cabinet's folder."""

SCBK_BYTES = 16


def scbk(seed: int, cabinet: str, reader: str) -> bytes:
    """A reader's secure channel base key. Drawn from the seed: these readers hang in no street."""
    return stream(seed, f"scbk/{cabinet}/{reader}").randbytes(SCBK_BYTES)


def reader_randomness(seed: int, cabinet: str, reader: str) -> random.Random:
    return stream(seed, f"osdp/{cabinet}/{reader}")


def slot_numbers() -> range:
    """As printed on the cabinet; relay and inputs of slot n are channel n of their boards."""
    return range(1, SLOTS + 1)
