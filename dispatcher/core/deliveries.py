"""When an event that a receiver did not take is sent again, and when nobody tries any more."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

from dispatcher.core.windows import DAY_MS, to_ms

_MINUTE_S, _HOUR_S = 60, 3600

RETRIES_S = (
    5,  # a restart of the receiver, a lost packet
    30,
    2 * _MINUTE_S,
    10 * _MINUTE_S,  # a deployment that went wrong
    30 * _MINUTE_S,
    _HOUR_S,
    2 * _HOUR_S,
    4 * _HOUR_S,
    8 * _HOUR_S,  # a night in which nobody looks
    12 * _HOUR_S,
    24 * _HOUR_S,  # and then somebody does: the last attempt is made one to two days after the first
)
"""Seconds after the first, second, ... attempt that failed: after the last one the event is a dead letter."""
GIVE_UP_MS = 3 * DAY_MS
"""An event that waited longer is a dead letter however often it was tried: behind a receiver that is gone for good,
most wait without any attempt. Three days: a weekend and the morning after."""
SPREAD = 0.5  # each delay lies between this part and all of it: what failed together does not come back together
REST_MAX_S = 300  # so late at most a receiver that is back hears of it
RETRY_AFTER_MAX_S = 86_400  # a receiver that asks for more than a day is asked again once a day


class Outcome(StrEnum):
    """What became of one attempt; the same words are labels of the metrics."""

    DELIVERED = "delivered"  # any 2xx
    GONE = "gone"  # 410: the receiver wants nothing more
    BUSY = "busy"  # 429 and 503
    REFUSED = "refused"  # any other 4xx
    FAILED = "failed"  # any other 5xx
    REDIRECTED = "redirected"  # 3xx, not followed: the body was signed for this address
    GARBLED = "garbled"  # an answer that is no HTTP
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"  # no address, no connection, no valid certificate
    ADDRESS_REFUSED = "address_refused"  # private, link-local or loopback, and the configuration does not allow it
    UNSIGNED = "unsigned"  # its secret cannot be read: not sealed by this program for this URL


@dataclass(frozen=True, slots=True)
class Attempt:
    """How it went."""

    outcome: Outcome
    status: int | None = None
    """Of the answer; None: there was none."""
    retry_after_s: int | None = None
    """What the receiver asked for."""
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class Next:
    """What follows an attempt that failed."""

    again_ms: int | None
    """When this event is sent again; None: it is a dead letter."""
    rest_until_ms: int
    """Until then nothing is sent to this receiver."""


def outcome_of(status: int) -> Outcome:
    """The meaning of an answer's status."""
    if status == 410:
        return Outcome.GONE
    if status in {429, 503}:
        return Outcome.BUSY
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if 300 <= status < 400:
        return Outcome.REDIRECTED
    if 400 <= status < 500:
        return Outcome.REFUSED
    return Outcome.FAILED if 500 <= status < 600 else Outcome.GARBLED


def after_failure(attempt: Attempt, attempts: int, failures: int, now_ms: int, chance: float) -> Next:
    """When to try again.

    Args:
        attempt: the one that failed.
        attempts: of this event, this one included.
        failures: of this receiver in a row, this one included.
        now_ms: when it failed.
        chance: from 0 to 1, drawn by the caller.
    """
    asked_ms = min(attempt.retry_after_s or 0, RETRY_AFTER_MAX_S) * 1000
    share = SPREAD + (1 - SPREAD) * chance
    rest_s = min(RETRIES_S[0] * 2 ** min(failures - 1, 10), REST_MAX_S)
    rest_until_ms = now_ms + max(int(rest_s * 1000 * share), asked_ms)
    if attempts > len(RETRIES_S):
        return Next(None, rest_until_ms)
    delay_ms = int(RETRIES_S[attempts - 1] * 1000 * share)
    return Next(now_ms + max(delay_ms, asked_ms), rest_until_ms)


def retry_after_s(header: str, now_ms: int) -> int | None:
    """What a `Retry-After` asks for (RFC 9110, section 10.2.3): seconds, or a date; None: something else."""
    if header.isascii() and header.isdigit() and len(header) <= SECONDS_DIGITS_MAX:
        return int(header)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return None if at.tzinfo is None else max(-(-(to_ms(at) - now_ms) // 1000), 0)


SECONDS_DIGITS_MAX = 9  # 30 years: more is no wish
