"""A bus on which one person asks one reader: runs conversations, waits, and asks again."""

import asyncio
from typing import Final, TypeVar

from station_agent.drivers.osdp.framing import FRAME_BYTES_MAX, MARK, Frame, FrameDecoder, parse
from station_agent.drivers.osdp.link import ATTEMPTS
from station_agent.drivers.osdp.messages import Reply
from station_agent.drivers.osdp.pairing import Talk
from station_agent.drivers.osdp.panel import ADAPTER_US, BUSY_PAUSE_US, GAP_US, REPLY_US
from station_agent.serial_port import Port

CHARACTER_BITS: Final = 10
ANSWER_S: Final = (REPLY_US + ADAPTER_US) / 1e6  # for the first byte of an answer, after the command has gone out
REST_S: Final = (GAP_US + ADAPTER_US) / 1e6  # for each next one

T = TypeVar("T")


class OsdpLine:
    """The panel's end of an open port. Every call raises what the port raised when it was lost."""

    def __init__(self, port: Port, baud_rate: int) -> None:
        self.garbled = False
        """Something came that was no frame of anybody."""
        self._port = port
        self._character_s = CHARACTER_BITS / baud_rate
        self._came: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        port.start(self._came.put_nowait, self._came.put_nowait)

    async def hold(self, talk: Talk[T]) -> T:
        """Carries a conversation to its end, and answers what came of it."""
        command = next(talk)
        while True:
            reply = await self._ask(command)
            try:
                command = talk.send(reply)
            except StopIteration as ended:
                outcome: T = ended.value
                return outcome

    async def _ask(self, command: bytes) -> Frame | None:
        """The reply to a command, which is sent again while there is none; None: there is none at all."""
        asked = parse(command)
        assert asked is not None, "a command of our own"
        for _ in range(ATTEMPTS):
            reply = await self._once(command, asked)
            if reply is not None and reply.code == Reply.BUSY and not reply.security:
                await asyncio.sleep(BUSY_PAUSE_US / 1e6)
            elif reply is not None:
                return reply
        return None

    async def _once(self, command: bytes, asked: Frame) -> Frame | None:
        decoder = FrameDecoder()
        while not self._came.empty():
            await self._some(ANSWER_S)  # what came too late for the command before
        self._port.write(MARK + command)
        loop = asyncio.get_running_loop()
        wait_s = ANSWER_S + len(command) * self._character_s
        end_s = loop.time() + wait_s + FRAME_BYTES_MAX * self._character_s  # whoever never falls silent
        while loop.time() < end_s and (data := await self._some(wait_s)) is not None:
            for frame in decoder.feed(data):
                if _answers(frame, asked):
                    return frame
            wait_s = REST_S if decoder.pending else ANSWER_S
        found = next((frame for frame in decoder.flush() if _answers(frame, asked)), None)
        self.garbled |= decoder.taken_garbled() > 0
        return found

    async def _some(self, within_s: float) -> bytes | None:
        try:
            async with asyncio.timeout(within_s):
                came = await self._came.get()
        except TimeoutError:
            return None
        if isinstance(came, Exception):
            raise came
        return came


def _answers(frame: Frame, asked: Frame) -> bool:
    """A busy reader answers with sequence 0, and one that has lost the thread with any."""
    if not frame.is_reply or frame.address != asked.address:
        return False
    return frame.sequence == asked.sequence or (not frame.security and frame.code in {Reply.BUSY, Reply.NAK})
