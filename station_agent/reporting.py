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
HANDOVER_US = 3_000_000  # door, key, door: facts tell each at once, one report sums them up
UNHEARD_EVERY_US = 15_000_000  # until the dispatcher has heard of this boot: what it hears of it counts for nothing


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
        self._wanted_us: int | None = None
        """By when a change is to be reported; None: nothing has changed."""
        self._told_us = self._line_clock.now_us() - REPORT_GAP_US
        self._reporting = steps.step("report", self._report)
        self._reporting.soon()
        self.note()

    def note(self) -> None:
        """The core has come to rest and its facts are durable: this is a state that a number can be given to."""
        station = self._station
        self._slots, self._devices = station.slot_reports(), station.device_reports()
        self._place = (self._journal.epoch.epoch, self._journal.epoch.last_seq)
        self._desired = (station.wanted.version, station.wanted.high_water)

    def want(self, *, at_once: bool) -> None:
        """Something changed; not `at_once` where facts tell of it as well."""
        due_us = self._line_clock.now_us() + (0 if at_once else HANDOVER_US)
        self._wanted_us = due_us if self._wanted_us is None else min(due_us, self._wanted_us)
        self._reporting.soon()

    async def _report(self) -> None:
        """Report when something changed, and when nothing did for long."""
        now_us = self._line_clock.now_us()
        if now_us >= self._due_us():
            self._wanted_us = None
            self._told_us = now_us
            if self._outgoing.link.connected and not await self._publish():
                self._wanted_us = now_us  # what was not published is still to be told
        self._reporting.at_us(self._due_us())

    def _due_us(self) -> int:
        if self._wanted_us is not None:
            return max(self._wanted_us, self._told_us + REPORT_GAP_US)
        return self._told_us + (REPORT_EVERY_US if self._station.wanted.knows_this_boot else UNHEARD_EVERY_US)

    async def _publish(self) -> bool:
        """A report. Before it goes the presence, while nothing shows that the one of this boot has arrived.

        A broker may lose it with all that it retains, and a boot after a clock that was set back looks older than
        the one before it: its reports count for nothing until its presence is known.
        """
        if not self._station.wanted.knows_this_boot and not await self._outgoing.post_or_leave(self.online()):
            return False
        return await self._outgoing.post_or_leave(self.reported())

    def online(self) -> Presence:
        """That this boot is there, on the present connection."""
        return presence(self._outgoing.cabinet, self._boot, self._outgoing.link.connection_count, online=True)

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
