"""The agent's configuration: one TOML file, one model per concern, read once at start-up.

Relative paths are relative to the configuration file. A wrong file stops the program with the file, the
field, the value and what was expected. A table of devices is read by the model of the driver that it names:
`config_file.py` makes the model that reads a file.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from contract.credentials import CredentialType
from contract.values import CabinetId, OpaqueId
from runtime.config import Settings
from runtime.mqtt_settings import MqttSettings
from runtime.paths import LocalFile, NewFile
from station_agent.core.devices import CABINET
from station_agent.drivers.declaration import AnyDriver, VehicleDriver
from station_agent.drivers.tables import CabinetTable, ReadersTable, Role, Table, TagReaderTable, VehicleTable

Namespace = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]

READERS_MAX = 16  # a report lists 32 devices at most


class JournalConfig(Settings):
    file: NewFile
    """SQLite file of the journal; its folder must exist."""
    keep_days: Annotated[int, Field(ge=1, le=365)] = 30
    """How long acknowledged facts are kept: longer than any backup of the dispatcher (28 days)."""
    limit_mib: Annotated[int, Field(ge=4, le=4096)] = 64
    """How large the file may grow. A busy cabinet of 16 slots notes 1,000 facts or 0.5 MiB a day: 64 MiB are
    the 30 days that are kept and, beside them, three months offline."""

    @property
    def bytes_max(self) -> int:
        """The limit in bytes."""
        return self.limit_mib << 20


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


class CredentialConfig(CredentialType):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, use_attribute_docstrings=True)

    role: Literal["badge", "tag"] = "badge"
    """Whether people or keys carry it."""


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
    """Everything one agent knows before it hears from its dispatcher. `config_file.py` reads it."""

    model_config = ConfigDict(defer_build=True)  # only what `station_model` makes of it reads a file

    drivers: ClassVar[Mapping[str, AnyDriver]] = MappingProxyType({})
    """Those that the file names, by name."""

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
    locks: CabinetTable
    """The key cabinet."""
    readers: Annotated[tuple[ReadersTable, ...], Field(min_length=1, max_length=4)]
    """Lines with badge and tag readers."""
    tag_readers: Annotated[tuple[TagReaderTable, ...], Field(max_length=8)] = ()
    """Readers of key tags on lines of their own."""
    credential_types: Annotated[tuple[CredentialConfig, ...], Field(min_length=1, max_length=16)]
    """What kinds of cards and fobs are read here."""
    vehicles: Annotated[tuple[VehicleTable, ...], Field(max_length=128)] = ()
    """Vehicles whose keys live here."""
    http: HttpConfig = HttpConfig()
    """Metrics and health."""
    logs: LogConfig = LogConfig()
    """What is logged, and how."""

    @property
    def reader_roles(self) -> tuple[tuple[str, Role], ...]:
        """Name and role of each reader, whatever it speaks."""
        roles = [table.roles for table in self.readers] + [table.roles for table in self.tag_readers]
        return tuple(role for of_table in roles for role in of_table)

    @property
    def tables(self) -> tuple[tuple[str, Table], ...]:
        """Each table that names a driver, with its place in the file."""
        many = (("readers", self.readers), ("tag_readers", self.tag_readers), ("vehicles", self.vehicles))
        numbered = ((f"{name}[{index}]", table) for name, tables in many for index, table in enumerate(tables))
        return (("locks", self.locks), *numbered)

    def driver_of(self, table: Table) -> AnyDriver:
        return self.drivers[table.driver]

    @model_validator(mode="after")
    def _lines_and_readers_are_apart(self) -> Self:
        devices = [table.line.device for _place, table in self.tables if table.line is not None]
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

    @model_validator(mode="after")
    def _trackers_can_be_heard(self) -> Self:
        for vehicle in self.vehicles:
            driver = self.driver_of(vehicle)
            assert isinstance(driver, VehicleDriver), "each table is read by a driver of its kind"
            if (driver.messages if vehicle.line is None else driver.codec) is None:
                expected = "expected a line, for it reads no messages" if vehicle.line is None else "it has no line"
                raise ValueError(f"vehicle {vehicle.id!r}, driver {driver.name!r}: {expected}")
        return self
