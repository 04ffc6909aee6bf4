"""One Modbus bus with the locks and contacts of a cabinet, as a `Codec` (`station_agent/drivers/base.py`).

How it looks, releases and tells is every lock bus's (`station_agent/drivers/lock_bus.py`). Of Modbus are:
the fence, a read of one relay, whose answer has another function than that of the inputs or of a release;
refusals; and that the answer to a release equals its request, so that it may be the adapter's echo.
"""

from typing import Final

from station_agent.core.device_events import DeviceEvent, PulseResult
from station_agent.drivers.base import Output
from station_agent.drivers.lock_bus import SETTLED_US, LockBus, Meaning, Questions
from station_agent.drivers.modbus.contacts import Contacts
from station_agent.drivers.modbus.frames import (
    REFUSAL_SIZE,
    Answer,
    AnswerParser,
    BitsRead,
    CoilWritten,
    Request,
    pulse_coil,
    read_coils,
)
from station_agent.drivers.modbus.wiring import CabinetWiring

# exceptions that leave open whether the lock gets current: "accepted, takes long", "gateway heard nothing"
EXCEPTIONS_LEAVING_DOUBT: Final = frozenset({0x05, 0x0B})


class ModbusCabinet(LockBus[Request]):
    """Looks at the contacts of one cabinet and pulses its locks on order."""

    BOARD = "unit"

    def __init__(self, wiring: CabinetWiring) -> None:
        contacts = Contacts(wiring)
        questions = Questions(
            looks=contacts.reads,
            fences=tuple(read_coils(read.unit, 0, 1) for read in contacts.reads),
            releases={slot.slot: pulse_coil(*slot.lock, wiring.pulse_ms) for slot in wiring.slots},
        )
        self._answers = AnswerParser(local_echo=wiring.local_echo)
        super().__init__(wiring, contacts, questions, self._answers, REFUSAL_SIZE)
        self._local_echo = wiring.local_echo
        self._answers_proved = False  # a read was answered, so what comes back is not the adapter's echo

    def opened(self, now_us: int) -> Output:
        self._answers_proved = False
        return super().opened(now_us)

    def _hear(self, now_us: int, data: bytes, events: list[DeviceEvent]) -> None:
        answer = self._answers.feed(data)
        if answer is not None:
            self._answered(now_us, self._meaning(answer), events)
            if self._answers.surplus:
                self._take_unasked(now_us, self._answers.surplus)
        elif self._answers.byte_count >= REFUSAL_SIZE:
            self._deadline_us = min(self._deadline_us, now_us + SETTLED_US)

    def _meaning(self, answer: Answer) -> Meaning:
        if isinstance(answer, BitsRead):
            self._answers_proved = True
            return Meaning(bits=answer.bits)
        if isinstance(answer, CoilWritten):
            # it equals its request: on a line that never answered a read it may be the request
            return Meaning(result=PulseResult.CONFIRMED, is_proof=self._local_echo or self._answers_proved)
        in_doubt = answer.code in EXCEPTIONS_LEAVING_DOUBT
        return Meaning(
            refusal=f"refuses to show its inputs (exception {answer.code})",
            result=PulseResult.UNANSWERED if in_doubt else PulseResult.REFUSED,
        )
