"""What was answered under an `Idempotency-Key`, kept for a day, in the transaction of what was done.

An answer may hold what the database must not hold in clear: the digits of a release code, the secret of a webhook,
who booked. So it is sealed under a key that the database does not hold, and bound to its row: what somebody writes
or moves there is told to nobody. The caller's key and the request are kept as keyed digests only: a body with a PIN
in it would be found by trying.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from sqlalchemy import Connection, bindparam, delete, select, update

from dispatcher.core.windows import DAY_MS
from dispatcher.store.schema import stored_answers
from dispatcher.store.upsert import insert_absent

KEPT_MS = DAY_MS  # as long as Stripe keeps its own: who retries later than that is a person
SEAL = b"carshare stored answers v1"
DIGEST = b"carshare idempotency keys v1"

_BY_ID = select(stored_answers).where(stored_answers.c.id == bindparam("asked"))
_KEEP = update(stored_answers).where(stored_answers.c.id == bindparam("asked")).values(sealed=bindparam("answer"))
_CLAIM_AGAIN = (
    update(stored_answers)
    .where(stored_answers.c.id == bindparam("asked"))
    .values(request=bindparam("of_request"), sealed=None, expires_ms=bindparam("until_ms"))
)
_RELEASE = delete(stored_answers).where(stored_answers.c.id == bindparam("asked"))


@dataclass(frozen=True, slots=True)
class Asked:
    """One request under a key."""

    id: str
    """Of the caller and its key."""
    request: str
    """Of method, path, query and body."""
    seal_key: bytes

    @classmethod
    def of(cls, secret: bytes, caller: str, key: str, parts: tuple[str, ...], body: bytes) -> "Asked":
        """`secret` lies outside the database; `parts`: method, path and query."""
        digest_key = hmac.digest(secret, DIGEST, "sha256")
        named = json.dumps([caller, key]).encode()
        request = json.dumps(parts).encode() + b"\n" + body
        return cls(
            hmac.digest(digest_key, b"key" + named, "sha256").hex(),
            hmac.digest(digest_key, b"request" + request, "sha256").hex(),
            hmac.digest(secret, SEAL, "sha256"),
        )


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    headers: Mapping[str, str]
    """Those that belong to the answer, such as `location`."""
    body: str
    """JSON."""


class Found(Enum):
    """What is kept under a key."""

    NOTHING = auto()
    """The key is the request's now, until the transaction ends."""
    OTHER_REQUEST = auto()
    NOT_OURS = auto()
    """What is there cannot be opened: this program did not write it."""


def claim(connection: Connection, asked: Asked, now_ms: int) -> StoredAnswer | Found:
    """The answer that is kept for this request; where there is none, the key is taken.

    Of two transactions with one key the second waits here until the first ends, and then sees what it kept.
    """
    row = {"id": asked.id, "request": asked.request, "sealed": None, "expires_ms": now_ms + KEPT_MS}
    if insert_absent(connection, stored_answers, row):
        return Found.NOTHING
    kept = connection.execute(_BY_ID, {"asked": asked.id}).one()
    if kept.expires_ms <= now_ms:
        again = {"asked": asked.id, "of_request": asked.request, "until_ms": now_ms + KEPT_MS}
        connection.execute(_CLAIM_AGAIN, again)
        return Found.NOTHING
    if kept.request != asked.request:
        return Found.OTHER_REQUEST
    return _opened(asked, kept.sealed) or Found.NOT_OURS


def keep(connection: Connection, asked: Asked, answer: StoredAnswer) -> None:
    """Keep the answer under a key that was claimed in this transaction."""
    connection.execute(_KEEP, {"asked": asked.id, "answer": _sealed(asked, answer)})


def release(connection: Connection, asked: Asked) -> None:
    """Nothing was done under a key that was claimed in this transaction: it is unused."""
    connection.execute(_RELEASE, {"asked": asked.id})


def _sealed(asked: Asked, answer: StoredAnswer) -> str:
    text = json.dumps([answer.status, dict(answer.headers), answer.body])
    sealed = AESSIV(asked.seal_key).encrypt(text.encode(), _bound_to(asked))
    return base64.b64encode(sealed).decode()


def _opened(asked: Asked, sealed: str | None) -> StoredAnswer | None:
    try:
        text = AESSIV(asked.seal_key).decrypt(base64.b64decode(sealed or ""), _bound_to(asked))
    except (InvalidTag, ValueError):
        return None
    return StoredAnswer(*json.loads(text))


def _bound_to(asked: Asked) -> list[bytes | bytearray | memoryview]:
    return [asked.id.encode(), asked.request.encode()]
