"""PINs as the database keeps them: sealed under a key that it does not hold.

A digest would not do: every cabinet is told a PIN under its own key, so it has to be read again, and a few digits
are tried in no time. Sealing is AES-SIV (RFC 5297), bound to the badge, and the same for the same PIN: so an import
that brings nothing new writes nothing, and a sealed PIN that is put beside another badge opens nothing.
"""

import base64
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

DOMAIN = b"carshare pins v1"


class PinSeal:
    """Seals and opens under a key made from the origin key: one HMAC is HKDF's expand step (RFC 5869)."""

    __slots__ = ("_siv",)

    def __init__(self, origin_key: bytes) -> None:
        self._siv = AESSIV(hmac.digest(origin_key, DOMAIN + b"\x01", "sha256"))

    def seal(self, badge_id: str, pin: str) -> str:
        return base64.b64encode(self._siv.encrypt(pin.encode(), [badge_id.encode()])).decode()

    def open(self, badge_id: str, sealed: str) -> str | None:
        """The PIN; None where it was not sealed for this badge under this key."""
        try:
            return self._siv.decrypt(base64.b64decode(sealed), [badge_id.encode()]).decode()
        except (InvalidTag, ValueError):
            return None
