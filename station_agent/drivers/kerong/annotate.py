"""KERONG frames in words."""

from station_agent.drivers.annotation import BusAnnotator
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


class KerongAnnotator(BusAnnotator):
    ANSWER = "reply"
    HELD_MAX = INPUT_MAX

    def first_answer(self, data: bytes) -> tuple[int, int] | None:
        replies = replies_in(data)
        return (replies[0].start, replies[0].end) if replies else None

    def request_words(self, frame: bytes) -> str:
        if len(frame) != REQUEST_SIZE or frame[-1] != checksum(frame[:-1]):
            return "no request of ours"
        board, lock, command = frame[1] >> 4, frame[1] & 0x0F, frame[2]
        words = {
            STATUS: "show the contacts",
            UNLOCK: f"unlock {lock + 1}",
            QUERY: "how long does a lock get current?",
        }
        return f"board {board}: {words.get(command, f'command {command:02X}')}"

    def answer_words(self, frame: bytes) -> str:
        board, reply = frame[1] >> 4, understood(frame)
        if not isinstance(reply, Status):
            return f"board {board}: answers the query"
        return f"board {board}: open: {_locks(~reply.hooks)}; something seen at: {_locks(reply.infrared)}"


def _locks(bits: int) -> str:
    return ", ".join(str(lock + 1) for lock in LOCKS if bits >> lock & 1) or "none"
