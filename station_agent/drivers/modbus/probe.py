"""What to ask a silent Modbus bus: a board's first relay, which reading does not move."""

from collections.abc import Iterator

from station_agent.drivers.modbus.frames import EXCEPTION_BIT, READ_COILS, REFUSAL_SIZE, crc16, read_coils
from station_agent.drivers.probing import Question, likeliest_first

BAUD_RATES = (9600, 19200, 38400, 115200, 4800, 57600)
UNITS_TRIED = range(1, 17)  # boards leave the factory as 1; who sets another takes a small number
ANSWER_SIZE = 6


class ModbusProber:
    noun = "unit"

    def questions(self, baud_rate: int, addresses: tuple[int, ...]) -> Iterator[Question]:
        return likeliest_first(_question, (baud_rate, addresses), BAUD_RATES, UNITS_TRIED)


def _question(baud_rate: int, unit: int) -> Question:
    def is_answer(data: bytes) -> bool:
        """Our own request, handed back by an adapter, is none: its size differs from both."""
        for start in range(len(data)):
            if data[start : start + 2] == bytes((unit, READ_COILS)) and data[start + 2 : start + 3] == b"\x01":
                frame = data[start : start + ANSWER_SIZE]
                if len(frame) == ANSWER_SIZE and not crc16(frame):
                    return True
            elif data[start : start + 2] == bytes((unit, READ_COILS | EXCEPTION_BIT)):
                frame = data[start : start + REFUSAL_SIZE]
                if len(frame) == REFUSAL_SIZE and not crc16(frame):
                    return True
        return False

    return Question(baud_rate, unit, read_coils(unit, 0, 1).frame, is_answer)
