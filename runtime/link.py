"""What a program knows of its connection to the broker, whichever link carries it.

`MqttLink` is the real one; the simulator's in-memory link follows the same `Link`. The errors are sorted by
what the caller does next:

    LinkError
    ├── LinkDown             nothing was sent: try again once connected
    ├── PublishRefused       the broker, or a limit, says no: report it, repeating does not help
    ├── PublishUnconfirmed   it may have arrived or still arrive: repeat it under the same identity
    └── SubscribeRefused     never raised at a caller: the link shows it as its state and tries again
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

PAYLOAD_BYTES_MAX = 1024 * 1024  # four times the largest message of the contract (`desired`, 256 KiB)


@dataclass(frozen=True, slots=True)
class Publication:
    """One message for the broker. `expiry_s` None: it does not expire there."""

    topic: str
    payload: bytes
    qos: Literal[0, 1] = 1
    retain: bool = False
    expiry_s: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Subscription:
    """One topic filter, perhaps shared (`$share/...`). `no_local`: not what we published ourselves."""

    topic_filter: str
    qos: Literal[0, 1] = 1
    no_local: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message from the broker. `retained`: it was kept there, and may be old."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    user_properties: tuple[tuple[str, str], ...] = ()


class LinkError(Exception):
    """The root of this module's tree."""


class LinkDown(LinkError):
    """Nothing was sent. The text says why there is no connection."""


class PublishRefused(LinkError):
    """The broker's answer to a publication was no. `reason_code` is MQTT 5's (section 2.4)."""

    def __init__(self, reason_code: int, text: str) -> None:
        super().__init__(text)
        self.reason_code = reason_code


class PublishUnconfirmed(LinkError):
    """No answer came in time, or the connection ended first: the message may still be delivered."""


class SubscribeRefused(LinkError):
    """The broker granted at least one subscription not at all."""


class LinkState(StrEnum):
    """What the link is doing now."""

    IDLE = "idle"  # `run` was not called yet
    CONNECTING = "connecting"
    CONNECTED = "connected"  # and all subscriptions are granted
    WAITING = "waiting"  # an attempt failed or a connection ended: the next attempt comes by itself
    STOPPED = "stopped"


class LinkEnd(StrEnum):
    """Why an attempt failed or a connection ended: log field, metric label and health text."""

    UNREACHABLE = "unreachable"  # no such host, connection refused, no route, or no answer to TCP
    TLS_FAILED = "tls_failed"  # a certificate of either side was not accepted
    CREDENTIALS_UNREADABLE = "credentials_unreadable"  # a password or certificate file of ours
    NO_ANSWER = "no_answer"  # TCP works, MQTT does not: no CONNACK or SUBACK in time
    REFUSED = "refused"  # CONNACK said no: bad credentials, not authorised, bad client id
    SUBSCRIBE_REFUSED = "subscribe_refused"
    PUBLISH_FAILED = "publish_failed"  # the owner could not publish its states after connecting
    LOST = "lost"  # TCP ended without a word
    KEEPALIVE = "keepalive"  # the broker fell silent
    TAKEN_OVER = "taken_over"  # another client connected under our client id
    CLOSED_BY_BROKER = "closed_by_broker"  # the broker said goodbye, with a reason of its own
    PROTOCOL_ERROR = "protocol_error"  # what came from the broker is not MQTT
    OVERFLOW = "overflow"  # the broker sent more than it was allowed to
    STOPPED = "stopped"  # our own wish


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """For health checks, logs and the operator. `why` is the last end while there is no connection."""

    state: LinkState
    text: str
    why: LinkEnd | None = None


@dataclass(slots=True)
class LinkStatistics:
    """Counters since start, read by the metrics collector at scrape time."""

    published: int = 0  # confirmed by the broker; with QoS 0, written to the socket
    refused: int = 0
    unconfirmed: int = 0
    received: int = 0
    dropped: int = 0  # QoS 0 that found our inbox full, or a topic that is not UTF-8
    connects: int = 0  # with all subscriptions granted
    ends: Counter[LinkEnd] = field(default_factory=Counter)  # failed attempts and ended connections


def _ignore_end(_end: LinkEnd) -> None:
    """An owner that does not care when the link goes down."""


def _no_will(_connection_count: int) -> Publication | None:
    """An owner without a last will."""
    return None


@dataclass(frozen=True, slots=True)
class LinkOwner:
    """What a link asks of the program it belongs to.

    An exception from `on_message`, `on_disconnected` or `will`, and one other than a `LinkError` from
    `on_connected`, is the program's own mistake: it closes the connection and ends `run`.
    """

    subscriptions: tuple[Subscription, ...]
    on_message: Callable[[Incoming], Awaitable[None] | None]
    """One message at a time, in the order of arrival, also while `on_connected` runs."""
    on_connected: Callable[[int], Awaitable[None]]
    """Given the connection count, once all subscriptions are granted: publish the whole states you own."""
    on_disconnected: Callable[[LinkEnd], None] = _ignore_end
    """Called once for each call of `on_connected`, not for attempts that failed before."""
    will: Callable[[int], Publication | None] = _no_will
    """Given the connection count of the attempt that follows."""


class Link(Protocol):
    """A connection that keeps itself up."""

    statistics: LinkStatistics

    @property
    def connected(self) -> bool:
        """Whether `publish` can succeed now."""
        ...

    @property
    def connection_count(self) -> int:
        """The number of the present attempt or connection; 0 before the first.

        Attempts count, not successes: one that half succeeded leaves a will at the broker, and that will
        must not be taken for the will of the connection after it.
        """
        ...

    @property
    def status(self) -> LinkStatus: ...

    async def run(self) -> None:
        """Connects, and reconnects, until `stop` or until cancelled.

        Cancelling closes without a farewell: the broker then publishes the will.
        """
        ...

    async def publish(self, publication: Publication) -> None:
        """Returns once the broker has confirmed. Raises `LinkDown`, `PublishRefused`, `PublishUnconfirmed`.

        A cancelled `publish` is as unconfirmed as one that timed out.
        """
        ...

    async def stop(self, last: Publication | None = None) -> None:
        """Publishes `last` if there is a connection, disconnects (no will is published) and ends `run`.

        A `run` that begins after it ends at once.
        """
        ...
