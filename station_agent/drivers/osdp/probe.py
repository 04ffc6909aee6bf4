"""What to ask a silent OSDP bus: who a reader is, which any reader tells outside its secure channel."""

from collections.abc import Iterator

from station_agent.drivers.osdp.framing import MARK, FrameDecoder, encode
from station_agent.drivers.osdp.messages import Command
from station_agent.drivers.probing import Question, likeliest_first

BAUD_RATES = (9600, 38400, 115200, 19200, 57600)
ADDRESSES_TRIED = range(8)  # readers leave the factory as 0; who sets another takes a small number


class OsdpProber:
    noun = "reader"

    def questions(self, baud_rate: int, addresses: tuple[int, ...]) -> Iterator[Question]:
        return likeliest_first(_question, (baud_rate, addresses), BAUD_RATES, ADDRESSES_TRIED)


def _question(baud_rate: int, address: int) -> Question:
    def is_answer(data: bytes) -> bool:
        decoder = FrameDecoder()
        frames = decoder.feed(data) + decoder.flush()
        return any(frame.is_reply and frame.address == address for frame in frames)

    return Question(baud_rate, address, MARK + encode(address, 0, Command.ID, b"\x00"), is_answer)
