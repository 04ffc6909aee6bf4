"""The station's core: `(now, event) -> effects`. No clock, no randomness, no I/O.

effects = station.handle(now, CardRead("entrance", 64, uid))
# [Journal((AccessGranted(...),), ...), ReleaseSlot(3), Indicate("entrance", TAKEN), Report()]
sleep_until(station.wake_at_line_ms)
"""

from typing import Literal, assert_never

from contract.facts import (
    AccessGranted,
    AgentStarted,
    CabinetInput,
    ClockTrustChanged,
    CommandDecided,
    EpochStarted,
    Fact,
)
from contract.messages import DeviceState, VehicleState
from contract.messages import SlotState as SlotReport
from station_agent.core.clock import ClockTrust, Source
from station_agent.core.commands import Commands
from station_agent.core.contact import Contact
from station_agent.core.device_events import (
    CabinetLost,
    CabinetSeen,
    CardRead,
    KeypadPressed,
    LockPulsed,
    ReaderLost,
    ReaderSeen,
    VehicleTold,
)
from station_agent.core.devices import CABINET, Devices
from station_agent.core.handovers import Handovers
from station_agent.core.housing import Housing
from station_agent.core.locks import Locks
from station_agent.core.model import (
    ClockRead,
    CommandArrived,
    DesiredArrived,
    DurabilityChanged,
    Effect,
    Elapsed,
    Event,
    Journal,
    KeepDesired,
    Now,
    Report,
    VehicleRead,
)
from station_agent.core.notebook import Notebook
from station_agent.core.people import Knowledge, People
from station_agent.core.picture import Picture, SlotPicture
from station_agent.core.setup import StationSetup
from station_agent.core.slots import SlotState, has_key, is_open
from station_agent.core.vehicles import Vehicles
from station_agent.core.wanted import DesiredOutcome, Wanted

MARK_EVERY_MS = 300_000  # a step of so much may go unnoticed within a boot as well; disks of boxes wear out
WRITE_AGAIN_MS = 10_000  # what a full disk costs members is grave; a try costs a few milliseconds
USES_KEPT_MS = 2 * 86_400_000  # a grant leaves `desired` hours after its end; its use is kept well beyond


class Station:
    """One cabinet: decides, remembers, and says when it next wants to be called."""

    def __init__(
        self, setup: StationSetup, *, boot_nonce: str, picture: Picture, last_seq: int, clock: ClockTrust
    ) -> None:
        self._boot_nonce = boot_nonce
        self._picture = picture
        picture.slots = {slot: picture.slots.get(slot, SlotPicture()) for slot in setup.slots}
        picture.releases = {slot: one for slot, one in picture.releases.items() if slot in picture.slots}
        self.wanted = Wanted(boot_nonce)
        self._notebook = Notebook(last_seq)
        self.devices = Devices((CABINET, *(name for name, _ in setup.readers)), self._notebook)
        self._vehicles = Vehicles(picture, self.wanted, self.devices, self._notebook)
        self._handovers = Handovers(picture, self.wanted, self._vehicles, self._notebook)
        self._housing = Housing(picture, self._notebook)
        self._locks = Locks(picture, self.devices, self._notebook)
        self.commands = Commands(picture, self.devices, self._notebook)
        self._saw_cabinet = False
        self.clock = clock
        self._contact = Contact(picture, clock)
        known = Knowledge(picture, self.wanted, clock, self._contact, self.devices)
        self.people = People(setup, known, self._notebook)
        clock.mark_ms = picture.clock_mark_ms
        self.clock_source: Source = "none"
        self._write_again_ms: int | None = None
        self._written_line_ms = 0
        self._written_mark_ms = picture.clock_mark_ms
        self.desired_outcomes: dict[DesiredOutcome, int] = dict.fromkeys(DesiredOutcome, 0)

    @property
    def last_seq(self) -> int:
        """Number of the last fact noted in this epoch."""
        return self._notebook.last_seq

    @property
    def durable(self) -> bool:
        """Whether the last that was to be journalled is durable, as far as the core was told."""
        return self._notebook.durable

    def has_clock_news(self, now: Now) -> bool:
        """Whether `ClockRead` would change or write anything; after the shared clock was judged."""
        return self.clock.source != self.clock_source or self._mark_is_due(now)

    @property
    def wake_at_line_ms(self) -> int | None:
        """When `Elapsed` is wanted: a slot should have opened, a device been seen, a disk is tried again."""
        parts = (self._locks, self.devices, self.people, self._vehicles)
        moments = [self._write_again_ms, *(part.wake_at_line_ms for part in parts)]
        return min((moment for moment in moments if moment is not None), default=None)

    def start(self, now: Now, version: str) -> list[Effect]:
        """The first call of a boot."""
        if self.last_seq == 0:
            self._notebook.note(now, EpochStarted, why="new_journal")
        self._notebook.note(now, AgentStarted, boot_nonce=self._boot_nonce, version=version)
        self.devices.start(now)
        return self._close(now)

    def start_epoch(
        self,
        now: Now,
        why: Literal["acknowledged_beyond_sent", "hash_conflict", "facts_forgotten", "journal_damaged"],
        carried: tuple[Fact, ...],
        after: tuple[str, int] | None = None,
    ) -> list[Effect]:
        """Number anew from 1: the ledger and this box disagree about the past, or miss a part of it together.

        Args:
            now: the time of the first fact.
            why: what showed the disagreement.
            carried: facts that the ledger never took; they are told again under new numbers.
            after: the epoch that this one goes on from, and how many facts of that count.
        """
        self._notebook.last_seq = 0
        if why != "facts_forgotten":
            self._picture.doubt_identities()  # this memory is an older one than the ledger's
        after_epoch, after_seq = after or (None, 0)
        self._notebook.note(now, EpochStarted, why=why, after_epoch=after_epoch, after_seq=after_seq)
        for fact in carried:
            self._notebook.repeat(fact)
        self._vehicles.tell_again(now)
        return self._close(now)

    def epoch_not_started(self, last_seq: int) -> None:
        """The new epoch could not be written: the numbers of the old one go on."""
        self._notebook.last_seq = last_seq

    def restore_desired(self, arrived: DesiredArrived) -> None:
        """Hold again what was held before the reboot; its signature was checked anew."""
        self.wanted.take(arrived.desired, arrived.digest)
        self._handovers.presume_keys()

    def handle(self, now: Now, event: Event) -> list[Effect]:
        """One event in, its effects out, in the order in which they must happen.

        The clock is judged before anything is decided by it: a step counts from the first event after it.
        """
        self._judge_clock(now, event)
        match event:
            case CardRead():
                self.people.card_read(now, event)
            case KeypadPressed():
                self.people.keypad_pressed(now, event)
            case CabinetSeen() | CabinetLost() | ReaderSeen() | ReaderLost():
                self._device_told(now, event)
            case LockPulsed():
                self._locks.pulsed(event)
            case Elapsed():
                self._elapsed(now)
            case DurabilityChanged(durable):
                self._durability_changed(now, durable=durable)
            case DesiredArrived():
                self.centre_heard(now)
                self._desired_arrived(now, event)
            case CommandArrived(command):
                self.centre_heard(now)
                self.commands.arrived(now, command, clock_trusted=self.clock_source != "none")
            case VehicleRead() | VehicleTold():
                self._vehicles.read(now, event)
            case ClockRead():
                pass  # the clock is judged at every event
            case _:
                assert_never(event)
        return self._close(now)

    def _elapsed(self, now: Now) -> None:
        self.devices.elapsed(now)
        self._locks.confirm(now)
        self.people.elapsed(now)
        self._vehicles.elapsed(now)
        self._write_again(now)

    def _device_told(self, now: Now, event: CabinetSeen | CabinetLost | ReaderSeen | ReaderLost) -> None:
        match event:
            case CabinetSeen():
                self._saw_cabinet = True
                late = self.devices.online(now, CABINET)
                moved = self._handovers.cabinet_seen(now, event, late=late)
                changed = self._housing.seen(now, event, late=late)
                if not (moved or changed or late):
                    return
            case CabinetLost(why):
                self.devices.lost(now, CABINET, why)
            case ReaderLost(reader, why):
                self.people.reader_lost(now, reader)
                self.devices.lost(now, reader, why)
            case ReaderSeen(reader):
                self.devices.online(now, reader, event)
            case _:
                assert_never(event)
        self._notebook.then(Report())

    def centre_heard(self, now: Now) -> None:
        """The dispatcher said something that proves to be its own."""
        self._contact.heard(now)

    def silent_ms(self, now: Now) -> int:
        """Since when the dispatcher was not heard, across reboots."""
        return self._contact.silent_ms(now)

    def _close(self, now: Now) -> list[Effect]:
        self._picture.clock_mark_ms = self.clock.mark_ms
        effects = self._notebook.close(self._picture)
        if effects and isinstance(effects[0], Journal):
            self._written_line_ms, self._written_mark_ms = now.line_ms, self.clock.mark_ms
        return effects

    # --- the centre and the clock

    def _desired_arrived(self, now: Now, arrived: DesiredArrived) -> None:
        outcome = self.wanted.judge(arrived)
        self.desired_outcomes[outcome] += 1
        if outcome in {DesiredOutcome.REPEATED, DesiredOutcome.OLDER}:
            self._notebook.then(Report(at_once=True))  # who sends it does not know what is held: a report was lost
        if outcome is not DesiredOutcome.TAKEN:
            return
        self.wanted.take(arrived.desired, arrived.digest)
        self._handovers.presume_keys()
        self.people.wanted_changed()
        self._vehicles.wanted_changed(now)
        self._notebook.remember()  # when the dispatcher was heard, beside what it said
        for grant in [
            grant
            for grant, use in self._picture.uses.items()
            if grant not in self.wanted.grants and now.wall_ms - use.taken_ms > USES_KEPT_MS
        ]:
            del self._picture.uses[grant]
        self._notebook.then(KeepDesired(arrived.wire, arrived.desired.version, arrived.digest))
        self._notebook.then(Report(at_once=True))

    def _judge_clock(self, now: Now, event: Event) -> None:
        if isinstance(event, ClockRead):
            self.clock.kernel_says(synchronised=event.synchronised)
        source = self.clock.judge(now)
        if source != self.clock_source:
            self.clock_source = source
            self._notebook.clock_trusted = source != "none"
            self._notebook.note(now, ClockTrustChanged, source=source)
            self._notebook.then(Report())
        if isinstance(event, ClockRead) and self._mark_is_due(now):
            self._notebook.remember()  # every fact carries the mark along; without facts it is written now and then

    def _mark_is_due(self, now: Now) -> bool:
        moved = self.clock.mark_ms != self._written_mark_ms
        return moved and now.line_ms - self._written_line_ms >= MARK_EVERY_MS

    # --- the disk

    def _durability_changed(self, now: Now, *, durable: bool) -> None:
        if durable:
            self._write_again_ms = None
            self._notebook.written(now)
            return
        self._write_again_ms = now.line_ms + WRITE_AGAIN_MS
        facts, actions = self._notebook.take_back()
        for fact in facts:
            if isinstance(fact, CommandDecided) and fact.outcome == "completed":
                actions = [action for action in actions if isinstance(action, Report)]
                self.commands.not_durable(now, fact)
                continue
            if isinstance(fact, AccessGranted) and not self.people.not_durable(now, fact):
                actions = [action for action in actions if isinstance(action, Report)]
                continue
            self._notebook.repeat(fact)
        self._notebook.then(*actions)

    def _write_again(self, now: Now) -> None:
        if self._write_again_ms is not None and now.line_ms >= self._write_again_ms:
            self._write_again_ms = now.line_ms + WRITE_AGAIN_MS
            self._notebook.remember()

    # --- what others may see

    def slot_reports(self) -> tuple[SlotReport, ...]:
        """Every slot as observed; contacts are None until the cabinet was seen in this boot.

        What the journal remembers is no observation: it may be an old image, or have slept through a theft.
        """
        reports = []
        for number, slot in sorted(self._picture.slots.items()):
            known = self._saw_cabinet and slot.state is not SlotState.UNKNOWN
            reports.append(
                SlotReport(
                    slot=number,
                    key_present=has_key(slot.state) if known else None,
                    door_open=is_open(slot.state) if known else None,
                    key=slot.key if known else None,
                    identity=slot.identity.value if known and slot.key is not None else None,
                )
            )
        return tuple(reports)

    def device_reports(self) -> tuple[DeviceState, ...]:
        """The lock bus, with what the cabinet says of itself, and each reader."""
        tampered, mains_lost = (
            self._housing.is_active(which) for which in (CabinetInput.TAMPERED, CabinetInput.MAINS_LOST)
        )
        of_cabinet = {"tampered": tampered, "power_failed": mains_lost}
        return tuple(
            state.model_copy(update=of_cabinet) if state.device == CABINET else state
            for state in self.devices.states()
        )

    def vehicle_reports(self, now: Now) -> tuple[VehicleState, ...]:
        """Each vehicle's last signals with their age, and where it stands if it came home to another place."""
        readings = self._vehicles.readings(now)
        return tuple(
            VehicleState(vehicle=vehicle, reading=reading, position=self._vehicles.outside_bay(vehicle))
            for vehicle, reading in readings
        )

    def keys_out(self) -> int:
        """Keys of this cabinet that somebody has."""
        return len(self._picture.custody)
