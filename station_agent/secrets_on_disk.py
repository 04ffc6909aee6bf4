"""Reads the key files that a configuration names. A wrong file is a sentence with its path, never its content."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.credentials import DIGEST_KEY_BYTES
from contract.envelope import BadKey, VerifyKey, private_key_from_pem, public_key_from_text
from contract.topics import Author
from runtime.config import ConfigError
from station_agent.config import StationConfig

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StationKeys:
    """All secrets of one box."""

    signing: Ed25519PrivateKey
    digest_key: bytes
    dispatchers: dict[str, VerifyKey]
    """By `kid`."""
    of_devices: dict[str, bytes]
    """By device: what it shares with this box alone."""


class _Reader:
    """Collects faults, so that all wrong files are named at once."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def read(self, field: str, path: Path, parse: Callable[[bytes], T]) -> T | None:
        try:
            return parse(path.read_bytes())
        except OSError as error:
            self.faults.append(f"{field} = {str(path)!r}: cannot be read: {error.strerror}")
        except ValueError as error:  # BadKey is one
            self.faults.append(f"{field} = {str(path)!r}: {error}")
        return None


def load_keys(config: StationConfig) -> StationKeys:
    """Read every key file.

    Raises:
        ConfigError: naming each file or key that cannot be used and what was expected, all at once.
    """
    reader = _Reader()
    identity = config.identity
    signing = reader.read("identity.signing_key_file", identity.signing_key_file, private_key_from_pem)
    digest_key = reader.read("identity.digest_key_file", identity.digest_key_file, _hexadecimal(DIGEST_KEY_BYTES))
    of_devices = _of_devices(config, reader)
    dispatchers = {}
    for index, dispatcher in enumerate(identity.dispatchers):
        try:
            public_key = public_key_from_text(dispatcher.public_key)
        except BadKey as error:
            reader.faults.append(f"identity.dispatchers[{index}].public_key: {error}")
        else:
            key = VerifyKey(Author.DISPATCHER, dispatcher.id, public_key)
            dispatchers[f"{Author.DISPATCHER}/{dispatcher.id}"] = key
    if reader.faults or signing is None or digest_key is None:
        raise ConfigError(*reader.faults)
    return StationKeys(signing, digest_key, dispatchers, of_devices)


def _of_devices(config: StationConfig, reader: _Reader) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    fields: dict[bytes, str] = {}
    for place, table in config.tables:
        for file in table.secret_files:
            field = f"{place}.{file.field}"
            secret = reader.read(field, file.path, _hexadecimal(file.byte_count))
            if secret is not None:
                found[file.device] = secret
                first = fields.setdefault(secret, field)
                if first != field:
                    reader.faults.append(f"{field}: the same secret as {first}; expected one of its own for each")
    return found


def _hexadecimal(byte_count: int) -> Callable[[bytes], bytes]:
    def parse(content: bytes) -> bytes:
        try:
            value = bytes.fromhex(content.decode("ascii").strip())
        except ValueError as error:
            raise ValueError(f"expected {byte_count * 2} hexadecimal digits") from error
        if len(value) != byte_count:
            raise ValueError(f"expected {byte_count * 2} hexadecimal digits, found {len(value) * 2}")
        return value

    return parse
