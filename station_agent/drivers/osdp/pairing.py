"""Gives a reader in install mode its key: the only place that uses the public key SCBK-D, and no part of the agent.

A conversation is a generator: it yields the bytes of a command and is sent the reader's reply, or None where no
valid one came. It has no clock and no I/O; whoever runs it waits, repeats and filters (`onsite.pair_reader`).

    talk = Conversation(address, secrets.token_bytes)
    found = yield from talk.begin(SCBK_DEFAULT)      # Found.OPEN: it is in install mode
    taken = yield from talk.install(key)             # Taken.YES
    found = yield from Conversation(address, secrets.token_bytes).begin(key)

Source: IEC 60839-11-5, KEYSET; the same as libosdp's panel sends, which is tested against.
"""

from collections.abc import Callable, Generator
from enum import StrEnum
from hmac import compare_digest
from typing import TypeVar

from station_agent.drivers.osdp import framing, messages, secure
from station_agent.drivers.osdp.framing import Frame
from station_agent.drivers.osdp.messages import Command, Reply
from station_agent.drivers.osdp.secure import KEY_BYTES, SCBK_DEFAULT, SecureSession

T = TypeVar("T")
Talk = Generator[bytes, Frame | None, T]

_STANDARD_REPORT = b"\x00"  # what ID asks for
_SCBK = 1  # the kind of key that KEYSET brings; there is no other yet
_ANSWER_BYTES = 32  # CCRYPT: client id (8), random number (8), cryptogram (16)


class Found(StrEnum):
    """What became of an attempt to begin a session under some key."""

    OPEN = "open"
    SILENT = "no_answer"
    OTHER_KEY = "other_key"  # it answers, and proves no knowledge of this one
    REFUSED = "refused"  # it answers, and begins no such session


class Taken(StrEnum):
    """What became of a key that was sent."""

    YES = "yes"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # no answer, or none that is authentic: it may have it or not


class Conversation:
    """With one reader, from sequence 0 on."""

    def __init__(self, address: int, random_bytes: Callable[[int], bytes]) -> None:
        self.refusal: int | None = None
        """The first byte of the last NAK (`messages.Refusal`)."""
        self._address = address
        self._random_bytes = random_bytes
        self._sequence = 0
        self._session: SecureSession | None = None

    def begin(self, key: bytes) -> Talk[Found]:
        """Begins a session under a key. No proof of ours leaves for a reader that has not proved its own."""
        which = secure.KEY_IS_DEFAULT if key == SCBK_DEFAULT else secure.KEY_IS_OWN
        self._sequence, self._session = 0, None
        if (yield self._clear(Command.ID, _STANDARD_REPORT)) is None:
            return Found.SILENT
        rnd_a = self._random_bytes(secure.RANDOM_BYTES)
        answer = yield self._clear(Command.CHLNG, rnd_a, secure.handshake_block(secure.CHALLENGE, which))
        if answer is None or answer.code != Reply.CCRYPT or len(answer.payload) != _ANSWER_BYTES:
            return self._not_begun(answer)
        session = SecureSession(key, rnd_a, answer.payload[8:16])
        block = secure.handshake_block(secure.CHALLENGE_ANSWER, which)
        if answer.security != block or not compare_digest(session.reader_cryptogram, answer.payload[16:]):
            return Found.OTHER_KEY
        proof = secure.handshake_block(secure.PROOF, which)
        answer = yield self._clear(Command.SCRYPT, session.panel_cryptogram, proof)
        if answer is None or answer.code != Reply.RMAC_I or not compare_digest(session.first_mac, answer.payload):
            return self._not_begun(answer)
        self._session = session
        return Found.OPEN

    def status(self) -> Talk[tuple[bool, bool] | None]:
        """Tamper and power failure, inside the session; None: it does not tell."""
        code, payload = yield from self._sealed(Command.LSTAT)
        return messages.status_of(payload) if code == Reply.LSTATR else None

    def install(self, key: bytes) -> Talk[Taken]:
        """Sends the reader its key, inside the session."""
        assert len(key) == KEY_BYTES, "AES-128"
        assert key != SCBK_DEFAULT, "a reader's key is its own"
        code, payload = yield from self._sealed(Command.KEYSET, bytes((_SCBK, KEY_BYTES)) + key)
        if code == Reply.ACK:
            return Taken.YES
        if code == Reply.NAK:
            self.refusal = payload[0] if payload else None
            return Taken.REFUSED
        return Taken.UNKNOWN

    def _sealed(self, command: Command, payload: bytes = b"") -> Talk[tuple[int | None, bytes]]:
        """Code and payload of an authentic answer; None as the code: there was none."""
        assert self._session is not None, "begun before"
        sequence, self._sequence = self._sequence, self._sequence % 3 + 1
        answer = yield self._session.seal(self._address, sequence, command, payload)
        if answer is None or not answer.mac:
            self._note_refusal(answer)
            return None, b""
        opened = self._session.open(answer)
        return (None, b"") if opened is None else (answer.code, opened)

    def _clear(self, command: Command, payload: bytes, block: bytes = b"") -> bytes:
        frame = framing.encode(self._address, self._sequence, command, payload, block)
        self._sequence = self._sequence % 3 + 1
        return frame

    def _not_begun(self, answer: Frame | None) -> Found:
        self._note_refusal(answer)
        return Found.SILENT if answer is None else Found.REFUSED

    def _note_refusal(self, answer: Frame | None) -> None:
        if answer is not None and answer.code == Reply.NAK and answer.payload:
            self.refusal = answer.payload[0]
