"""The codec of one line with one Teltonika tracker that sends Codec 8 or Codec 8 Extended packets.

It only listens: nothing is asked, and every good packet is answered with the number of its records. The answer
lets the tracker forget them, so it leaves in the same `Output` as the events, never before them. What was not
acknowledged comes again, perhaps in another packet: a record that was told already is answered and not told.

Whose line it is says which vehicle speaks; a tracker's number is answered with yes and not looked at.
"""

from typing import Final

from station_agent.core.device_events import DeviceEvent, VehicleTold
from station_agent.drivers.base import FOREVER_US, LineStatistics, Output
from station_agent.drivers.teltonika.frames import FrameDecoder, Login, Message, Record
from station_agent.drivers.teltonika.signals import Family, reading_of
from station_agent.drivers.trackers import no_faults, parked_position

ACCEPTED: Final = b"\x01"
# A pause that ends a packet: on a `socket://` line a resent segment takes about 1 s, and trackers wait longer
# than this for an answer before they send again.
GAP_US: Final = 2_000_000
# Six of the longest packets: a tracker repeats the last one that was not acknowledged.
REMEMBERED_MAX: Final = 512
FIRST_TIME_MS: Final = 1_262_304_000_000  # 2010: an earlier clock has not seen a satellite since power-on

_NOTHING: Final = Output()


class TeltonikaReceiver:
    """Takes the packets of one vehicle's tracker (see `drivers.base.Codec`)."""

    def __init__(self, vehicle: str, family: Family = Family.FMB) -> None:
        self.statistics = LineStatistics()
        self.faults = no_faults()
        self.reports = 0
        """Records told."""
        self.repeats = 0
        """Records that came again, answered and not told."""
        self._vehicle = vehicle
        self._family = family
        self._decoder = FrameDecoder()
        self._told: dict[tuple[int, int, int], None] = {}  # keys of records, those that came longest ago first
        self._is_open = False
        self._expects_news = False
        self._silent_at_us: int | None = None

    @property
    def wake_at_us(self) -> int | None:
        return self._silent_at_us

    def opened(self, now_us: int) -> Output:
        """What was half received is forgotten; what was told is not: it may have lacked its acknowledgement."""
        self._is_open = True
        self._forget_begun()
        return _NOTHING

    def received(self, now_us: int, data: bytes) -> Output:
        if not self._is_open:
            return _NOTHING
        self._expects_news = False
        output = self._take(self._decoder.feed(data))
        self._silent_at_us = now_us + GAP_US if self._decoder.pending else None
        return output

    def elapsed(self, now_us: int) -> Output:
        if self._silent_at_us is None or now_us < self._silent_at_us:
            return _NOTHING
        self._silent_at_us = None
        return self._take(self._decoder.flush())

    def closed(self, now_us: int) -> Output:
        """A tracker's silence shows in the age of its reading: its line has no event of its own."""
        self._is_open = False
        self._forget_begun()
        return _NOTHING

    # ---- what a simulator leaves out: nothing, for nothing is ever asked

    def rest(self, now_us: int) -> int | None:
        return None if self._expects_news or self._silent_at_us is not None else FOREVER_US

    def expect_news(self) -> None:
        self._expects_news = True

    def resume(self, now_us: int) -> None:
        self.expect_news()

    # ---- packets

    def _take(self, messages: list[Message]) -> Output:
        self.statistics.garbled = self._decoder.garbled
        self.statistics.frames_received += len(messages)
        self.statistics.frames_sent += len(messages)
        answers: list[bytes] = []
        events: list[DeviceEvent] = []
        for message in messages:
            if isinstance(message, Login):
                answers.append(ACCEPTED)
                continue
            events.extend(self._told_by(record) for record in message.records if self._is_new(record))
            answers.append(len(message.records).to_bytes(4))
        return Output(b"".join(answers), tuple(events)) if answers else _NOTHING

    def _told_by(self, record: Record) -> VehicleTold:
        self.reports += 1
        reading = reading_of(self._family, record.values.get)
        position = parked_position(reading, self.faults, record.latitude, record.longitude)
        return VehicleTold(
            self._vehicle,
            reading,
            record.time_ms if record.time_ms >= FIRST_TIME_MS else None,
            position if record.satellites else None,  # without a fix a tracker may repeat its last one
        )

    def _is_new(self, record: Record) -> bool:
        is_repeat = record.key in self._told
        self._told.pop(record.key, None)
        self._told[record.key] = None
        if len(self._told) > REMEMBERED_MAX:
            del self._told[next(iter(self._told))]
        self.repeats += is_repeat
        return not is_repeat

    def _forget_begun(self) -> None:
        self._decoder.clear()
        self._silent_at_us = None
