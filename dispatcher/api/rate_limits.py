"""How often a caller may ask: a token bucket for each token, and two for each address that has none.

It protects the database from a front end that runs wild, not the network from an attack: that is the proxy's.
"""

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass, field

PEERS_MAX = 1024  # addresses without a token that are told apart; whoever was away longest makes room
NAMES_MAX = 1024  # as many tokens as there can be (`dispatcher.api.tokens.TOKENS_MAX`)
NETWORK_BITS = 64  # of an IPv6 address: what one subscriber has (RFC 6177)
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    per_s: float
    """How fast the bucket fills, and so how often one may ask for long."""
    burst: int
    """How many requests a full bucket is good for."""


@dataclass(frozen=True, slots=True)
class Limits:
    callers: Rate = Rate(50, 100)
    """Of each token. A page of a booking front end asks some five questions: ten pages a second, for long."""
    strangers: Rate = Rate(5, 20)
    """Of each address without a known token: who mistypes one is told so a few times a second."""
    readers: Rate = Rate(50, 200)
    """Of each address that reads what is open to all, which hardly ever costs a look into the database. Open data
    has 21 files in two versions: an aggregator reads all at once, each minute; ten may share a proxy's address."""


@dataclass(slots=True)
class Buckets:
    """One bucket for each key, the most recent `keys_max` of them. Times are of a line clock, in microseconds."""

    rate: Rate
    keys_max: int
    _levels: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict)
    """Requests that are left, and when that was so; least recently asked first."""

    def take(self, key: str, now_us: int) -> int:
        """0: take one request out of the bucket. Otherwise nothing is taken, and this many seconds are to wait."""
        level, at_us = self._levels.get(key, (float(self.rate.burst), now_us))
        level = min(level + (now_us - at_us) / SECOND_US * self.rate.per_s, self.rate.burst)
        if level < 1:
            self._levels.move_to_end(key)
            return max(math.ceil((1 - level) / self.rate.per_s), 1)
        self._levels[key] = (level - 1, now_us)
        self._levels.move_to_end(key)
        if len(self._levels) > self.keys_max:
            self._levels.popitem(last=False)
        return 0

    def __len__(self) -> int:
        return len(self._levels)


class RateLimiter:
    def __init__(self, limits: Limits) -> None:
        self._callers = Buckets(limits.callers, NAMES_MAX)
        self._strangers = Buckets(limits.strangers, PEERS_MAX)
        self._readers = Buckets(limits.readers, PEERS_MAX)

    def caller(self, name: str, now_us: int) -> int:
        """As `Buckets.take`, for the token of this name."""
        return self._callers.take(name, now_us)

    def stranger(self, address: str, now_us: int) -> int:
        """As `Buckets.take`, for who asks from this address without a known token."""
        return self._strangers.take(network_of(address), now_us)

    def reader(self, address: str, now_us: int) -> int:
        """As `Buckets.take`, for who reads from this address what needs no token."""
        return self._readers.take(network_of(address), now_us)


def network_of(address: str) -> str:
    """The address; of IPv6 the network, since one subscriber has as many addresses as it likes."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a socket that has no address
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((int(parsed), NETWORK_BITS), strict=False))
