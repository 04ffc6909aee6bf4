"""`station-agent signing-key`: the key by which this box signs, made where there is none, and its public half."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contract.envelope import BadKey, private_key_from_pem, public_key_text
from runtime.config import ConfigError

SEED_BYTES: Final = 32  # an Ed25519 private key (RFC 8032, section 5.1.5)
OWNER_ONLY: Final = 0o600


def signing_key(path: Path, random_bytes: Callable[[int], bytes]) -> str:
    """The public key of `path`, base64url. A key that is there is never replaced; a new one is durable.

    Raises:
        ConfigError: the file is no such key, cannot be read or cannot be made.
    """
    try:
        try:
            pem = path.read_bytes()
        except FileNotFoundError:
            pem = _new_key(path, random_bytes)
        return public_key_text(private_key_from_pem(pem))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be used: {error.strerror}; expected a key, or a folder to make one in"
        ) from None
    except BadKey as error:
        raise ConfigError(f"{path}: {error}; it was left as it is") from None


def _new_key(path: Path, random_bytes: Callable[[int], bytes]) -> bytes:
    """In a file of its own first: a box that loses power here has no key, or a whole one."""
    key = Ed25519PrivateKey.from_private_bytes(random_bytes(SEED_BYTES))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, OWNER_ONLY), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return pem
