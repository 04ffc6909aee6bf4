"""What the feeds say of the network at one instant: public stations, and their vehicles under public ids."""

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.windows import Window


class Presence(StrEnum):
    """Whether a vehicle can be had, for a booking of a private person that begins at the next grid point."""

    AVAILABLE = "available"
    RESERVED = "reserved"  # it stands there, and somebody else has it then
    DISABLED = "disabled"  # it stands there; blocked, being serviced, or its cabinet cannot be told
    AWAY = "away"  # in a rental, or nobody can say that it stands there


@dataclass(frozen=True, slots=True)
class Energy:
    """As told since the vehicle stands there, not long ago."""

    percent: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class PublicVehicle:
    public_id: str
    """Another one after each rental; who has no key of ours makes none from any other id."""
    category: str
    energy_kind: str
    """`petrol`, `electric`, ..."""
    station_id: str
    presence: Presence
    energy: Energy | None
    """None: not known, or not fresh."""
    range_percent: int
    """Of a full tank or battery, what can be counted on: what it told, else what the fleet's rules keep in each."""
    available_until_ms: int | None
    """When the next holding begins; None: none is known, or it is not available."""
    slots: tuple[Window, ...]
    """When it can be booked, on the grid, each long enough for a booking, in order."""

    @property
    def type_id(self) -> str:
        return f"{self.category}.{self.energy_kind}"  # no category has a dot


@dataclass(frozen=True, slots=True)
class PublicStation:
    station_id: str
    name: str
    region_id: str
    region_name: str
    latitude: float
    longitude: float
    can_be_told: bool
    """One of its cabinets is heard, so that a new booking gets its key there."""
    heard_ms: int
    """When any of its cabinets was heard last."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    at_ms: int
    """When it was read: all of it is as of this instant."""
    stations: tuple[PublicStation, ...]
    """In the order of their ids."""
    vehicles: tuple[PublicVehicle, ...]
    """Those in service that live at these stations, in the order of their public ids: no other order is told."""
