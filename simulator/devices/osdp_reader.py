"""A badge reader on an RS-485 bus (an OSDP peripheral device), byte for byte and without I/O.

It answers what a panel sends and speaks only then. Framing and cryptography are the agent's own, since there
is one way to do them; the behaviour is written apart from the panel's, and both are tested against libosdp.
"""

from collections import deque
from collections.abc import Callable
from hmac import compare_digest
from struct import Struct

from simulator.devices.osdp_values import Beeps, Identity, KeyFault, Light
from station_agent.drivers.osdp import framing, secure
from station_agent.drivers.osdp.framing import REPLY_BIT, Frame, FrameDecoder
from station_agent.drivers.osdp.messages import Capability, Command, Refusal, Reply
from station_agent.drivers.osdp.secure import SecureSession

EVENTS_MAX = 4  # a reader holds the last few swipes and keys until it is polled; what comes then is refused
SESSION_IDLE_US = 8_000_000  # a reader gives up a panel that is silent for 8 s (OSDP's off-line time)
GAP_US = 20_000  # 20 ms without a character end a message (libosdp's protocol introduction)
SCBK_KIND = 1  # of the key that KEYSET brings
KEY_CODES = {"*": 0x7F, "#": 0x0D}  # as keypads send them (OSDP.Net, issue 37)

_LED = Struct("<BBBBBBBHBBBBB")
_BUZ = Struct("<BBBBB")
_PDID = Struct("<3sBBI3s")
_RAW = Struct("<BBH")
_CANCEL_TEMPORARY, _SET_TEMPORARY, _SET_PERMANENT = 1, 2, 1
_RAW_FORMAT = 0  # bits as they come
_CAPABILITIES = {
    Capability.CARD_FORMAT: (1, 0),
    Capability.LED: (4, 1),  # timed and coloured, one LED
    Capability.BUZZER: (2, 1),  # timed
    Capability.CHECK: (1, 0),  # CRC
    Capability.SECURE_CHANNEL: (1, 1),  # AES-128
}


class OsdpReader:
    """One reader with keypad, one LED and a buzzer.

    `secure_only`: out of the secure channel it says who it is and nothing else. `install_mode`: it has lost
    its key and takes the public one, as a reader fresh from the box does, until it is given a key.
    `session_idle_us` is for a harness that leaves out idle polls: None, and a session never ages.
    """

    def __init__(
        self,
        address: int,
        scbk: bytes,
        random_bytes: Callable[[int], bytes],
        *,
        identity: Identity | None = None,
        secure_only: bool = True,
        install_mode: bool = False,
        session_idle_us: int | None = SESSION_IDLE_US,
    ) -> None:
        self.address = address
        self.install_mode = install_mode
        self.identity = identity or Identity()
        self.mute = False
        """Hears nothing and says nothing; cards and keys are remembered as far as its memory goes."""
        self.has_other_key = False
        """Its key is another one than its panel has."""
        self.swipes_twice = False
        """Each card is read twice."""
        self.takes_public_key_too = False
        """Out of install mode, too, it opens under the public key for whoever asks for that."""
        self.key_fault: KeyFault | None = None
        """What happens at the next key."""
        self.on_key: Callable[[bytes], None] | None = None
        """Hears of a key that it was given: what a real one keeps in its memory."""
        self._scbk = scbk
        self._random_bytes = random_bytes
        self._secure_only = secure_only
        self._session_idle_us = session_idle_us
        self._tampered = False
        self._power_failed = False
        self._switch_on()
        self._commands: dict[int, Callable[[int, bytes], tuple[int, bytes]]] = {
            Command.POLL: self._poll,
            Command.ID: self._identify,
            Command.CAP: self._describe,
            Command.LSTAT: self._local_status,
            Command.LED: self._set_led,
            Command.BUZ: self._sound,
            Command.KEYSET: self._take_key,
        }

    def _switch_on(self) -> None:
        self.permanent_light = Light()
        self.temporary_light: Light | None = None
        self.buzzes: int = 0  # commands since power-on
        self.last_beeps: Beeps | None = None
        self._decoder = FrameDecoder()
        self._heard_us = 0
        self._events: deque[tuple[int, bytes]] = deque()
        self._status_told = True
        self._sequence: int | None = None  # None: waits for a panel to begin with 0
        self._last: tuple[Frame, bytes] | None = None  # the last command and its reply
        self._handshake: SecureSession | None = None
        self._session: SecureSession | None = None
        self._session_us = 0  # its last command

    # ---- what happens at the reader

    @property
    def in_session(self) -> bool:
        return self._session is not None

    def light(self, now_us: int) -> Light:
        temporary = self.temporary_light
        if temporary is not None and temporary.until_us is not None and now_us < temporary.until_us:
            return temporary
        return self.permanent_light

    def show_card(self, bit_count: int, data: bytes) -> bool:
        """A card is held to the reader; False: its memory is full and it ignores the card."""
        assert len(data) == (bit_count + 7) // 8
        payload = _RAW.pack(0, _RAW_FORMAT, bit_count) + data
        taken = self._remember(Reply.RAW, payload)
        if self.swipes_twice:
            self._remember(Reply.RAW, payload)
        return taken

    def press(self, keys: str) -> bool:
        codes = bytes(KEY_CODES.get(key, ord(key)) for key in keys)
        return self._remember(Reply.KEYPAD, bytes((0, len(codes))) + codes)

    def set_tamper(self, tampered: bool) -> None:
        self._status_told = self._status_told and tampered == self._tampered
        self._tampered = tampered

    def set_power_failed(self, power_failed: bool) -> None:
        self._status_told = self._status_told and power_failed == self._power_failed
        self._power_failed = power_failed

    def power_cycle(self) -> None:
        """Everything is forgotten but the key, the mode and the state of the contacts."""
        self._switch_on()

    def _remember(self, reply: Reply, payload: bytes) -> bool:
        if len(self._events) >= EVENTS_MAX:
            return False
        self._events.append((reply, payload))
        return True

    # ---- the line

    def receive(self, now_us: int, data: bytes) -> bytes:
        """Bytes from the bus; the answer is to be put on it now, whoever calls paces it."""
        if self.mute:
            return b""
        if now_us - self._heard_us > GAP_US:
            self._decoder.clear()
        self._heard_us = now_us
        return b"".join(
            self._answer(now_us, frame)
            for frame in self._decoder.feed(data)
            if frame.address == self.address and not frame.is_reply
        )

    def _answer(self, now_us: int, frame: Frame) -> bytes:
        if frame.sequence == 0:
            self._session = self._handshake = None
        elif self._last is not None and frame == self._last[0]:
            return self._last[1]  # a repeated command gets its reply again and does nothing
        elif self._sequence is None or frame.sequence != self._sequence % 3 + 1:
            return self._refuse(frame, Refusal.BAD_SEQUENCE)
        self._sequence = frame.sequence
        reply = self._reply_to(now_us, frame)
        if reply:  # none: its power failed meanwhile
            self._last = frame, reply
        return reply

    def _reply_to(self, now_us: int, frame: Frame) -> bytes:
        aged = self._session_idle_us is not None and now_us - self._session_us > self._session_idle_us
        if aged:
            self._session = None
        kind = frame.security[1] if frame.security else None
        if kind == secure.CHALLENGE and frame.code == Command.CHLNG:
            return self._answer_challenge(frame)
        if kind == secure.PROOF and frame.code == Command.SCRYPT:
            return self._answer_proof(now_us, frame)
        if frame.mac:
            return self._reply_sealed(now_us, frame)
        if self._session is not None or (self._secure_only and frame.code not in {Command.ID, Command.CAP}):
            return self._refuse(frame, Refusal.SECURE_CHANNEL_NEEDED)
        code, payload = self._execute(now_us, frame.code, frame.payload)
        return framing.encode(self.address | REPLY_BIT, frame.sequence, code, payload)

    def _refuse(self, frame: Frame, reason: Refusal) -> bytes:
        return framing.encode(self.address | REPLY_BIT, frame.sequence, Reply.NAK, bytes((reason,)))

    # ---- the secure channel

    def _answer_challenge(self, frame: Frame) -> bytes:
        self._session = None
        if len(frame.payload) != secure.RANDOM_BYTES:
            return self._refuse(frame, Refusal.BAD_LENGTH)
        # whichever key the panel asked for, a sound reader answers with the one it has, and says which it is
        asked_for_public = frame.security[2:] == bytes((secure.KEY_IS_DEFAULT,))
        is_public = self.install_mode or (self.takes_public_key_too and asked_for_public)
        key = secure.SCBK_DEFAULT if is_public else self._own_key()
        which = secure.KEY_IS_DEFAULT if is_public else secure.KEY_IS_OWN
        rnd_b = self._random_bytes(secure.RANDOM_BYTES)
        self._handshake = SecureSession(key, frame.payload, rnd_b)
        payload = self.identity.client_id + rnd_b + self._handshake.reader_cryptogram
        block = secure.handshake_block(secure.CHALLENGE_ANSWER, which)
        return framing.encode(self.address | REPLY_BIT, frame.sequence, Reply.CCRYPT, payload, block)

    def _own_key(self) -> bytes:
        return bytes(byte ^ 0xFF for byte in self._scbk) if self.has_other_key else self._scbk

    def _answer_proof(self, now_us: int, frame: Frame) -> bytes:
        session, self._handshake = self._handshake, None
        if session is None or not compare_digest(session.panel_cryptogram, frame.payload):
            return self._refuse(frame, Refusal.SECURE_CHANNEL_NEEDED)
        self._session = session
        self._session_us = now_us
        block = secure.handshake_block(secure.PROOF_ANSWER, secure.ACCEPTED)
        address = self.address | REPLY_BIT
        return framing.encode(address, frame.sequence, Reply.RMAC_I, session.first_mac, block)

    def _reply_sealed(self, now_us: int, frame: Frame) -> bytes:
        session = self._session
        payload = session.open(frame) if session is not None else None
        if session is None or payload is None:
            self._session = None
            return self._refuse(frame, Refusal.SECURE_CHANNEL_NEEDED)
        self._session_us = now_us
        code, answer = self._execute(now_us, frame.code, payload)
        if self._session is None:  # it lost its power over the command
            return b""
        return session.seal(self.address | REPLY_BIT, frame.sequence, code, answer)

    # ---- commands

    def _execute(self, now_us: int, code: int, payload: bytes) -> tuple[int, bytes]:
        command = self._commands.get(code)
        if command is None:
            return _nak(Refusal.UNKNOWN_COMMAND)
        return command(now_us, payload)

    def _poll(self, now_us: int, payload: bytes) -> tuple[int, bytes]:
        if not self._status_told:
            return self._local_status(now_us, payload)
        return self._events.popleft() if self._events else (Reply.ACK, b"")

    def _identify(self, now_us: int, payload: bytes) -> tuple[int, bytes]:
        it = self.identity
        return Reply.PDID, _PDID.pack(it.vendor, it.model, it.version, it.serial, it.firmware)

    def _describe(self, now_us: int, payload: bytes) -> tuple[int, bytes]:
        return Reply.PDCAP, b"".join(bytes((code, *level)) for code, level in _CAPABILITIES.items())

    def _local_status(self, now_us: int, payload: bytes) -> tuple[int, bytes]:
        self._status_told = True
        return Reply.LSTATR, bytes((self._tampered, self._power_failed))

    def _set_led(self, now_us: int, payload: bytes) -> tuple[int, bytes]:
        if not payload or len(payload) % _LED.size:
            return _nak(Refusal.BAD_LENGTH)
        for reader, lamp, change, on, off, lit, dark, timer, keep, on2, off2, lit2, dark2 in _LED.iter_unpack(
            payload
        ):
            if reader or lamp:
                return _nak(Refusal.CANNOT_PROCESS)
            if change == _SET_TEMPORARY:
                self.temporary_light = Light(lit, dark, on, off, now_us + timer * 100_000)
            elif change == _CANCEL_TEMPORARY:
                self.temporary_light = None
            if keep == _SET_PERMANENT:
                self.permanent_light = Light(lit2, dark2, on2, off2)
        return Reply.ACK, b""

    def _sound(self, now_us: int, payload: bytes) -> tuple[int, bytes]:
        if len(payload) != _BUZ.size:
            return _nak(Refusal.BAD_LENGTH)
        _, *beeps = _BUZ.unpack(payload)
        self.buzzes += 1
        self.last_beeps = Beeps(*beeps)
        return Reply.ACK, b""

    def _take_key(self, now_us: int, payload: bytes) -> tuple[int, bytes]:
        """Its own key from here on, and out of install mode; the session that brought it goes on."""
        kind_and_size, key = payload[:2], payload[2:]
        if kind_and_size != bytes((SCBK_KIND, secure.KEY_BYTES)) or len(key) != secure.KEY_BYTES:
            return _nak(Refusal.BAD_LENGTH)
        if self._session is None:
            return _nak(Refusal.SECURE_CHANNEL_NEEDED)
        if self.key_fault is KeyFault.REFUSED:
            return _nak(Refusal.UNKNOWN_COMMAND)
        if self.key_fault is not KeyFault.POWER_LOST_BEFORE:
            self._scbk, self.install_mode = key, False
            if self.on_key is not None:
                self.on_key(key)
        if self.key_fault is not None:
            self._switch_on()
        return Reply.ACK, b""


def _nak(reason: Refusal) -> tuple[int, bytes]:
    return Reply.NAK, bytes((reason,))
