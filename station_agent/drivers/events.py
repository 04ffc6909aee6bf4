"""The device events of the core, by the name that drivers use."""

from station_agent.core.device_events import (
    CabinetLost,
    CabinetSeen,
    CardRead,
    DeviceEvent,
    KeypadPressed,
    LockPulsed,
    PulseResult,
    ReaderLost,
    ReaderSeen,
    ReaderSignal,
    SlotSeen,
)

__all__ = [
    "CabinetLost",
    "CabinetSeen",
    "CardRead",
    "DeviceEvent",
    "KeypadPressed",
    "LockPulsed",
    "PulseResult",
    "ReaderLost",
    "ReaderSeen",
    "ReaderSignal",
    "SlotSeen",
]
