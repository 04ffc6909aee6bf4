"""JWS in its compact form (RFC 7515, section 3.1), for the one algorithm that we speak: `Ed25519` (RFC 9864).

Written here because a box has 60 MiB, and a library that knows every algorithm costs 3 of them. The tests hold it
against such a library, both ways.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "Ed25519"
_PART = re.compile(rb"[A-Za-z0-9_-]*")


class BadJws(ValueError):
    """Text that is no JWS, or is not signed by the key; the message quotes nothing of it."""


def sign_compact(header: Mapping[str, str], payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """`header.payload.signature`; the header names the algorithm."""
    assert header["alg"] == ALGORITHM
    head = _encode(json.dumps(header, separators=(",", ":")).encode())
    signed = head + b"." + _encode(payload)
    return signed + b"." + _encode(key.sign(signed))


def header_of(wire: bytes) -> object:
    """What the header says, whatever it is: nothing is verified yet.

    Raises:
        BadJws: there is none.
    """
    head, dot, _ = wire.partition(b".")
    if not dot:
        raise BadJws("expected three parts")
    try:
        return json.loads(_decode(head))
    except (ValueError, RecursionError) as error:
        raise BadJws("expected a header in JSON") from error


def verified_payload(wire: bytes, key: Ed25519PublicKey) -> bytes:
    """The payload of a JWS whose header was looked at.

    Raises:
        BadJws: its form is wrong, or the key did not sign it.
    """
    signed, _, signature = wire.rpartition(b".")
    _, dot, payload = signed.partition(b".")
    if not dot or b"." in payload:
        raise BadJws("expected three parts")
    try:
        key.verify(_decode(signature), signed)
    except InvalidSignature:
        raise BadJws("the signature does not fit") from None
    return _decode(payload)


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    """Base64url without padding, spelt in the one way in which `_encode` spells it (RFC 7515, appendix C)."""
    if _PART.fullmatch(text) is None:
        raise BadJws("expected base64url without padding")
    try:
        data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error as error:
        raise BadJws("expected base64url without padding") from error
    if _encode(data) != text:
        raise BadJws("expected base64url whose last bits are zero")
    return data
