"""The agent's configuration: one TOML file, one model per concern, read once at start-up.

Relative paths are relative to the configuration file. A wrong file stops the program with the file, the
field, the value and what was expected.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import serial
from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from contract.credentials import CredentialType
from contract.values import CabinetId, OpaqueId, Slot
from runtime.config import Settings
from runtime.mqtt_settings import MqttSettings
from runtime.paths import LocalFile, NewFile
from station_agent.core.devices import CABINET
from station_agent.drivers.teltonika.signals import Family

Namespace = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
BaudRate = Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]


def _is_device(url: str) -> str:
    try:
        serial.serial_for_url(url, do_not_open=True)
    except (ValueError, serial.SerialException) as error:
        raise ValueError(f"expected a pyserial URL: {error}") from None
    return url


DeviceUrl = Annotated[str, AfterValidator(_is_device)]

READERS_MAX = 16  # a report lists 32 devices at most


class JournalConfig(Settings):
    file: NewFile
    """SQLite file of the journal; its folder must exist."""
    keep_days: Annotated[int, Field(ge=1, le=365)] = 30
    """How long acknowledged facts are kept: longer than any backup of the dispatcher (28 days)."""


class DispatcherIdentity(Settings):
    id: OpaqueId
    """As in the `kid` of its signatures."""
    public_key: Annotated[str, Field(min_length=43, max_length=43)]
    """Ed25519 public key, base64url."""


class IdentityConfig(Settings):
    signing_key_file: LocalFile
    """This box's Ed25519 private key, PEM (PKCS #8)."""
    digest_key_file: LocalFile
    """Key of this cabinet's badge digests, 64 hexadecimal digits."""
    dispatchers: Annotated[tuple[DispatcherIdentity, ...], Field(min_length=1, max_length=4)]
    """Whose word this box takes."""


class Contact(Settings):
    """Where one contact of a slot is wired."""

    unit: Annotated[int, Field(ge=1, le=247)]
    """Modbus address of the board."""
    channel: Annotated[int, Field(ge=1, le=32)]
    """Relay or input as printed on the board, from 1."""
    inverted: bool = False
    """True where the input is off when a key is present, or when the door is open."""


class SlotConfig(Settings):
    slot: Slot
    """Number as printed on the cabinet."""
    lock: Contact
    """Relay of the lock; `inverted` has no meaning here."""
    key: Contact
    """Input that shows whether a key hangs in the slot."""
    door: Contact
    """Input that shows whether the slot's door is open."""


class LockBusConfig(Settings):
    """Key cabinet over Modbus RTU. The lock bus never leaves the cabinet."""

    driver: Literal["modbus-io"] = "modbus-io"
    """What the boards speak."""
    device: DeviceUrl
    """Any pyserial URL: `/dev/serial/by-id/...`, `socket://host:port`, `rfc2217://host:port`."""
    baud_rate: BaudRate = 9600
    """8 data bits, no parity, 1 stop bit: as the boards leave the factory."""
    pulse_ms: Annotated[int, Field(ge=100, le=1000, multiple_of=100)] = 700
    """How long the board holds a lock open; the board itself ends the pulse."""
    answer_timeout_ms: Annotated[int, Field(ge=20, le=700)] = 200
    """At least twice the board's worst case."""
    local_echo: bool = False
    """True for an adapter that hands back what it sends."""
    slots: Annotated[tuple[SlotConfig, ...], Field(min_length=1, max_length=128)]
    """How each slot is wired."""

    @model_validator(mode="after")
    def _nothing_wired_twice(self) -> Self:
        for name in ("slot", "lock", "key", "door"):
            seen: dict[object, int] = {}
            for slot in self.slots:
                value = getattr(slot, name)
                place = value if name == "slot" else (value.unit, value.channel)
                if place in seen:
                    raise ValueError(f"slots {seen[place]} and {slot.slot} share one {name}: {place}")
                seen[place] = slot.slot
        inputs = [(c.unit, c.channel) for slot in self.slots for c in (slot.key, slot.door)]
        if len(set(inputs)) != len(inputs):
            raise ValueError("one input serves as key contact and as door contact")
        return self


class KerongSlotConfig(Settings):
    slot: Slot
    """Number as printed on the cabinet."""
    board: Annotated[int, Field(ge=0, le=15)]
    """Address set at the board."""
    lock: Annotated[int, Field(ge=1, le=16)]
    """Lock as printed on the board, from 1."""
    hook_inverted: bool = False
    """True where the lock's hook reads closed while the door is open."""
    infrared_inverted: bool = False
    """True where the infrared sensor sees something while no key hangs in the slot."""


class KerongBusConfig(Settings):
    """Key cabinet with KERONG KR-CU16 lock boards. The lock bus never leaves the cabinet."""

    driver: Literal["kerong-cu16"]
    """What the boards speak. How long a lock gets current is set at the board."""
    device: DeviceUrl
    """Any pyserial URL."""
    baud_rate: BaudRate = 19200
    """8 data bits, no parity, 1 stop bit: as the boards leave the factory."""
    answer_timeout_ms: Annotated[int, Field(ge=20, le=700)] = 200
    """At least twice the board's worst case."""
    slots: Annotated[tuple[KerongSlotConfig, ...], Field(min_length=1, max_length=128)]
    """How each slot is wired."""

    @model_validator(mode="after")
    def _nothing_wired_twice(self) -> Self:
        numbers: set[int] = set()
        places: dict[tuple[int, int], int] = {}
        for slot in self.slots:
            place = (slot.board, slot.lock)
            if slot.slot in numbers:
                raise ValueError(f"slot {slot.slot} is wired twice")
            if place in places:
                raise ValueError(f"slots {places[place]} and {slot.slot} share board {place[0]}, lock {place[1]}")
            numbers.add(slot.slot)
            places[place] = slot.slot
        return self


def driver(locks: object) -> str:
    """What tells lock buses apart: Modbus where nothing is said. An error names the field by this function."""
    found = locks.get("driver", "modbus-io") if isinstance(locks, dict) else getattr(locks, "driver", "modbus-io")
    return str(found)


AnyLockBus = Annotated[
    Annotated[LockBusConfig, Tag("modbus-io")] | Annotated[KerongBusConfig, Tag("kerong-cu16")],
    Discriminator(driver),
]


class ReaderConfig(Settings):
    name: OpaqueId
    """As in facts and metrics."""
    role: Literal["badge", "return_tag"]
    """`return_tag`: reads the fob of a key that is brought back."""
    address: Annotated[int, Field(ge=0, le=126)]
    """OSDP address of the reader."""
    scbk_file: LocalFile
    """This reader's secure channel base key, 32 hexadecimal digits; one key per reader."""
    poll_ms: Annotated[int, Field(ge=20, le=1000)] = 50
    """How often it is asked; a swipe waits half of it on average."""


class ReaderBusConfig(Settings):
    """Badge and tag readers over OSDP, several on one bus."""

    driver: Literal["osdp"] = "osdp"
    """What the readers speak."""
    device: DeviceUrl
    """Any pyserial URL."""
    baud_rate: BaudRate = 38400
    """Two readers polled every 50 ms need 38400; one alone runs at 9600."""
    readers: Annotated[tuple[ReaderConfig, ...], Field(min_length=1, max_length=8)]
    """The readers on this bus."""

    @model_validator(mode="after")
    def _addresses_differ(self) -> Self:
        addresses = [reader.address for reader in self.readers]
        if len(set(addresses)) != len(addresses):
            raise ValueError(f"two readers at one address: {sorted(addresses)}")
        return self


class TagReaderConfig(Settings):
    """A reader of key tags on a line of its own, which only sends: where OSDP at the return slot is too much."""

    name: OpaqueId
    """As in facts and metrics."""
    driver: Literal["rdm6300"] = "rdm6300"
    """What the reader speaks."""
    device: DeviceUrl
    """Any pyserial URL."""
    baud_rate: BaudRate = 9600
    """8 data bits, no parity, 1 stop bit."""


class CredentialConfig(CredentialType):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, use_attribute_docstrings=True)

    role: Literal["badge", "tag"] = "badge"
    """Whether people or keys carry it."""


class VehicleConfig(Settings):
    """A vehicle whose keys live here, and its tracker."""

    id: OpaqueId
    """As at the dispatcher."""
    driver: Literal["teltonika", "vss"] = "teltonika"
    """What the tracker speaks: Teltonika's own forms, or JSON under the names of VSS 5.1 (over MQTT only)."""
    tracker: OpaqueId | None = None
    """Level of the tracker's topic `vehicles/{tracker}/raw`; the vehicle's id where absent."""
    model: Family = Family.FMB
    """Family of a Teltonika tracker: the same AVL id means another thing in another family."""
    device: DeviceUrl | None = None
    """A line on which the tracker sends Codec 8 or 8 Extended packets, such as `socket://`; MQTT where absent."""
    baud_rate: BaudRate = 115200
    """Of that line."""

    @model_validator(mode="after")
    def _only_teltonika_has_a_line(self) -> Self:
        if self.device is not None and self.driver != "teltonika":
            raise ValueError(
                f"device: the driver {self.driver!r} has no line: expected none, its messages come by MQTT"
            )
        if self.device is not None and self.tracker is not None:
            raise ValueError("device and tracker: expected one of them, a line or a topic")
        return self


class HttpConfig(Settings):
    host: Literal["127.0.0.1", "::1", "localhost"] = "127.0.0.1"
    """Metrics and health are for this box; another address than loopback needs a proxy with TLS."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9470
    """0 takes a free port and logs it."""


class LogConfig(Settings):
    format: Literal["auto", "json", "text"] = "auto"
    """`auto`: text on a terminal, JSON elsewhere."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important events that are logged."""


class StationConfig(Settings):
    """Everything one agent knows before it hears from its dispatcher."""

    namespace: Namespace = "carshare"
    """First level of every topic."""
    cabinet: CabinetId
    """Id of this cabinet, and of its box."""
    journal: JournalConfig
    """Where facts are kept."""
    identity: IdentityConfig
    """Whose word this box gives, and whose it takes."""
    mqtt: MqttSettings
    """The broker."""
    locks: AnyLockBus
    """The key cabinet."""
    readers: Annotated[tuple[ReaderBusConfig, ...], Field(min_length=1, max_length=4)]
    """Buses with badge and tag readers."""
    tag_readers: Annotated[tuple[TagReaderConfig, ...], Field(max_length=8)] = ()
    """Readers of key tags on lines of their own."""
    credential_types: Annotated[tuple[CredentialConfig, ...], Field(min_length=1, max_length=16)]
    """What kinds of cards and fobs are read here."""
    vehicles: Annotated[tuple[VehicleConfig, ...], Field(max_length=128)] = ()
    """Vehicles whose keys live here."""
    http: HttpConfig = HttpConfig()
    """Metrics and health."""
    logs: LogConfig = LogConfig()
    """What is logged, and how."""

    @property
    def reader_roles(self) -> tuple[tuple[str, Literal["badge", "return_tag"]], ...]:
        """Name and role of each reader, whatever it speaks."""
        osdp = ((reader.name, reader.role) for bus in self.readers for reader in bus.readers)
        return (*osdp, *((reader.name, "return_tag") for reader in self.tag_readers))

    @model_validator(mode="after")
    def _lines_and_readers_are_apart(self) -> Self:
        trackers = [vehicle.device for vehicle in self.vehicles if vehicle.device is not None]
        tag_readers = [reader.device for reader in self.tag_readers]
        devices = [self.locks.device, *(bus.device for bus in self.readers), *tag_readers, *trackers]
        ports = [str(Path(device).resolve()) if device.startswith("/") else device for device in devices]
        if len(set(ports)) != len(ports):
            raise ValueError(
                "readers hang in the street and the lock bus has no authentication: "
                f"expected a device of its own for each line, found {devices}"
            )
        names = [name for name, _ in self.reader_roles]
        if CABINET in names:
            raise ValueError(f"a reader is named {CABINET!r}: expected another name, for that is the lock bus")
        if len(names) > READERS_MAX:
            raise ValueError(f"{len(names)} readers: expected at most {READERS_MAX} at one cabinet")
        if len(set(names)) != len(names):
            raise ValueError(f"two readers of one name: {sorted(names)}")
        for role in ("badge", "tag"):
            bits = [kind.bits for kind in self.credential_types if kind.role == role]
            if len(set(bits)) != len(bits):
                raise ValueError(f"two {role} types of one length: {sorted(bits)} bits")
        return self
