"""One reader as the panel sees it: from sequence 0 over the secure channel to its polls.

A command keeps its bytes until it is answered and is repeated with the same sequence number, which makes the
reader repeat its reply: a swipe in a reply that got lost comes again, and none is taken twice.
"""

from collections.abc import Callable
from hmac import compare_digest

from station_agent.core.device_events import (
    CardRead,
    DeviceEvent,
    KeypadPressed,
    ReaderLost,
    ReaderSeen,
    ReaderSignal,
)
from station_agent.drivers.base import FOREVER_US
from station_agent.drivers.osdp import framing, messages, secure
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.framing import Frame
from station_agent.drivers.osdp.messages import Capability, Command, Refusal, Reply
from station_agent.drivers.osdp.secure import SecureSession
from station_agent.drivers.osdp.signals import COMMANDS
from station_agent.drivers.osdp.states import STEPS, Answer, Phase, Why

ATTEMPTS = 4  # at one garbled reply in twenty, four in a row fail once in 160,000 exchanges (2 h of polls)
RECONNECT_US = 1_000_000  # with 0.25 s for a lost answer and 0.4 s of handshake at 9600 baud: back within 2 s
STATUS_EVERY_US = 10_000_000  # a reader may, but need not, tell a change by itself: tamper shows within 10 s
RESTFUL_POLLS = 2  # polls without news before a simulator may leave out the next ones
STALE_MAX = 32  # a reader holds a few events; one that has more than this never comes to rest

_STANDARD_REPORT = b"\x00"  # what ID and CAP ask for
_SESSION_IS_GONE = {Refusal.BAD_SEQUENCE, Refusal.NO_SECURE_CHANNEL, Refusal.SECURE_CHANNEL_NEEDED}
_OWN_KEY = secure.handshake_block(secure.CHALLENGE_ANSWER, secure.KEY_IS_OWN)
_ACCEPTED = secure.handshake_block(secure.PROOF_ANSWER, secure.ACCEPTED)
_SIGNAL_NEEDS = {Command.LED: Capability.LED, Command.BUZ: Capability.BUZZER}


class ReaderLink:
    """The session with one reader; `emit` takes what it says, `due_us` is when it wants the bus next."""

    def __init__(
        self,
        config: OsdpReaderConfig,
        random_bytes: Callable[[int], bytes],
        emit: Callable[[DeviceEvent], None],
    ) -> None:
        self.config = config
        self.phase = Phase.IDENTIFY
        self.due_us = 0
        self._random_bytes = random_bytes
        self._emit = emit
        self._poll_us = config.poll_ms * 1000
        self._reported: set[Why] = set()  # told since the reader was last online, so that a flapping one is quiet
        self._sequence = 0
        self._command = b""  # the bytes last sent
        self._attempts = 0
        self._rnd_a = b""
        self._session: SecureSession | None = None
        self._lacks: set[Command] = set()
        self._status = (False, False)
        self._status_due_us = 0
        self._stale = 0
        self._polled = False  # and asked for nothing else
        self._restful = 0  # polls without news in a row
        self._missed = False  # somebody tapped or typed while the reader was away
        self._signal: list[tuple[Command, bytes]] = []  # LED and buzzer of the latest signal, at most

    def indicate(self, signal: ReaderSignal) -> None:
        """The latest signal counts; one for a reader that is away is dropped: shown later it would lie."""
        if self.phase is Phase.ONLINE:
            self._signal = [(command, data) for command, data in COMMANDS[signal] if command not in self._lacks]
            self.due_us = 0
            self._restful = 0

    # ---- what a simulator leaves out

    @property
    def news_at_us(self) -> int:
        """Until then all there is to do is to poll, as the last polls that brought nothing, or to wait."""
        if self.phase is Phase.ONLINE and not self._signal and self._restful >= RESTFUL_POLLS:
            return FOREVER_US
        return self.due_us if self.phase is Phase.IDENTIFY else 0

    def expect_news(self) -> None:
        self._restful = 0

    def skip_polls(self, now_us: int) -> None:
        """The polls up to now were left out but for the last, which may not be over yet."""
        if self.phase is not Phase.ONLINE:
            return
        status_us = _at_or_after(self._status_due_us, self.due_us, self._poll_us)  # the poll that would ask for it
        self.due_us += max((now_us - self.due_us) // self._poll_us, 0) * self._poll_us
        if status_us < self.due_us:
            every_us = _at_or_after(STATUS_EVERY_US, 0, self._poll_us)
            self._status_due_us = _at_or_after(self.due_us, status_us, every_us)
        self._restful = 0

    # ---- commands

    def begin(self, now_us: int) -> bytes:
        """The next command."""
        step = STEPS[self.phase]
        command, payload = self._next_command(now_us)
        self._sequence = 0 if self.phase is Phase.IDENTIFY else self._sequence % 3 + 1
        self._attempts = 1
        self._polled = command is Command.POLL
        address = self.config.address
        if step.sealed:
            assert self._session is not None
            self._command = self._session.seal(address, self._sequence, command, payload)
        else:
            self._command = framing.encode(address, self._sequence, command, payload, step.block)
        polls = self.phase is Phase.ONLINE and not self._signal
        self.due_us = now_us + self._poll_us if polls else now_us
        return self._command

    def _next_command(self, now_us: int) -> tuple[Command, bytes]:
        command = STEPS[self.phase].command
        if self.phase is Phase.ONLINE:
            if self._signal:
                return self._signal.pop(0)
            if now_us >= self._status_due_us:
                self._status_due_us = now_us + STATUS_EVERY_US
                return Command.LSTAT, b""
        elif self.phase is Phase.CHALLENGE:
            self._rnd_a = self._random_bytes(secure.RANDOM_BYTES)
            return command, self._rnd_a
        elif self.phase is Phase.PROVE:
            assert self._session is not None
            return command, self._session.panel_cryptogram
        elif self.phase in {Phase.IDENTIFY, Phase.DESCRIBE}:
            return command, _STANDARD_REPORT
        return command, b""

    def again(self, now_us: int, why: Why) -> bytes | None:
        """No valid answer came: the same bytes once more, or None and the reader is lost."""
        seeking = self.phase is Phase.IDENTIFY and why is Why.NO_ANSWER  # silence costs the others on the bus
        if seeking or self._attempts >= ATTEMPTS:
            self.lose(now_us, why)
            return None
        self._attempts += 1
        return self._command

    def lose(self, now_us: int, why: Why) -> None:
        """The session is over. A reader that was online is sought again at once, any other after a pause."""
        self.due_us = now_us if self.phase is Phase.ONLINE else now_us + RECONNECT_US
        self.phase = Phase.IDENTIFY
        self._session = None
        self._signal = []
        self._restful = 0
        if why not in self._reported:
            self._reported.add(why)
            self._emit(ReaderLost(self.config.name, why))

    def restart(self, now_us: int) -> None:
        """The line was opened: nothing is known of what the reader heard last."""
        if self.phase is not Phase.IDENTIFY:
            self.lose(now_us, Why.LINE_CLOSED)
        self.due_us = now_us

    # ---- replies

    def take(self, now_us: int, frame: Frame) -> Answer:
        """A reply from this reader's address, while a command to it is unanswered."""
        if frame.code == Reply.BUSY and not frame.security:
            return Answer.BUSY  # comes in clear and with sequence 0, in a session too
        if frame.code == Reply.NAK and not frame.security:
            return self._take_refusal(now_us, frame)
        if frame.sequence != self._sequence:
            return Answer.STRAY
        if STEPS[self.phase].sealed:
            return self._take_sealed(now_us, frame)
        if frame.code != STEPS[self.phase].reply:
            return Answer.BAD
        if self.phase is Phase.CHALLENGE:
            return self._take_challenge_answer(now_us, frame)
        if self.phase is Phase.PROVE:
            return self._take_proof_answer(now_us, frame)
        return self._go_on()

    def _go_on(self) -> Answer:
        self.phase = STEPS[self.phase].after
        return Answer.DONE

    def _take_refusal(self, now_us: int, frame: Frame) -> Answer:
        """A NAK in clear. Forged, it does no more than a cut line does."""
        reason = frame.payload[0] if frame.payload else 0
        if STEPS[self.phase].sealed and reason in _SESSION_IS_GONE:  # whatever its number: the reader restarted
            self.lose(now_us, Why.SESSION_REFUSED)
            return Answer.LOST
        if frame.sequence != self._sequence:
            return Answer.STRAY
        if STEPS[self.phase].sealed or reason == Refusal.BAD_CHECK:
            return Answer.BAD
        self.lose(now_us, Why.NO_SECURE_CHANNEL if self.phase is Phase.CHALLENGE else Why.SESSION_REFUSED)
        return Answer.LOST

    def _take_challenge_answer(self, now_us: int, frame: Frame) -> Answer:
        """CCRYPT: client id (8 bytes), random number (8), cryptogram (16)."""
        if len(frame.payload) != 32:
            return Answer.BAD
        session = SecureSession(self.config.scbk, self._rnd_a, frame.payload[8:16])
        if frame.security != _OWN_KEY or not compare_digest(session.reader_cryptogram, frame.payload[16:]):
            self.lose(now_us, Why.REPLACED)
            return Answer.LOST
        self._session = session
        return self._go_on()

    def _take_proof_answer(self, now_us: int, frame: Frame) -> Answer:
        assert self._session is not None
        if frame.security != _ACCEPTED or not compare_digest(self._session.first_mac, frame.payload):
            self.lose(now_us, Why.SESSION_REFUSED)
            return Answer.LOST
        self._lacks = set()
        self._status = (False, False)
        self._stale = 0
        self._missed = False
        return self._go_on()

    def _take_sealed(self, now_us: int, frame: Frame) -> Answer:
        assert self._session is not None
        payload = self._session.open(frame) if frame.mac else None
        if payload is None:
            return Answer.BAD
        if self.phase is Phase.ONLINE:
            self._report(frame.code, payload)
            return Answer.DONE
        return self._prepare(now_us, frame.code, payload)

    def _prepare(self, now_us: int, code: int, payload: bytes) -> Answer:
        """An authentic reply before any event is believed."""
        if code == Reply.PDCAP:
            levels = messages.capabilities_of(payload)
            self._lacks = {command for command, need in _SIGNAL_NEEDS.items() if not levels.get(need)}
        elif code == Reply.LSTATR:
            self._status = messages.status_of(payload) or self._status
        elif code in {Reply.RAW, Reply.KEYPAD}:
            self._missed = True
        if self.phase is Phase.DRAIN and code != Reply.ACK:
            self._stale += 1
            if self._stale > STALE_MAX:
                self.lose(now_us, Why.SESSION_REFUSED)
                return Answer.LOST
        elif code in {STEPS[self.phase].reply, Reply.NAK}:  # a reader may know no LSTAT
            self._go_on()
            if self.phase is Phase.ONLINE:
                self._welcome(now_us)
        return Answer.DONE

    def _welcome(self, now_us: int) -> None:
        self.due_us = now_us + self._poll_us
        self._status_due_us = now_us + STATUS_EVERY_US
        self._reported.clear()
        self._emit(ReaderSeen(self.config.name, *self._status))
        if self._missed:
            self.indicate(ReaderSignal.AGAIN)  # whoever still stands there taps again

    def _report(self, code: int, payload: bytes) -> None:
        """An authentic reply while online."""
        name = self.config.name
        self._restful = self._restful + 1 if code == Reply.ACK and self._polled else 0
        if code == Reply.RAW and (card := messages.card_of(payload)):
            self._emit(CardRead(name, *card))
        elif code == Reply.KEYPAD and (keys := messages.keys_of(payload)):
            self._emit(KeypadPressed(name, keys))
        elif code == Reply.LSTATR and (status := messages.status_of(payload)) and status != self._status:
            self._status = status
            self._emit(ReaderSeen(name, *status))


def _at_or_after(earliest_us: int, first_us: int, every_us: int) -> int:
    """The first instant that is not before `earliest_us`, of those every so often from `first_us` on."""
    return first_us + max(-(-(earliest_us - first_us) // every_us), 0) * every_us
