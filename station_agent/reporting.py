"""What the agent says about itself: presence, and the whole observed state on every change."""

from dataclasses import dataclass
from importlib.metadata import version

from contract.limits import fit_reported
from contract.messages import Presence, Reported
from runtime.clocks import Clock, LineClock
from runtime.steps import Steps
from station_agent.core.model import Now
from station_agent.core.station import Station
from station_agent.journal import Journal
from station_agent.outgoing import Outgoing

VERSION = version("carshare-controller")
REPORT_EVERY_US = 600_000_000  # the contract: on change, at least every ten minutes
REPORT_GAP_US = 200_000  # changes within a blink are one report


@dataclass(frozen=True, slots=True)
class Boot:
    """Which life of this box speaks."""

    nonce: str
    at_ms: int


def presence(cabinet: str, boot: Boot, connection: int, *, online: bool) -> Presence:
    return Presence(
        cabinet=cabinet,
        online=online,
        boot_nonce=boot.nonce,
        boot_ms=boot.at_ms,
        connection=max(connection, 1),
        version=VERSION,
    )


class Reporter:
    """Publishes `reported`; a lost one is repeated by the next."""

    def __init__(
        self,
        boot: Boot,
        station: Station,
        journal: Journal,
        outgoing: Outgoing,
        clocks: tuple[Clock, LineClock],
        steps: Steps,
    ) -> None:
        self._boot = boot
        self._station = station
        self._journal = journal
        self._outgoing = outgoing
        self._clock, self._line_clock = clocks
        self._revision = 0
        self._wanted = False
        self._told_us = self._line_clock.now_us() - REPORT_GAP_US
        self._reporting = steps.step("report", self._report)
        self._reporting.soon()
        self.note()

    def note(self) -> None:
        """The core has come to rest and its facts are durable: this is a state that a number can be given to."""
        station = self._station
        self._slots, self._devices = station.slot_reports(), station.devices.states()
        self._place = (self._journal.epoch.epoch, self._journal.epoch.last_seq)
        self._desired = (station.wanted.version, station.wanted.high_water)

    def want(self) -> None:
        """Something changed."""
        self._wanted = True
        self._reporting.soon()

    async def _report(self) -> None:
        """Report when something changed, and when nothing did for long."""
        now_us = self._line_clock.now_us()
        due_us = self._told_us + (REPORT_GAP_US if self._wanted else REPORT_EVERY_US)
        if now_us >= due_us:
            self._wanted = False
            self._told_us = now_us
            if self._outgoing.link.connected and not await self._outgoing.post_or_leave(self.reported()):
                self._wanted = True  # what was not published is still to be told
            due_us = self._told_us + (REPORT_GAP_US if self._wanted else REPORT_EVERY_US)
        self._reporting.at_us(due_us)

    def reported(self) -> Reported:
        """The whole observed state, with the next revision."""
        self._revision += 1
        now = Now(self._clock.now_ms(), self._line_clock.now_us() // 1000)
        reported = Reported(
            cabinet=self._outgoing.cabinet,
            boot_nonce=self._boot.nonce,
            boot_ms=self._boot.at_ms,
            connection=max(self._outgoing.link.connection_count, 1),
            revision=self._revision,
            at_ms=now.wall_ms,
            epoch=self._place[0],
            seq=self._place[1],
            desired_version=self._desired[0],
            desired_high_water=self._desired[1],
            journal_depth=self._journal.depth,
            clock_trusted=self._station.clock_source != "none",
            slots=self._slots,
            devices=self._devices,
            vehicles=self._station.vehicle_reports(now),
        )
        return fit_reported(reported)
