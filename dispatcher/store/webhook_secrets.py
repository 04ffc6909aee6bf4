"""Secrets of subscriptions, as Standard Webhooks writes them, and as the database keeps them: sealed.

As for PINs (`dispatcher.store.pins`) the key is not in the database. A secret is sealed together with where events
are sent and whether ids of members are among them: whoever changes a row past this program makes it send nothing.
"""

import base64
import hmac
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

DOMAIN = b"carshare webhook secrets v1"
PREFIX = "whsec_"
SECRET_BYTES = 32  # Standard Webhooks: 24 to 64; as long as the hash of the signature


class SealedFor(NamedTuple):
    """What a secret is good for: sealed for one, it opens for no other."""

    webhook_id: str
    url: str
    personal: bool


class SecretSeal:
    """Seals and opens under a key made from the origin key: one HMAC is HKDF's expand step (RFC 5869)."""

    __slots__ = ("_siv",)

    def __init__(self, origin_key: bytes) -> None:
        self._siv = AESSIV(hmac.digest(origin_key, DOMAIN + b"\x01", "sha256"))

    def seal(self, target: SealedFor, secret: bytes) -> str:
        return base64.b64encode(self._siv.encrypt(secret, _said(target))).decode()

    def open(self, target: SealedFor, sealed: str) -> bytes | None:
        """The secret; None where it was not sealed for this target under this key."""
        try:
            return self._siv.decrypt(base64.b64decode(sealed), _said(target))
        except (InvalidTag, ValueError):
            return None


def _said(target: SealedFor) -> list[bytes]:
    return [target.webhook_id.encode(), target.url.encode(), str(target.personal).encode()]


def secret_text(secret: bytes) -> str:
    """As its owner is told it, once."""
    return PREFIX + base64.b64encode(secret).decode()
