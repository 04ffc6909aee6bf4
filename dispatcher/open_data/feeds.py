"""Which files there are, under which versions, and how long a reader may keep each.

GBFS 3.0 is what national access points take. `vehicle_availability` came with 3.1, which is not final: a data set
of its own, of release candidate 3, has it beside all the others (decision 0058).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.open_data import documents
from dispatcher.open_data.settings import OpenDataSettings
from dispatcher.open_data.snapshot import Snapshot
from dispatcher.open_data.texts import Json

NOW_S = 0  # near real time: always worth asking again
SOON_S = 60  # refers to ids of the above, and is to know them as soon
LATER_S = 3600  # changes with the configuration alone


class Version(StrEnum):
    V3_0 = "3.0"
    V3_1 = "3.1-RC3"

    @property
    def folder(self) -> str:
        """Below `base_url`. GBFS: a major version has one address for good; a candidate is not for good."""
        return "v3" if self is Version.V3_0 else f"v{self}"


Make = Callable[[Snapshot, OpenDataSettings], Json]


@dataclass(frozen=True, slots=True)
class Feed:
    make: Make
    ttl_s: int
    since: Version = Version.V3_0
    is_published: Callable[[OpenDataSettings], object] = bool
    """Whether there is anything to say; otherwise there is no file."""


FEEDS: dict[str, Feed] = {
    "system_information": Feed(documents.system_information, LATER_S),
    "system_regions": Feed(documents.system_regions, SOON_S),
    "station_information": Feed(documents.station_information, SOON_S),
    "station_status": Feed(documents.station_status, NOW_S),
    "vehicle_types": Feed(documents.vehicle_types, SOON_S),
    "vehicle_status": Feed(documents.vehicle_status, NOW_S),
    "vehicle_availability": Feed(documents.vehicle_availability, NOW_S, Version.V3_1),
    "system_pricing_plans": Feed(
        documents.system_pricing_plans, LATER_S, is_published=lambda settings: settings.pricing_plans
    ),
    "system_alerts": Feed(documents.system_alerts, SOON_S),
}
DISCOVERY = "gbfs"
VERSIONS = "gbfs_versions"
NAMES = frozenset({DISCOVERY, VERSIONS, *FEEDS})


def ttl_s(name: str) -> int:
    return FEEDS[name].ttl_s if name in FEEDS else LATER_S


def data_of(name: str, version: Version, snapshot: Snapshot, settings: OpenDataSettings) -> Json | None:
    """The `data` of a file; None: there is no such file in this version."""
    if name == DISCOVERY:
        return _discovery(version, settings)
    if name == VERSIONS:
        return _versions(version, settings)
    feed = FEEDS.get(name)
    if feed is None or not _is_in(feed, version, settings):
        return None
    return feed.make(snapshot, settings)


def _is_in(feed: Feed, version: Version, settings: OpenDataSettings) -> bool:
    order = list(Version)
    return order.index(feed.since) <= order.index(version) and bool(feed.is_published(settings))


def _discovery(version: Version, settings: OpenDataSettings) -> Json:
    there = [name for name, feed in FEEDS.items() if _is_in(feed, version, settings)]
    return {"feeds": [{"name": name, "url": _url(settings, version, name)} for name in (VERSIONS, *there)]}


def _versions(version: Version, settings: OpenDataSettings) -> Json:
    """Those up to this one: 3.0 cannot name a candidate for what follows it."""
    known = list(Version)[: list(Version).index(version) + 1]
    return {"versions": [{"version": str(one), "url": _url(settings, one, DISCOVERY)} for one in known]}


def _url(settings: OpenDataSettings, version: Version, name: str) -> str:
    return f"{settings.base_url}/{version.folder}/{name}.json"
