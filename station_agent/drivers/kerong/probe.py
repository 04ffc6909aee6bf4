"""What to ask a silent KERONG bus: a board's contacts, which reading does not move."""

from collections.abc import Iterator

from station_agent.drivers.kerong.frames import BOARDS, read_status, replies_in
from station_agent.drivers.probing import Question, likeliest_first

BAUD_RATES = (19200, 9600, 38400, 57600, 115200)


class KerongProber:
    noun = "board"

    def questions(self, baud_rate: int, addresses: tuple[int, ...]) -> Iterator[Question]:
        return likeliest_first(_question, (baud_rate, addresses), BAUD_RATES, BOARDS)


def _question(baud_rate: int, board: int) -> Question:
    def is_answer(data: bytes) -> bool:
        return any(reply.board == board for reply in replies_in(data))

    return Question(baud_rate, board, read_status(board).frame, is_answer)
