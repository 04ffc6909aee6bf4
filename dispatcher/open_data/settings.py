"""What the open data says that no row of the database knows: names, contacts, licence, prices, closures."""

from datetime import date
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from dispatcher.importing.rows import Energy
from dispatcher.instants import Instant
from runtime.addresses import is_loopback
from runtime.config import Settings

ENTRIES_MAX = 200  # of each list: more is no configuration any more
PublicId = Annotated[str, Field(pattern=r"^[A-Za-z0-9.@:/_-]{1,64}$")]
"""What GBFS 3.0 recommends for ids (field types, ID)."""
Url = Annotated[str, Field(pattern=r"^https?://[!-~]{1,500}$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")]
Phrase = Annotated[str, Field(min_length=1, max_length=2000)]
Price = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]


class Text(Settings):
    """One text in each language of the feed: GBFS wants every text in all of them."""

    fr: Phrase
    """In French."""
    en: Phrase
    """In English."""


class LocalisedUrl(Settings):
    """One page in each language of the feed."""

    fr: Url
    """In French."""
    en: Url
    """In English."""


class SystemSettings(Settings):
    """`system_information`: who runs the network, and how the data may be used."""

    system_id: PublicId
    """Names the network among all in the world (`systems.csv` of GBFS), and never changes."""
    name: Text
    """Of the network, as customers know it."""
    short_name: Text | None = None
    """Its abbreviation."""
    operator: Text | None = None
    """Who runs it."""
    url: Url | None = None
    """Its own pages."""
    purchase_url: Url | None = None
    """Where one becomes a member."""
    start_date: date | None = None
    """Since when it is there."""
    termination_date: date | None = None
    """The last day on which this data is published, where the network ends for good."""
    phone_number: Annotated[str, Field(pattern=r"^\+[1-9]\d{1,14}$")] | None = None
    """Customers' telephone (E.164)."""
    email: Email | None = None
    """Customers' address."""
    feed_contact_email: Email
    """Whom to write to when something is wrong with this data: an address of a team, of no person."""
    timezone: str = "Europe/Paris"
    """Where the network is (IANA); times in the feed are in UTC all the same."""
    opening_hours: Annotated[str, Field(min_length=1, max_length=500)] = "24/7"
    """As OpenStreetMap writes it. A text: whether stations rent now is told by bookings and by `alerts`. Default:
    cabinets open at any hour."""
    license_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9.+-]{1,64}$")] | None = None
    """SPDX identifier of the licence of the data, such as `etalab-2.0` or `ODbL-1.0`. This or `license_url`."""
    license_url: Url | None = None
    """Page of a licence that SPDX does not list."""
    attribution_organization_name: Text | None = None
    """Whom to name where the licence asks for it."""
    attribution_url: Url | None = None
    """Of that organisation."""
    terms_url: LocalisedUrl | None = None
    """Terms of use, with `terms_last_updated`."""
    terms_last_updated: date | None = None
    """When they changed last."""
    privacy_url: LocalisedUrl | None = None
    """What members are told of their data, with `privacy_last_updated`."""
    privacy_last_updated: date | None = None
    """When that changed last."""

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("expected the name of an IANA time zone, such as Europe/Paris")
        return name

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.license_id is None) is (self.license_url is None):
            raise ValueError("expected license_id or license_url, one of them: without any, GBFS means CC0")
        for page in ("terms", "privacy"):
            url, day = getattr(self, f"{page}_url"), getattr(self, f"{page}_last_updated")
            if (url is None) is not (day is None):
                raise ValueError(f"{page}_url and {page}_last_updated go together")
        return self


class RangeSettings(Settings):
    """How far a full tank or battery goes. GBFS wants a figure of every vehicle with a motor; it is indicative."""

    petrol: Annotated[int, Field(ge=1, le=5000)] = 500
    """Kilometres. Default: 35 l at 7 l for 100 km."""
    diesel: Annotated[int, Field(ge=1, le=5000)] = 600
    """Kilometres. Default: 36 l at 6 l for 100 km."""
    hybrid: Annotated[int, Field(ge=1, le=5000)] = 600
    """Kilometres. Default: 36 l at 6 l for 100 km."""
    plug_in_hybrid: Annotated[int, Field(ge=1, le=5000)] = 500
    """Kilometres. Default: 35 l at 7 l for 100 km, the battery empty."""
    electric: Annotated[int, Field(ge=1, le=5000)] = 200
    """Kilometres. Default: 40 kWh at 20 kWh for 100 km, as in winter."""
    hydrogen: Annotated[int, Field(ge=1, le=5000)] = 500
    """Kilometres. Default: 5 kg at 1 kg for 100 km."""


class VehicleTypeSettings(Settings):
    """What is said of the vehicles of one category with one energy. The types themselves come from the database."""

    category: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """As vehicles have it."""
    energy: Energy
    """As vehicles have it."""
    name: Text | None = None
    """As customers know them."""
    rider_capacity: Annotated[int, Field(ge=1, le=9)] | None = None
    """Seats, the driver's included."""
    max_range_km: Annotated[int, Field(ge=1, le=5000)] | None = None
    """Kilometres that a full tank or battery goes. Default: `ranges_km` of the energy."""
    pricing_plan_id: PublicId | None = None
    """The plan that it is rented under. Default: the first of `pricing_plans`."""


class SegmentSettings(Settings):
    """A part of a price that grows with time or distance."""

    start: Annotated[int, Field(ge=0)]
    """Minute or kilometre from which it counts."""
    rate: Rate
    """What each interval costs."""
    interval: Annotated[int, Field(ge=0)]
    """Minutes or kilometres; 0: once."""
    end: Annotated[int, Field(ge=0)] | None = None
    """Minute or kilometre up to which it counts."""


class PlanSettings(Settings):
    """One plan of `system_pricing_plans`. This program knows no price: it hands on what stands here."""

    plan_id: PublicId
    """Names it."""
    name: Text
    """As customers know it."""
    description: Text
    """The whole of it in words: duration, price, conditions."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    """ISO 4217."""
    price: Price
    """What a rental costs once, whatever comes to it by time and distance."""
    is_taxable: bool = False
    """Whether tax is added to it. Default: prices for private people have it in them."""
    url: Url | None = None
    """Page of the plan."""
    per_min_pricing: Annotated[tuple[SegmentSettings, ...], Field(max_length=ENTRIES_MAX)] = ()
    """What time adds."""
    per_km_pricing: Annotated[tuple[SegmentSettings, ...], Field(max_length=ENTRIES_MAX)] = ()
    """What distance adds."""


class AlertSettings(Settings):
    """One alert of `system_alerts`. A closure that is in force closes what it names: stations do not rent then."""

    alert_id: PublicId
    """Names it."""
    type: Literal["system_closure", "station_closure", "station_move", "other"]
    """`system_closure` closes all stations, `station_closure` those named."""
    summary: Text
    """A line for customers."""
    description: Text | None = None
    """The whole of it."""
    url: LocalisedUrl | None = None
    """A page about it."""
    start: Instant | None = None
    """From when it is in force, such as `"2026-12-24T18:00:00+01:00"`. Absent: already."""
    end: Instant | None = None
    """Until when; from then on it is not published. Absent: nobody knows."""
    station_ids: Annotated[tuple[str, ...], Field(max_length=ENTRIES_MAX)] = ()
    """Stations that it is about; none: the whole network."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.type == "station_closure" and not self.station_ids:
            raise ValueError("station_ids: expected the stations that are closed")
        if self.type == "system_closure" and self.station_ids:
            raise ValueError("station_ids: expected none; a station_closure names stations")
        if self.end is not None and self.start is None:
            raise ValueError("start: expected with end: GBFS tells no end without it")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"end: expected an instant after start, {self.start.isoformat()}")
        return self


class OpenDataSettings(Settings):
    """The public feeds. Without this table nothing is public."""

    base_url: Url
    """How the public reaches `/gbfs` of this program, such as `https://data.example.org/gbfs`: GBFS has whole
    addresses. HTTPS, except on loopback."""
    system: SystemSettings
    """Who runs the network."""
    suspended: bool = False
    """Whether the service is suspended, as in a season without it: no vehicle is listed, no station rents or takes
    back. For a closure of days, see `alerts`."""
    ranges_km: RangeSettings = RangeSettings()
    """How far vehicles go, by energy."""
    vehicle_types: Annotated[tuple[VehicleTypeSettings, ...], Field(max_length=ENTRIES_MAX)] = ()
    """More about types of vehicles."""
    pricing_plans: Annotated[tuple[PlanSettings, ...], Field(max_length=ENTRIES_MAX)] = ()
    """Prices in words and figures; without any, that file is not published."""
    alerts: Annotated[tuple[AlertSettings, ...], Field(max_length=ENTRIES_MAX)] = ()
    """What customers are to know."""

    @field_validator("base_url")
    @classmethod
    def _secured(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError("expected https://, as GBFS asks of every feed")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        plans = [plan.plan_id for plan in self.pricing_plans]
        _each_once("pricing_plans", plans)
        _each_once("alerts", [alert.alert_id for alert in self.alerts])
        _each_once("vehicle_types", [f"{it.category}, {it.energy}" for it in self.vehicle_types])
        for it in self.vehicle_types:
            if it.pricing_plan_id not in {None, *plans}:
                raise ValueError(
                    f"pricing_plan_id {it.pricing_plan_id!r} of vehicle_types: expected one of pricing_plans"
                )
        return self


def _each_once(field: str, ids: list[str]) -> None:
    twice = sorted({found for found in ids if ids.count(found) > 1})
    if twice:
        raise ValueError(f"{field}: expected each once, {twice[0]!r} is there twice")
