"""Makes a dispatcher's secrets: the keys of its messages, badge digests and rows, and a first API token."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contract.credentials import DIGEST_KEY_BYTES
from contract.envelope import private_key_from_pem, public_key_text
from dispatcher.api.scopes import Scope
from dispatcher.api.token_file import OWNER_ONLY, written
from dispatcher.api.tokens import new_token
from dispatcher.store.ids import RandomBytes
from dispatcher.store.origin import ORIGIN_KEY_BYTES
from runtime.config import ConfigError

SEED_BYTES = 32  # an Ed25519 private key (RFC 8032, section 5.1.5)
FIRST_CALLER = "first"
"""It may do anything: make narrower ones with `dispatcher token new`, then revoke it."""


@dataclass(frozen=True, slots=True)
class NewKeys:
    files: tuple[Path, ...]
    public_key: str
    """For `identity.dispatchers` of the boxes."""
    token: str
    token_line: str
    """What `http.tokens_file` has of it."""


def write_new_keys(directory: Path, random_bytes: RandomBytes) -> NewKeys:
    """Write `signing-key.pem`, `digest-secret`, `origin-key` and `tokens`, readable by their owner only.

    Raises:
        ConfigError: one of them is there already (a lost key locks every box out), or cannot be written.
    """
    key = Ed25519PrivateKey.from_private_bytes(random_bytes(SEED_BYTES))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    token, kept = new_token(FIRST_CALLER, Scope, None, random_bytes)
    contents = {
        directory / "signing-key.pem": pem,
        directory / "digest-secret": f"{random_bytes(DIGEST_KEY_BYTES).hex()}\n".encode(),
        directory / "origin-key": f"{random_bytes(ORIGIN_KEY_BYTES).hex()}\n".encode(),
        directory / "tokens": written([kept]),
    }
    there = [path for path in contents if path.exists()]
    if there:
        raise ConfigError(*(f"{path}: is there already, and is not overwritten" for path in there))
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content in contents.items():
            _write(path, content)
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be written: {error.strerror}") from None
    return NewKeys(tuple(contents), public_key_text(private_key_from_pem(pem)), token, kept.line)


def _write(path: Path, content: bytes) -> None:
    """Never readable by others, not for an instant."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as file:
        file.write(content)
