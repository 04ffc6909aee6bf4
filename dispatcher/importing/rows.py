"""What can be imported: one model for each kind of row, the same in JSON and in CSV."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo, field_validator

from contract.envelope import BadKey, public_key_from_text
from contract.values import CabinetId, OpaqueId, Slot
from dispatcher.core.rules import Role, Standing
from dispatcher.core.windows import to_ms, to_utc
from dispatcher.instants import Instant

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
LifeCycle = Literal["ordered", "in_service", "retired"]
Energy = Literal["petrol", "diesel", "hybrid", "plug_in_hybrid", "electric", "hydrogen"]

CREDENTIAL = re.compile(r"[a-z0-9][a-z0-9-]{0,31}:([0-9A-F]{2}){1,16}")
"""As contract.credentials writes it: the type, then whole bytes in upper-case hexadecimal, at most 128 bits."""


def _credential(value: object) -> str:
    if not isinstance(value, str) or not CREDENTIAL.fullmatch(value):
        raise ValueError("a typed credential such as calypso:00000000075BCD15, hexadecimal in upper case")
    return value


def _public_key(text: str) -> str:
    try:
        public_key_from_text(text)
    except BadKey as error:
        raise ValueError(str(error).removeprefix("expected ")) from error
    return text


Credential = Annotated[str, PlainValidator(_credential)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False, description="degrees, WGS 84")]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False, description="degrees, WGS 84")]
PublicKey = Annotated[
    str,
    Field(min_length=43, max_length=43, json_schema_extra={"pattern": "^[A-Za-z0-9_-]{43}$"}),
    AfterValidator(_public_key),
]


class Row(BaseModel):
    """Base of all kinds. An unknown field is a fault: it was meant to say something."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def columns(self) -> dict[str, Any]:
        """The row as its table has it."""
        return self.model_dump()

    def completed(self, stored: Mapping[str, Any]) -> Self:
        """This row, with the fields that it leaves out as its table has them; `stored` empty: it is new."""
        left_out = type(self).model_fields.keys() - self.model_fields_set
        return self.model_copy(update={name: stored[name] for name in left_out if name in stored})

    @property
    def key(self) -> tuple[str | int, ...]:
        """What makes it the same row at the next import: its table's primary key."""
        raise NotImplementedError


class Identified(Row):
    id: Id

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.id,)


class MunicipalityRow(Identified):
    name: Name


class StationRow(Identified):
    name: Name
    municipality_id: Id
    latitude: Latitude
    longitude: Longitude
    public: bool = True
    """False: for one organisation, left out of the open data."""
    life_cycle: LifeCycle = "in_service"


class CabinetRow(Identified):
    id: CabinetId
    station_id: Id
    slots: Slot
    """How many."""
    public_key: PublicKey | None = None
    """The box's Ed25519 key, 43 characters of base64url; absent: it is not provisioned yet."""
    life_cycle: LifeCycle = "in_service"


class CabinetStationRow(Row):
    """A station that a cabinet serves beside its main one."""

    cabinet_id: CabinetId
    station_id: Id
    serves: bool = True
    """False: not any more."""

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.cabinet_id, self.station_id)


class OrganisationRow(Identified):
    name: Name


class CostCentreRow(Identified):
    organisation_id: Id
    name: Name


class PoolRow(Identified):
    id: OpaqueId
    organisation_id: Id
    name: Name


class PoolMemberRow(Row):
    """A driver in a pool."""

    pool_id: OpaqueId
    member_id: Id
    state: Literal["active", "removed"] = "active"

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.pool_id, self.member_id)


class MemberRow(Identified):
    name: Name
    organisation_id: Id | None = None
    standing: Standing = "active"
    role: Role = "member"
    """`staff` and `third_party` (a firm, by its name) are given service orders; a third party books nothing."""


class BadgeRow(Identified):
    member_id: Id
    credential: Credential
    state: Literal["active", "revoked"] = "active"
    pin: Annotated[str, Field(pattern=r"^[0-9]{4,8}$")] | None = None
    """As many digits as the fleet's rule `pin_digits` says. Left out: as it is; null: none."""

    def columns(self) -> dict[str, Any]:
        return self.model_dump(exclude={"pin"})


class VehicleRow(Identified):
    id: OpaqueId
    name: Name
    category: Id
    energy: Energy
    home_station_id: Id
    life_cycle: LifeCycle = "in_service"
    plate: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,12}$")] | None = None
    """Number plate, capital letters and digits alone, such as `AB123CD`."""


class KeyRow(Identified):
    id: OpaqueId
    vehicle_id: OpaqueId
    home_cabinet_id: CabinetId
    home_slot: Slot
    life_cycle: LifeCycle = "in_service"


class TagRow(Row):
    """A tag on a key's fob. Absent times: always."""

    key_id: OpaqueId
    credential: Credential
    valid_from: Instant | None = None
    valid_until: Instant | None = None

    @field_validator("valid_until")
    @classmethod
    def _forward(cls, until: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("valid_from")
        if until is not None and since is not None and until <= since:
            raise ValueError("an instant after valid_from")
        return until

    def completed(self, stored: Mapping[str, Any]) -> Self:
        until_ms = stored.get("valid_until_ms")
        if until_ms is None or "valid_until" in self.model_fields_set:
            return self
        return self.model_copy(update={"valid_until": to_utc(until_ms)})

    @property
    def valid_from_ms(self) -> int:
        return to_ms(self.valid_from) if self.valid_from is not None else 0

    @property
    def valid_until_ms(self) -> int | None:
        return to_ms(self.valid_until) if self.valid_until is not None else None

    @property
    def key(self) -> tuple[str | int, ...]:
        return (self.key_id, self.credential, self.valid_from_ms)

    def columns(self) -> dict[str, Any]:
        return {
            "key_id": self.key_id,
            "credential": self.credential,
            "valid_from_ms": self.valid_from_ms,
            "valid_until_ms": self.valid_until_ms,
        }


KINDS: Mapping[str, type[Row]] = MappingProxyType(
    {
        "municipalities": MunicipalityRow,
        "stations": StationRow,
        "cabinets": CabinetRow,
        "cabinet_stations": CabinetStationRow,
        "organisations": OrganisationRow,
        "cost_centres": CostCentreRow,
        "pools": PoolRow,
        "members": MemberRow,
        "pool_members": PoolMemberRow,
        "badges": BadgeRow,
        "vehicles": VehicleRow,
        "keys": KeyRow,
        "tags": TagRow,
    }
)
"""By name of the JSON document's list, and of the CSV file. In the order in which they refer to one another."""

REFERENCES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("stations", "municipality_id"): "municipalities",
        ("cabinets", "station_id"): "stations",
        ("cabinet_stations", "cabinet_id"): "cabinets",
        ("cabinet_stations", "station_id"): "stations",
        ("members", "organisation_id"): "organisations",
        ("cost_centres", "organisation_id"): "organisations",
        ("pools", "organisation_id"): "organisations",
        ("pool_members", "pool_id"): "pools",
        ("pool_members", "member_id"): "members",
        ("badges", "member_id"): "members",
        ("vehicles", "home_station_id"): "stations",
        ("keys", "vehicle_id"): "vehicles",
        ("keys", "home_cabinet_id"): "cabinets",
        ("tags", "key_id"): "keys",
    }
)
"""Which kind a field names, by kind and field."""
