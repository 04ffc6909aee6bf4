"""Who calls: bearer tokens, known here only by their SHA-256, each with a name, scopes and an expiry.

One line a token, in a file that no database holds: whoever writes to the database makes no token.

    front-end 9f86d0...a08 bookings:read,bookings:write,network:read 2027-11-30T00:00:00Z
    monitor   60303a...4c2 incidents:read                            never
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from dispatcher.api.scopes import Scope
from dispatcher.core.windows import to_ms, utc_text
from dispatcher.expectations import expectation
from dispatcher.instants import Instant
from dispatcher.store.ids import RandomBytes

TOKEN_BYTES = 32  # 256 bits: their plain hash cannot be searched, so no slow password hash is needed
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
DIGEST = re.compile(r"[0-9a-f]{64}")
NEVER = "never"
TOKENS_MAX = 1000  # programs that call, not people
SHOWN_MAX = 20  # of a wrong word: longer than a scope it may be a token in the wrong place
LINE = "name sha256 scopes expiry"
EXPECTED_NAME = "a name of at most 32 characters of a-z, 0-9 and -, none of - first"
EXPECTED_SCOPES = f"scopes with commas between them, of {', '.join(Scope)}"
_INSTANT: TypeAdapter[Instant] = TypeAdapter(Instant)


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of one: everything but itself."""

    name: str
    """The author of all that is done with it: of a program, never of a person."""
    digest: bytes
    scopes: frozenset[Scope]
    expires_ms: int | None
    """From this instant on it is refused; None: never."""

    def expired(self, now_ms: int) -> bool:
        return self.expires_ms is not None and now_ms >= self.expires_ms

    @property
    def expiry(self) -> str:
        return NEVER if self.expires_ms is None else utc_text(self.expires_ms)

    @property
    def line(self) -> str:
        return f"{self.name} {self.digest.hex()} {','.join(sorted(self.scopes))} {self.expiry}"


class Tokens:
    """All that may call."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._by_digest = {token.digest: token for token in tokens}

    def find(self, text: str) -> Token | None:
        """The token that `text` is. A look-up tells nothing by its time: nobody chooses the hash of a guess."""
        return self._by_digest.get(digest(text))

    def of_digest(self, token_digest: bytes) -> Token | None:
        return self._by_digest.get(token_digest)

    def __iter__(self) -> Iterator[Token]:
        return iter(self._by_digest.values())

    def __len__(self) -> int:
        return len(self._by_digest)


class BadTokens(Exception):
    """The text is no list of tokens. `faults`: one sentence each; what may be a token is not quoted."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def new_token(
    name: str, scopes: Iterable[Scope], expires_ms: int | None, random_bytes: RandomBytes
) -> tuple[str, Token]:
    """A new token and what is kept of it."""
    text = base64.urlsafe_b64encode(random_bytes(TOKEN_BYTES)).rstrip(b"=").decode()
    return text, Token(name, digest(text), frozenset(scopes), expires_ms)


def parse_tokens(text: str) -> list[Token]:
    """The tokens of a file's text; `#` begins a comment. No token at all is a list, too: nobody may call.

    Raises:
        BadTokens: with every wrong line, by its number.
    """
    tokens: list[Token] = []
    faults = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.partition("#")[0].split()
        if not line:
            continue
        try:
            tokens.append(_parsed(line, tokens))
        except ValueError as error:
            faults.append(f"{number}: {error}")
    if len(tokens) > TOKENS_MAX:
        faults.append(f"1: {len(tokens)} tokens: expected at most {TOKENS_MAX}")
    if faults:
        raise BadTokens(faults)
    return tokens


def _parsed(line: list[str], before: Iterable[Token]) -> Token:
    if len(line) != 4 or not NAME.fullmatch(line[0]) or not DIGEST.fullmatch(line[1]):
        raise ValueError(f"(not shown): expected `{LINE}`: {EXPECTED_NAME}, and 64 hexadecimal digits")
    name, digits, scopes, expiry = line
    token = Token(name, bytes.fromhex(digits), parse_scopes(scopes), parse_expiry(expiry))
    for other in before:
        if name == other.name:
            raise ValueError(f"name = {name!r}: expected a name not used above")
        if token.digest == other.digest:
            raise ValueError(f"name = {name!r}: expected another token than that of {other.name!r}")
    return token


def parse_name(text: str) -> str:
    """Raises `ValueError`."""
    if not NAME.fullmatch(text):
        raise ValueError(f"name = {text!r}: expected {EXPECTED_NAME}")
    return text


def parse_scopes(text: str) -> frozenset[Scope]:
    """Raises `ValueError`, which names the first word that is no scope."""
    words = text.split(",")
    for word in words:
        if word not in set(Scope):
            shown = repr(word) if len(word) <= SHOWN_MAX else "(not shown)"
            raise ValueError(f"scope = {shown}: expected {EXPECTED_SCOPES}")
    return frozenset(Scope(word) for word in words)


def parse_expiry(text: str) -> int | None:
    """Raises `ValueError`."""
    if text == NEVER:
        return None
    try:
        return to_ms(_INSTANT.validate_python(text))
    except ValidationError as error:
        raise ValueError(f"expiry: expected {expectation(error.errors()[0])}, or `{NEVER}`") from None
