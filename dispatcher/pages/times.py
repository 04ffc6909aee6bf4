"""Times as people in Lille read them; which day, where it is not today; which of the two 02:30 in October."""

from datetime import datetime
from zoneinfo import ZoneInfo

from dispatcher.core.windows import DAY_MS, HOUR_MS, MINUTE_MS, to_utc
from dispatcher.pages.words.catalogue import Words

PARIS = ZoneInfo("Europe/Paris")
IN_MINUTES_BELOW = 120  # "95 min" is read at a glance, "150 min" is not
IN_HOURS_BELOW = 48


def local(at_ms: int) -> datetime:
    return to_utc(at_ms).astimezone(PARIS)


def time_text(at_ms: int, now_ms: int, words: Words) -> str:
    """`23:41`; on another day `mar. 3 mars 23:41`; with its offset in the hour that comes twice."""
    at, now = local(at_ms), local(now_ms)
    clock = f"{at:%H:%M}"
    if at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset():
        clock += f" ({at:%z})"
    if at.date() == now.date():
        return clock
    day = words.day.format(weekday=words.weekdays[at.weekday()], day=at.day, month=words.months[at.month - 1])
    year = "" if at.year == now.year else f" {at.year}"
    return f"{day}{year} {clock}"


def hour_text(at_ms: int) -> str:
    """`23:00`: on a line of time, where the day is plain."""
    return f"{local(at_ms):%H:%M}"


def second_text(at_ms: int) -> str:
    """`23:41:07`: of what changes every few seconds."""
    return f"{local(at_ms):%H:%M:%S}"


def span_text(length_ms: int, words: Words) -> str:
    """A length of time in one unit: who looks at it at night wants to know about how long."""
    minutes = max(length_ms, 0) // MINUTE_MS
    if minutes < 1:
        return words.under_a_minute
    if minutes < IN_MINUTES_BELOW:
        return words.minutes.format(count=minutes)
    hours = length_ms // HOUR_MS
    if hours < IN_HOURS_BELOW:
        return words.hours.format(count=hours)
    return words.days.format(count=length_ms // DAY_MS)


def distance_text(at_ms: int, now_ms: int, words: Words) -> str:
    """How far from now: `il y a 5 min`, `dans 2 h`."""
    if at_ms > now_ms:
        return words.ahead.format(span=span_text(at_ms - now_ms, words))
    return words.ago.format(span=span_text(now_ms - at_ms, words))
