"""The one signature around every message: JWS compact, algorithm `Ed25519` (RFC 7515, RFC 9864).

The header names the author (`kid`); the payload names kind and subject. A message is accepted when the
signature is by a key registered for that author, the author may write the topic it came on, and kind and
subject fit that topic.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from contract.jws import ALGORITHM, BadJws, header_of, sign_compact, verified_payload
from contract.limits import PAYLOAD_BYTES_MAX
from contract.messages import (
    MESSAGE_ADAPTER,
    Acknowledged,
    Command,
    CommandReply,
    Desired,
    DispatcherPresence,
    FactBatch,
    Message,
    Presence,
    Reported,
    TimeReply,
    TimeRequest,
)
from contract.topics import (
    ACKNOWLEDGED,
    COMMANDS,
    DESIRED,
    DISPATCHER_PRESENCE,
    FACTS,
    PRESENCE,
    REPLIES,
    REPORTED,
    TIME,
    Author,
    ParsedTopic,
    TopicRule,
)

KID = re.compile(r"(agent|dispatcher)/[A-Za-z0-9_-]{1,64}")  # and nothing that is not worth a place in a log
SIGNED_BYTES_MAX = PAYLOAD_BYTES_MAX * 4 // 3 + 1024  # base64 of the payload, header and signature

KINDS_BY_CHANNEL: dict[str, dict[type[Any], Author]] = {
    PRESENCE.channel: {Presence: Author.AGENT},
    REPORTED.channel: {Reported: Author.AGENT},
    FACTS.channel: {FactBatch: Author.AGENT},
    DESIRED.channel: {Desired: Author.DISPATCHER},
    ACKNOWLEDGED.channel: {Acknowledged: Author.DISPATCHER},
    COMMANDS.channel: {Command: Author.DISPATCHER},
    REPLIES.channel: {CommandReply: Author.AGENT},
    TIME.channel: {TimeRequest: Author.AGENT, TimeReply: Author.DISPATCHER},
    DISPATCHER_PRESENCE.channel: {DispatcherPresence: Author.DISPATCHER},
}

RULE_BY_KIND: dict[type[Any], TopicRule] = {
    kind: rule
    for rule in (
        PRESENCE, REPORTED, FACTS, DESIRED, ACKNOWLEDGED, COMMANDS, REPLIES, TIME, DISPATCHER_PRESENCE,
    )
    for kind in KINDS_BY_CHANNEL[rule.channel]
}  # fmt: skip


class EnvelopeFault(StrEnum):
    """Why a message was not accepted: the label of the metric that counts it."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"  # no JWS, or its payload is no message
    UNKNOWN_KIND = "unknown_kind"  # a kind from a newer version
    UNKNOWN_AUTHOR = "unknown_author"
    BAD_SIGNATURE = "bad_signature"
    WRONG_TOPIC = "wrong_topic"  # kind, subject or author do not fit the topic it came on


class BadMessage(Exception):
    """A message that is not accepted. `detail` quotes no payload."""

    def __init__(self, fault: EnvelopeFault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """An author's public key."""

    author: Author
    subject: str
    """Cabinet id for an agent, dispatcher id for a dispatcher."""
    key: Ed25519PublicKey


class Signer:
    """Signs as one author. `kid` is `agent/<cabinet>` or `dispatcher/<id>`."""

    def __init__(self, author: Author, subject: str, private_key: Ed25519PrivateKey) -> None:
        self._header = {"alg": ALGORITHM, "kid": f"{author}/{subject}"}
        self._key = private_key
        self.author = author
        self.subject = subject

    def sign(self, message: Message) -> bytes:
        """The message as it goes on the wire."""
        payload = message.to_json().encode()
        return sign_compact(self._header, payload, self._key)


def verify(
    wire: bytes, topic: ParsedTopic, find_key: Callable[[str], VerifyKey | None]
) -> Message:  # one check after the other, each with its own fault
    """Check a signed message that came on `topic` and read it.

    Args:
        wire: the payload as received.
        topic: where it was received.
        find_key: the registered key for a `kid`, or None.

    Raises:
        BadMessage: with the fault to count.
    """
    if len(wire) > SIGNED_BYTES_MAX:
        raise BadMessage(EnvelopeFault.TOO_LARGE, f"{len(wire)} bytes, limit {SIGNED_BYTES_MAX}")
    kid = _author_of(wire)
    key = find_key(kid)
    if key is None:
        raise BadMessage(EnvelopeFault.UNKNOWN_AUTHOR, f"no key registered for {kid!r}")
    try:
        payload = verified_payload(wire, key.key)
    except BadJws as error:
        raise BadMessage(EnvelopeFault.BAD_SIGNATURE, f"by {kid!r}: {error}") from error
    message = _read(payload)
    _check_topic(message, key, topic)
    return message


def _author_of(wire: bytes) -> str:
    try:
        header = header_of(wire)
    except BadJws as error:
        raise BadMessage(EnvelopeFault.MALFORMED, "expected a JWS with alg, kid") from error
    # exactly these: an extension that is not understood must be refused (RFC 7515, section 4.1.11)
    if not isinstance(header, dict) or header.keys() != {"alg", "kid"}:
        raise BadMessage(EnvelopeFault.MALFORMED, "expected a JWS with alg, kid and nothing else")
    kid = header["kid"]
    if not isinstance(kid, str) or KID.fullmatch(kid) is None:
        raise BadMessage(EnvelopeFault.MALFORMED, "expected a kid such as agent/gare-1, of an author and its id")
    if header["alg"] != ALGORITHM:
        raise BadMessage(EnvelopeFault.BAD_SIGNATURE, f"expected alg {ALGORITHM}")
    return kid


def _read(payload: bytes) -> Message:
    try:
        message: Message = MESSAGE_ADAPTER.validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        if first["type"] == "union_tag_invalid":  # whose text quotes the kind as it came
            raise BadMessage(EnvelopeFault.UNKNOWN_KIND, "kind: none that this version knows") from error
        raise BadMessage(EnvelopeFault.MALFORMED, f"{where}: {first['msg']}"[:300]) from error
    return message


def _check_topic(message: Message, key: VerifyKey, topic: ParsedTopic) -> None:
    kinds = KINDS_BY_CHANNEL.get(topic.rule.channel, {})
    if type(message) not in kinds:
        raise BadMessage(EnvelopeFault.WRONG_TOPIC, f"{message.kind} on {topic.rule.channel}")
    if kinds[type(message)] is not key.author:
        raise BadMessage(EnvelopeFault.WRONG_TOPIC, f"{message.kind} signed by a {key.author}")
    subject = message.dispatcher if isinstance(message, DispatcherPresence) else message.cabinet
    if subject != topic.subject:
        raise BadMessage(EnvelopeFault.WRONG_TOPIC, f"{message.kind} of {subject} on {topic.subject}'s topic")
    if key.author is Author.AGENT and subject != key.subject:
        raise BadMessage(EnvelopeFault.WRONG_TOPIC, f"{message.kind} of {subject} signed by {key.subject}")


class BadKey(ValueError):
    """A key file or text that is no Ed25519 key."""


_PKCS8_ED25519 = bytes.fromhex(
    "302e020100300506032b657004220420"
)  # RFC 8410, section 7; the 32 bytes of the key follow
_USUAL_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----\n([A-Za-z0-9+/]{64})\n-----END PRIVATE KEY-----")


def private_key_from_pem(pem: bytes) -> Ed25519PrivateKey:
    """Read a PKCS #8 Ed25519 key, as `openssl genpkey -algorithm ed25519` writes it.

    Raises:
        BadKey: it is something else.
    """
    usual = _USUAL_PEM.fullmatch(pem.strip().replace(b"\r", b""))
    der = base64.b64decode(usual[1]) if usual is not None else b""
    if der.startswith(_PKCS8_ED25519):  # without a decoder for keys of every kind: 0.3 MiB of a box's 60
        return Ed25519PrivateKey.from_private_bytes(der[len(_PKCS8_ED25519) :])
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey("expected an unencrypted PEM private key (PKCS #8)") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"expected an Ed25519 key, found {type(key).__name__}")
    return key


def public_key_from_text(text: str) -> Ed25519PublicKey:
    """Read a public key: its 32 bytes as base64url without padding (43 characters).

    Raises:
        BadKey: it is something else.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, binascii.Error) as error:
        raise BadKey("expected an Ed25519 public key: 43 characters of base64url") from error


def public_key_text(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """The public half as base64url without padding."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return base64.urlsafe_b64encode(public.public_bytes_raw()).decode().rstrip("=")
