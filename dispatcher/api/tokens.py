"""Who calls: bearer tokens, known here only by their SHA-256."""

import hashlib
import hmac
from collections.abc import Mapping


class Tokens:
    """The callers' names by the hash of their tokens.

    A token is 256 random bits (`dispatcher new-keys` makes one): a plain hash of it cannot be searched, so
    no slow password hash is needed.
    """

    def __init__(self, digest_by_name: Mapping[str, bytes]) -> None:
        self._digest_by_name = dict(digest_by_name)

    def caller(self, token: str) -> str | None:
        """The name that a token belongs to. Takes equally long whichever token is wrong, and where."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = None
        for name, known in self._digest_by_name.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found
