"""Which stations do not rent because the operator says so, at one instant."""

from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher.core.windows import to_ms
from dispatcher.open_data.settings import AlertSettings, OpenDataSettings


@dataclass(frozen=True, slots=True)
class Closures:
    suspended: bool
    """There is no service: nothing is listed as available, nothing rents or takes back."""
    system: bool
    """All stations are closed; what would be free is told all the same."""
    stations: frozenset[str]

    def rents(self, station_id: str) -> bool:
        return not (self.suspended or self.system or station_id in self.stations)


def closures(settings: OpenDataSettings, at_ms: int) -> Closures:
    in_force = [alert for alert in settings.alerts if _has_begun(alert, at_ms) and not _is_over(alert, at_ms)]
    return Closures(
        suspended=settings.suspended,
        system=any(alert.type == "system_closure" for alert in in_force),
        stations=frozenset(
            station_id for alert in in_force if alert.type == "station_closure" for station_id in alert.station_ids
        ),
    )


def alerts_to_tell(settings: OpenDataSettings, at_ms: int) -> Iterator[AlertSettings]:
    """Those that are in force or to come: whoever shows a feed shows all that is in it."""
    return (alert for alert in settings.alerts if not _is_over(alert, at_ms))


def _has_begun(alert: AlertSettings, at_ms: int) -> bool:
    return alert.start is None or to_ms(alert.start) <= at_ms


def _is_over(alert: AlertSettings, at_ms: int) -> bool:
    return alert.end is not None and to_ms(alert.end) <= at_ms
