"""Sessions of the operators' pages: a token's owner signs in once, and the browser then carries a sealed cookie.

The cookie names the token by its digest, says when it was made, and holds the secret that every change must repeat.
It is sealed under a key that no database holds, and nothing of it is kept here: it ends with the token (its expiry,
or its line taken out of the file), or by itself.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from dispatcher.store.ids import RandomBytes

SESSION_MS = 12 * 3_600_000  # a long shift: nobody signs in twice in one night, no screen stays open for days
DIGEST_BYTES = 32  # of a token (SHA-256)
INSTANT_BYTES = 8
CSRF_BYTES = 16  # 128 bits: not guessed
SEAL_BYTES = 32
COOKIE_CHARACTERS_MAX = 200  # what we make has 118: a longer one is not ours, and is not looked at
PURPOSE = b"carshare page sessions v1\x01"
"""Sets the key apart from all else that is made from the same secret: one HMAC is HKDF's expand step."""


@dataclass(frozen=True, slots=True)
class Session:
    token_digest: bytes
    opened_ms: int
    csrf: str
    """What a change must repeat, in a header that no form of another site can send."""


class Sessions:
    """Seals sessions and opens the seal.

    Args:
        secret: outside the database, uniformly random.
        speed: of the clock: people who sign in live in real time.
    """

    def __init__(self, secret: bytes, random_bytes: RandomBytes, speed: float = 1.0) -> None:
        self._key = hmac.digest(secret, PURPOSE, hashlib.sha256)
        self._random_bytes = random_bytes
        self.length_ms = round(SESSION_MS * speed)

    def seal(self, token_digest: bytes, now_ms: int) -> str:
        """A new session, as its cookie says it."""
        content = token_digest + now_ms.to_bytes(INSTANT_BYTES, "big") + self._random_bytes(CSRF_BYTES)
        return base64.urlsafe_b64encode(content + self._seal(content)).rstrip(b"=").decode()

    def read(self, cookie: str, now_ms: int) -> Session | None:
        """The session that a cookie says; None: we did not seal it, or it is over."""
        raw = _decoded(cookie)
        content, seal = raw[:-SEAL_BYTES], raw[-SEAL_BYTES:]
        if len(content) != DIGEST_BYTES + INSTANT_BYTES + CSRF_BYTES or not hmac.compare_digest(
            seal, self._seal(content)
        ):
            return None
        opened_ms = int.from_bytes(content[DIGEST_BYTES : DIGEST_BYTES + INSTANT_BYTES], "big")
        if not 0 <= now_ms - opened_ms < self.length_ms:
            return None
        return Session(content[:DIGEST_BYTES], opened_ms, content[-CSRF_BYTES:].hex())

    def _seal(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)


def _decoded(cookie: str) -> bytes:
    if len(cookie) > COOKIE_CHARACTERS_MAX:
        return b""
    try:
        return base64.b64decode(cookie + "=" * (-len(cookie) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):  # the second: a character beyond ASCII
        return b""
