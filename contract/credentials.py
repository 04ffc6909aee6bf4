"""Badges and key tags as a box knows them: digests under a key of that cabinet, never the UID itself.

A credential is typed, and the type says what is read and how long it is: the same number read from two
kinds of card is two credentials.
"""

import base64
import hashlib
import hmac
from typing import Annotated, Literal

from pydantic import Field

from contract.values import Frozen

DIGEST_KEY_BYTES = 32  # as long as the hash: a longer key adds nothing (RFC 2104, section 3)


class CredentialType(Frozen):
    """What one kind of card or fob delivers at a reader."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    """First part of a credential's text."""
    bits: Annotated[int, Field(ge=8, le=128)]
    """Bits that the reader delivers; two types at one reader never share a length."""
    byte_order: Literal["as_read", "reversed"] = "as_read"
    """`reversed` where the reader sends the last byte first; whole bytes only."""
    pin: Literal["required", "not_required"] = "required"
    """A number that a reader delivers identifies and does not authenticate: whoever copied it has it too. So a
    key is handed out for it with a PIN; `not_required` is for cards that are trusted without. Of badges only."""


def credential_text(kind: CredentialType, bit_count: int, data: bytes) -> str | None:
    """The typed text of what a reader read, such as `calypso:00000000075BCD15`; None: not of that type."""
    if bit_count != kind.bits or len(data) != (bit_count + 7) // 8:
        return None
    ordered = data[::-1] if kind.byte_order == "reversed" else data
    return f"{kind.name}:{ordered.hex().upper()}"


def credential_digest(key: bytes, text: str) -> str:
    """HMAC-SHA256 of a typed credential under a cabinet's key, base64url without padding (43 characters)."""
    mac = hmac.digest(key, text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def pin_digest(key: bytes, digest: str, pin: str) -> str:
    """What a box knows of the PIN of the badge with this digest: HMAC-SHA256 under the cabinet's key, as text.

    It hides a PIN from whoever reads a message, not from whoever has the box: a few digits are soon tried. A stolen
    box is taken to reveal its PINs, as its badges (domain.md, P6).
    """
    return credential_digest(key, f"{digest}/{pin}")  # neither a credential nor a digest has a stroke


def cabinet_digest_key(master: bytes, cabinet: str) -> bytes:
    """The digest key of one cabinet, derived from the dispatcher's master secret.

    One HMAC is the expand step of HKDF (RFC 5869) for one block; the master is uniformly random.
    """
    return hmac.digest(master, b"carshare badge digests v1/" + cabinet.encode() + b"\x01", hashlib.sha256)
