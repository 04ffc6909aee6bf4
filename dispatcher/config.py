"""The dispatcher's configuration: one TOML file, and the files of secrets that it names."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, ValidationInfo, field_validator, model_validator
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from contract.credentials import DIGEST_KEY_BYTES
from contract.envelope import BadKey, Signer, private_key_from_pem
from contract.topics import NAMESPACE_PATTERN, Author
from contract.values import OpaqueId
from dispatcher.api.rate_limits import Limits, Rate
from dispatcher.core.retention import Retention
from dispatcher.core.rules import FleetRules
from dispatcher.events.envelope import EventNames
from dispatcher.open_data.settings import OpenDataSettings
from dispatcher.store.origin import ORIGIN_KEY_BYTES, Origin
from runtime.addresses import is_loopback, require_loopback_or_secured
from runtime.config import ConfigError, Settings, load_toml
from runtime.logs import LogFormat, LogLevel
from runtime.mqtt_settings import MqttSettings
from runtime.paths import FOLDER, LocalFile, NewFile


class DatabaseSettings(Settings):
    """Where bookings and the ledger are kept."""

    url: str
    """SQLAlchemy URL. Of PostgreSQL 15 or newer, without a password:
    `postgresql+psycopg://carshare@127.0.0.1/carshare`, or
    `postgresql+psycopg://carshare@/carshare?host=/var/run/postgresql` for a socket; another machine needs
    `?sslmode=verify-full`. Of an SQLite file: `sqlite:////var/lib/carshare/dispatcher.db`; with three slashes
    the path starts at the folder of the configuration file."""
    password_file: LocalFile | None = None
    """File with the password of PostgreSQL's role, in one line. Without it libpq's own ways are left: none on a
    socket, `PGPASSWORD` or `~/.pgpass`."""
    erasures_file: NewFile | None = None
    """Append-only list of erased members, ids only: a restore erases them again. Without it no member is erased. On
    another disk than the database, and in no backup of it."""

    @field_validator("url")
    @classmethod
    def _of_a_kind_that_we_know(cls, text: str, info: ValidationInfo) -> str:
        expected = (
            "expected an SQLAlchemy URL such as sqlite:///dispatcher.db"
            " or postgresql+psycopg://carshare@127.0.0.1/carshare"
        )
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):  # the second: a port that is no number
            raise ValueError(expected) from None
        if url.drivername == "postgresql+psycopg" and url.database:
            return _of_a_server(url)
        if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
            raise ValueError(expected)
        file = Path((info.context or {}).get(FOLDER, ".")) / url.database
        if not file.parent.is_dir():
            raise ValueError(f"expected a file in a folder that exists; there is none at {file.parent}")
        return url.set(database=str(file)).render_as_string(hide_password=False)

    @model_validator(mode="after")
    def _a_password_has_its_use(self) -> Self:
        if self.password_file is not None and make_url(self.url).get_backend_name() == "sqlite":
            raise ValueError("password_file: expected only with a url of PostgreSQL; SQLite has no password")
        return self


def _of_a_server(url: URL) -> str:
    """What is said to the server, and the password before all, is read by nobody on the way."""
    if url.password is not None or "password" in url.query:
        raise ValueError("expected no password in the URL: write it into a file and name that as password_file")
    query = url.normalized_query
    hosts = [url.host or "", *query.get("host", ()), *query.get("hostaddr", ())]
    names = [name for text in hosts for name in text.split(",")]
    elsewhere = [name for name in names if name and not name.startswith("/") and not is_loopback(name)]
    if elsewhere and query.get("sslmode") not in (("verify-full",), ("verify-ca",)):
        raise ValueError(f"expected sslmode=verify-full after the ?, since {elsewhere[0]} is another machine")
    return url.render_as_string()


class HttpSettings(Settings):
    """Where the API, health and metrics answer."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    """Address to listen on. Another than loopback needs a certificate."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """TCP port; 0: any free one, named in the log."""
    tokens_file: LocalFile
    """Who may call: one `name sha256-of-the-token scopes expiry` per line. `dispatcher token` writes it; it is read
    again within a second of a change."""
    requests_per_s: Annotated[float, Field(gt=0, le=100_000)] = Limits().callers.per_s
    """Requests a second that each token may send for long. Default: ten pages of a booking front end, of some five
    requests each; a page that is opened more often shares its answers."""
    requests_burst: Annotated[int, Field(ge=1, le=1_000_000)] = Limits().callers.burst
    """Requests of one token at once, after a while without any."""
    strangers_per_s: Annotated[float, Field(gt=0, le=100_000)] = Limits().strangers.per_s
    """Requests a second from one address without a known token. Behind a proxy all have the proxy's address."""
    strangers_burst: Annotated[int, Field(ge=1, le=1_000_000)] = Limits().strangers.burst
    """The same at once, after a while without any."""
    readers_per_s: Annotated[float, Field(gt=0, le=100_000)] = Limits().readers.per_s
    """Reads a second, from one address without a known token, of what is open to all: the open data, the sign-in
    page. Behind a proxy all have the proxy's address."""
    readers_burst: Annotated[int, Field(ge=1, le=1_000_000)] = Limits().readers.burst
    """The same at once, after a while without any."""
    certificate_file: LocalFile | None = None
    """PEM file with the certificate and its chain."""
    key_file: LocalFile | None = None
    """PEM file with the certificate's key."""

    @property
    def limits(self) -> Limits:
        return Limits(
            Rate(self.requests_per_s, self.requests_burst),
            Rate(self.strangers_per_s, self.strangers_burst),
            Rate(self.readers_per_s, self.readers_burst),
        )

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if (self.certificate_file is None) is not (self.key_file is None):
            raise ValueError("certificate_file and key_file go together")
        lacking = "a certificate (certificate_file and key_file)"
        secured = self.certificate_file is not None
        require_loopback_or_secured(self.host, field="host", secured=secured, lacking=lacking)
        return self


class KeySettings(Settings):
    """The dispatcher's own secrets. They lie outside the database: a copy of it opens nothing."""

    dispatcher_id: OpaqueId
    """Names this dispatcher in its signatures: `kid` is `dispatcher/<id>`. Boxes pin its key under it."""
    signing_key_file: LocalFile
    """PEM (PKCS #8) with the Ed25519 key that signs what is sent to the boxes."""
    digest_secret_file: LocalFile
    """64 hexadecimal digits: the master of the cabinets' badge digest keys."""
    origin_key_file: LocalFile
    """64 hexadecimal digits: signs the rows that become rights. A row that somebody else wrote opens nothing."""


class LogSettings(Settings):
    format: LogFormat = "auto"
    """`json`, `text`, or `auto`: text on a terminal, JSON elsewhere."""
    level: LogLevel = "info"
    """Least important events that are logged."""


class EventsSettings(Settings):
    """What changes is told to others through webhooks, as CloudEvents."""

    source: Annotated[str, Field(pattern=r"^[!-~]{1,200}$")] | None = None
    """CloudEvents' `source`, a URI: who tells. Default: `urn:carshare:` and the namespace."""
    type_prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$", max_length=64)] = "carshare"
    """Stands before the kind in CloudEvents' `type`, such as `carshare.booking.created`; a domain name of yours in
    reverse (`org.example.carshare`) tells your events from those of other fleets."""
    allow_private: bool = False
    """Whether receivers may have addresses of private networks or of this machine. A webhook that a caller of the
    API sets up could otherwise reach what only this machine should."""
    ca_file: LocalFile | None = None
    """PEM file of the authorities that sign receivers' certificates; absent: those of the system."""


class DispatcherConfig(Settings):
    """The whole file."""

    namespace: Annotated[str, Field(pattern=NAMESPACE_PATTERN.pattern)]
    """First level of every topic; the boxes have the same."""
    database: DatabaseSettings
    """Where bookings and the ledger are kept."""
    mqtt: MqttSettings = MqttSettings()
    """The broker."""
    http: HttpSettings
    """The API, metrics and health."""
    keys: KeySettings
    """The dispatcher's own secrets."""
    rules: FleetRules = FleetRules()
    """What the operator decides for the fleet."""
    retention: Retention = Retention()
    """How long what is known of people is kept."""
    events: EventsSettings = EventsSettings()
    """What webhooks are told, and which receivers they may have."""
    open_data: OpenDataSettings | None = None
    """What the public is told (GBFS). Without this table nothing is public."""
    logs: LogSettings = LogSettings()
    """What is logged, and how."""

    @property
    def event_names(self) -> EventNames:
        return EventNames(self.events.source or f"urn:carshare:{self.namespace}", self.events.type_prefix)


@dataclass(frozen=True, slots=True)
class DispatcherKeys:
    """What the files named in `[keys]` hold."""

    signer: Signer
    public_key: Ed25519PublicKey
    """The signer's: what the boxes pin."""
    digest_secret: bytes
    origin: Origin


def load_config(path: Path) -> DispatcherConfig:
    """Read the configuration. Raises `ConfigError`."""
    return load_toml(path, DispatcherConfig)


def read_database_url(settings: DatabaseSettings) -> URL:
    """The URL with its password; printing it shows none. Raises `ConfigError`."""
    url = make_url(settings.url)
    if settings.password_file is None:
        return url
    try:
        password = _read(settings.password_file).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigError(f"{settings.password_file}: (secret, not shown): expected UTF-8") from None
    if not password or "\n" in password or "\0" in password:
        raise ConfigError(f"{settings.password_file}: (secret, not shown): expected one line with the password")
    return url.set(password=password)


def read_keys(settings: KeySettings) -> DispatcherKeys:
    """Read all secrets. Raises `ConfigError`, which quotes nothing of them."""
    try:
        key = private_key_from_pem(_read(settings.signing_key_file))
    except BadKey as error:
        raise ConfigError(f"{settings.signing_key_file}: {error}") from None
    return DispatcherKeys(
        signer=Signer(Author.DISPATCHER, settings.dispatcher_id, key),
        public_key=key.public_key(),
        digest_secret=read_digest_secret(settings),
        origin=read_origin(settings),
    )


def read_digest_secret(settings: KeySettings) -> bytes:
    """Read the master of the badge digests. Raises `ConfigError`."""
    return _hex_secret(settings.digest_secret_file, DIGEST_KEY_BYTES)


def read_origin(settings: KeySettings) -> Origin:
    """Read the key that signs rows. Raises `ConfigError`."""
    return Origin(_hex_secret(settings.origin_key_file, ORIGIN_KEY_BYTES))


def _hex_secret(path: Path, size: int) -> bytes:
    text = _text(path).strip()
    if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", text):
        expected = f"expected {2 * size} hexadecimal digits in lower case"
        raise ConfigError(f"{path}: (secret, not shown): {expected}")
    return bytes.fromhex(text)


def _text(path: Path) -> str:
    try:
        return _read(path).decode("ascii")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected ASCII text") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
