"""OSDP in words. Inside the secure channel a payload is ciphertext: code and sequence are all there is to say."""

from station_agent.drivers.annotation import Shown, masked, octets
from station_agent.drivers.osdp.framing import FRAME_BYTES_MAX, FRAME_BYTES_MIN, MARK, SOM, Frame, parse
from station_agent.drivers.osdp.messages import Command, Refusal, Reply

COMMANDS: dict[int, str] = {
    Command.POLL: "anything new?",
    Command.ID: "who are you?",
    Command.CAP: "what can you do?",
    Command.LSTAT: "tamper and power?",
    Command.LED: "light",
    Command.BUZ: "buzzer",
    Command.KEYSET: "a new key",
    Command.CHLNG: "secure channel: challenge",
    Command.SCRYPT: "secure channel: proof",
}
REPLIES: dict[int, str] = {
    Reply.ACK: "nothing new",
    Reply.NAK: "refused",
    Reply.PDID: "who it is",
    Reply.PDCAP: "what it can do",
    Reply.LSTATR: "tamper and power",
    Reply.RAW: "a card",
    Reply.KEYPAD: "keys",
    Reply.CCRYPT: "secure channel: answer to the challenge",
    Reply.RMAC_I: "secure channel: open",
    Reply.BUSY: "busy",
}
REFUSALS: dict[int, str] = {
    Refusal.BAD_CHECK: "bad check",
    Refusal.BAD_LENGTH: "bad length",
    Refusal.UNKNOWN_COMMAND: "knows no such command",
    Refusal.BAD_SEQUENCE: "wrong sequence number",
    Refusal.NO_SECURE_CHANNEL: "knows no such security",
    Refusal.SECURE_CHANNEL_NEEDED: "only inside the secure channel",
    Refusal.CANNOT_PROCESS: "cannot do that",
}
SECRET = {Reply.RAW, Reply.KEYPAD}
HEAD_BYTES = 5


class OsdpAnnotator:
    """One bus, both directions. Bytes that are no frame are counted, not shown: they may be a piece of a card."""

    def __init__(self) -> None:
        self._held = {True: b"", False: b""}
        self._noise = {True: 0, False: 0}

    def feed(self, data: bytes, *, sent: bool) -> list[Shown]:
        shown = []
        for start in range(0, len(data), FRAME_BYTES_MAX):
            self._held[sent] += data[start : start + FRAME_BYTES_MAX]
            shown += self._frames(sent=sent)
        return shown

    def _frames(self, *, sent: bool) -> list[Shown]:
        shown: list[Shown] = []
        while held := self._held[sent]:
            size = int.from_bytes(held[2:4], "little") if len(held) >= HEAD_BYTES else FRAME_BYTES_MIN
            may_be_frame = held[0] == SOM and FRAME_BYTES_MIN <= size <= FRAME_BYTES_MAX
            if may_be_frame and len(held) < size:
                break
            frame = parse(held[:size]) if may_be_frame else None
            if frame is None:
                self._noise[sent] += held[:1] != MARK
                self._held[sent] = held[1:]
                continue
            self._held[sent] = held[size:]
            shown += [*self._told_noise(sent=sent), Shown(_octets(held[:size], frame), _words(frame))]
        return shown

    def _told_noise(self, *, sent: bool) -> list[Shown]:
        count, self._noise[sent] = self._noise[sent], 0
        return [Shown("", f"{count} bytes that are no frame")] if count else []


def _octets(raw: bytes, frame: Frame) -> str:
    """Sealed payloads need no mask: whoever reads them has the reader's key already."""
    if frame.is_reply and frame.code in SECRET and not frame.mac:
        return masked(raw, len(frame.signed) - len(frame.payload), len(frame.signed))
    return octets(raw)


def _words(frame: Frame) -> str:
    words = (REPLIES if frame.is_reply else COMMANDS).get(frame.code, f"code {frame.code:02X}")
    if frame.is_reply and frame.code == Reply.NAK and frame.payload and not frame.mac:
        words = f"refused: {REFUSALS.get(frame.payload[0], 'for a reason unknown here')} ({frame.payload[0]})"
    return f"reader {frame.address}, {frame.sequence}: {words}{' (sealed)' if frame.mac else ''}"
