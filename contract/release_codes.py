"""Offline release codes: eight digits that the hotline reads to a member whose box has no network.

    key = release_code_key(cabinet_digest_key(master, cabinet))
    code = release_code(key, slot, number)          # "40718293"

A code is made for one cabinet, one slot and one number. Numbers only go up, by themselves with the time (one each
ten minutes since 1970) and by one where several codes are made within that: so a code is used once, is over soon
where the box knows the time, and both sides can make it without having heard of each other. Truncation to digits is
that of HOTP (RFC 4226, section 5.3), over SHA-256.
"""

import hashlib
import hmac

WINDOW_MS = 600_000  # to find the slot, key eight digits in and err once takes two minutes; a call may last five
CODE_DIGITS = 8
_MODULUS = 10**CODE_DIGITS


def release_code_key(digest_key: bytes) -> bytes:
    """The key of one cabinet's codes, from its digest key: one HMAC is HKDF's expand step (RFC 5869)."""
    return hmac.digest(digest_key, b"carshare release codes v1\x01", hashlib.sha256)


def window_number(wall_ms: int) -> int:
    """The number that a code made now has at least."""
    return wall_ms // WINDOW_MS


def release_code(key: bytes, slot: int, number: int) -> str:
    """Eight digits, leading zeros kept."""
    mac = hmac.digest(key, f"{slot}/{number}".encode(), hashlib.sha256)
    offset = mac[-1] & 0x0F
    value = int.from_bytes(mac[offset : offset + 4]) & 0x7FFF_FFFF
    return f"{value % _MODULUS:0{CODE_DIGITS}d}"
