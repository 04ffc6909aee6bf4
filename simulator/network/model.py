"""What a network is made of, as the simulator draws it: places, vehicles, keys, people and what they carry.

All values are frozen. Ids of people, badges and vehicles are opaque, as in production; ids of stations and
cabinets are for people to read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from zlib import crc32

SLOTS = 8  # one relay board with 8 relays and 8 inputs, and one board with 8 inputs, serve a cabinet


class Energy(StrEnum):
    PETROL = "petrol"
    HYBRID = "hybrid"
    ELECTRIC = "electric"


class Standing(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LICENCE_EXPIRED = "licence_expired"


@dataclass(frozen=True, slots=True)
class CardKind:
    """What one kind of card or fob delivers at a reader."""

    name: str
    bits: int
    role: str
    """`badge` or `tag`: whether people or keys carry it."""
    pin: str = "not_required"
    """Of a badge: whether a key is handed out for it with a PIN only."""


CALYPSO = CardKind("calypso", 64, "badge")  # Pass Pass: the Calypso serial number, not the radio UID
MIFARE_7 = CardKind("mifare-7", 56, "badge", pin="required")  # a partner's staff card: the 7-byte UID
EM4100 = CardKind("em4100", 40, "tag")  # the fob of a key: version byte and 4-byte number
CARD_KINDS = (CALYPSO, MIFARE_7, EM4100)


CARD_KIND_BY_NAME = {kind.name: kind for kind in CARD_KINDS}


@dataclass(frozen=True, slots=True)
class Card:
    """Something to hold against a reader: the bits that it delivers."""

    kind: str
    bits: int
    data: bytes

    @property
    def credential(self) -> str:
        """As the dispatcher knows it, such as `calypso:00000000075BCD15`."""
        return f"{self.kind}:{self.data.hex().upper()}"

    @property
    def asks_for_pin(self) -> bool:
        return asks_for_pin(self.credential)


def asks_for_pin(credential: str) -> bool:
    """Whether a key is handed out for such a card with a PIN only."""
    kind = CARD_KIND_BY_NAME.get(credential.partition(":")[0])
    return kind is not None and kind.pin == "required"


@dataclass(frozen=True, slots=True)
class Municipality:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Station:
    id: str
    name: str
    municipality: str
    latitude: float
    longitude: float

    @property
    def cabinet(self) -> str:
        """Every station of this network has one cabinet."""
        return f"{self.id}-1"


@dataclass(frozen=True, slots=True)
class Key:
    """A vehicle's main key on its fob."""

    id: str
    vehicle: str
    cabinet: str
    home_slot: int
    tag: Card


@dataclass(frozen=True, slots=True)
class Vehicle:
    id: str
    name: str
    station: str
    category: str
    energy: Energy
    key: Key

    @property
    def speaks_vss(self) -> bool:
        """Electric cars have a gateway of their maker's, which knows the charging cable; the others a tracker."""
        return self.energy is Energy.ELECTRIC


@dataclass(frozen=True, slots=True)
class Organisation:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    id: str
    name: str
    standing: Standing
    organisation: str | None
    badges: tuple[Card, ...]
    """Valid ones; the first is the one in the purse."""
    old_badge: Card | None
    """Replaced and revoked, but still in the other coat."""

    @property
    def pin(self) -> str:
        """Four digits, drawn as the id is; 0000 is nobody's, so that a thief may guess it."""
        return f"{1 + crc32(self.id.encode()) % 9_999:04d}"


@dataclass(frozen=True)
class Network:
    """Everything that is imported into a dispatcher and built by a world."""

    municipalities: tuple[Municipality, ...]
    stations: tuple[Station, ...]
    vehicles: tuple[Vehicle, ...]
    organisations: tuple[Organisation, ...]
    members: tuple[Member, ...]

    @cached_property
    def vehicle_of_key(self) -> Mapping[str, Vehicle]:
        return {vehicle.key.id: vehicle for vehicle in self.vehicles}

    @cached_property
    def vehicle_by_id(self) -> Mapping[str, Vehicle]:
        return {vehicle.id: vehicle for vehicle in self.vehicles}

    @cached_property
    def station_by_id(self) -> Mapping[str, Station]:
        return {station.id: station for station in self.stations}

    @cached_property
    def member_by_id(self) -> Mapping[str, Member]:
        return {member.id: member for member in self.members}

    @cached_property
    def cabinets(self) -> tuple[str, ...]:
        return tuple(station.cabinet for station in self.stations)

    def vehicles_at(self, station: str) -> tuple[Vehicle, ...]:
        return tuple(vehicle for vehicle in self.vehicles if vehicle.station == station)

    def drivers_of(self, organisation: str) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.organisation == organisation)
