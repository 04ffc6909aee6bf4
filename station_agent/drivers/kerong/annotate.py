"""KERONG frames in words."""

from station_agent.drivers.annotation import Shown, octets
from station_agent.drivers.kerong.frames import (
    INPUT_MAX,
    LOCKS,
    QUERY,
    REQUEST_SIZE,
    STATUS,
    UNLOCK,
    Status,
    checksum,
    replies_in,
    understood,
)


class KerongAnnotator:
    """One bus. What comes is held until it is a whole reply, or until the next request shows that it is none."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes, *, sent: bool) -> list[Shown]:
        if sent:
            return [*self._rest(), Shown(octets(data), _request_words(data))]
        self._held += data
        shown = []
        while replies := replies_in(self._held):
            first = replies[0]
            if first.start:
                shown.append(_noise(self._held[: first.start]))
            frame, self._held = self._held[first.start : first.end], self._held[first.end :]
            shown.append(Shown(octets(frame), f"board {first.board}: {_reply_words(frame)}"))
        return [*shown, *(self._rest() if len(self._held) > INPUT_MAX else ())]

    def _rest(self) -> list[Shown]:
        held, self._held = self._held, b""
        return [_noise(held)] if held else []


def _noise(data: bytes) -> Shown:
    return Shown(octets(data), f"{len(data)} bytes that are no reply")


def _request_words(frame: bytes) -> str:
    if len(frame) != REQUEST_SIZE or frame[-1] != checksum(frame[:-1]):
        return "no request of ours"
    board, lock, command = frame[1] >> 4, frame[1] & 0x0F, frame[2]
    words = {STATUS: "show the contacts", UNLOCK: f"unlock {lock + 1}", QUERY: "how long does a lock get current?"}
    return f"board {board}: {words.get(command, f'command {command:02X}')}"


def _reply_words(frame: bytes) -> str:
    reply = understood(frame)
    if not isinstance(reply, Status):
        return "answers the query"
    return f"open: {_locks(~reply.hooks)}; something seen at: {_locks(reply.infrared)}"


def _locks(bits: int) -> str:
    return ", ".join(str(lock + 1) for lock in LOCKS if bits >> lock & 1) or "none"
