"""Which broker, as whom, and how protected: the `[mqtt]` table of both programs."""

import ssl
from typing import Annotated, Self

from pydantic import Field, model_validator

from runtime.addresses import is_loopback
from runtime.config import Settings
from runtime.paths import LocalFile

PORT_TLS = 8883  # IANA: secure-mqtt
PORT_PLAIN = 1883  # IANA: mqtt


class TlsSettings(Settings):
    """TLS towards the broker. An empty table means: encrypted, checked against the system's authorities."""

    ca_file: LocalFile | None = None
    """PEM file with the authorities that may vouch for the broker; without it, the system's."""
    certificate_file: LocalFile | None = None
    """PEM file with our own certificate and its chain, where the broker asks for one."""
    key_file: LocalFile | None = None
    """PEM file with the key of our own certificate."""

    @model_validator(mode="after")
    def _certificate_has_key(self) -> Self:
        if (self.certificate_file is None) is not (self.key_file is None):
            raise ValueError("certificate_file and key_file go together")
        return self

    def context(self) -> ssl.SSLContext:
        """Reads the files. Raises OSError (`ssl.SSLError` is one) when they cannot be used."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9325 section 3.1.1
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


class MqttSettings(Settings):
    """The broker and our account there."""

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$", max_length=253)] = "127.0.0.1"
    """Name or address of the broker, without `mqtts://` and without port."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """TCP port of the broker; without it, 8883 with TLS and 1883 without."""
    username: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Our account at the broker, where it asks for one. With a client certificate it usually does not."""
    password_file: LocalFile | None = None
    """File whose first line is the password. Read again for each attempt, so that it can be replaced."""
    tls: TlsSettings | None = None
    """TLS; required unless the broker is on this machine's loopback."""
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=128)] | None = None
    """Our client id, where the broker prescribes it; without it, the program's own choice. Unique at the
    broker: two clients with one id throw each other out."""

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs username")
        if self.tls is None and not is_loopback(self.host):
            raise ValueError(f"host = {self.host!r}: only a broker on this machine may do without TLS, set tls")
        return self

    @property
    def effective_port(self) -> int:
        return self.port or (PORT_PLAIN if self.tls is None else PORT_TLS)

    def password(self) -> str | None:
        """Reads the password. Raises OSError or UnicodeDecodeError when the file cannot be used."""
        if self.password_file is None:
            return None
        return self.password_file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
