"""Periods of reports: days in Paris, or instants with their offset."""

import re
from datetime import date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from dispatcher.api.problems import ApiReason, FieldFault, Refusal
from dispatcher.api.values import Body
from dispatcher.core.windows import DAY_MS, Window, to_ms
from dispatcher.instants import Instant

PARIS = ZoneInfo("Europe/Paris")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
DAYS_MAX = 1100  # three years: more than is kept of any rental


def _day(value: object) -> object:
    """The midnight at which a day begins in Paris, as text with its offset; anything else as it is."""
    if not isinstance(value, str) or not DAY.fullmatch(value):
        return value
    try:
        return datetime.combine(date.fromisoformat(value), time(), PARIS).isoformat()
    except ValueError:
        raise PydanticCustomError("not_a_day", "a day such as 2026-03-29, or an instant") from None


DayOrInstant = Annotated[Instant, BeforeValidator(_day)]


class PeriodQuery(Body):
    """Days begin at midnight in Paris. `until` itself is not in the period: a month is `..-03-01` to `..-04-01`."""

    from_: Annotated[DayOrInstant, Field(alias="from", description="a day such as 2026-03-01, or an instant")]
    until: Annotated[DayOrInstant, Field(description="a day or an instant; the period ends before it")]

    def period(self) -> Window:
        """Raises `Refusal` where it ends before it begins, or is too long."""
        window = Window(to_ms(self.from_), to_ms(self.until))
        if window.length_ms <= 0 or window.length_ms > DAYS_MAX * DAY_MS:
            expected = f"after `from`, by {DAYS_MAX} days at most"
            fault = FieldFault(field="until", value=self.until.isoformat(), expected=expected)
            raise Refusal(ApiReason.INVALID_REQUEST, "there is no such period", [fault])
        return window
