"""The station's core: `(now, event) -> effects`. No clock, no randomness, no I/O.

effects = station.handle(now, CardRead("entrance", 64, uid))
# [Journal((AccessGranted(...),), ...), ReleaseSlot(3), Indicate("entrance", TAKEN), Report()]
sleep_until(station.wake_at_line_ms)
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from contract.credentials import CredentialType, credential_digest, credential_text
from contract.facts import (
    AccessGranted,
    AccessRefused,
    AgentStarted,
    ClockTrustChanged,
    CommandDecided,
    EpochStarted,
    Fact,
    GrantCompleted,
    Purpose,
)
from contract.messages import SlotState as SlotReport
from contract.messages import VehicleState
from contract.reasons import Reason
from station_agent.core.access import Access, Complete, Decision, Open, Refuse
from station_agent.core.clock import ClockTrust, Source
from station_agent.core.commands import Commands
from station_agent.core.device_events import (
    CabinetLost,
    CabinetSeen,
    CardRead,
    KeypadPressed,
    LockPulsed,
    ReaderLost,
    ReaderSeen,
    ReaderSignal,
    VehicleTold,
)
from station_agent.core.devices import CABINET, Devices
from station_agent.core.handovers import Handovers
from station_agent.core.locks import Locks
from station_agent.core.model import (
    ClockRead,
    CommandArrived,
    DesiredArrived,
    DurabilityChanged,
    Effect,
    Elapsed,
    Event,
    Indicate,
    Journal,
    KeepDesired,
    Now,
    ReleaseSlot,
    Report,
    VehicleRead,
)
from station_agent.core.notebook import Notebook
from station_agent.core.picture import Picture, Release, SlotPicture
from station_agent.core.slots import SlotState, has_key, is_open
from station_agent.core.wanted import DesiredOutcome, Wanted

MARK_EVERY_MS = 300_000  # a step of so much may go unnoticed within a boot as well; disks of boxes wear out
WRITE_AGAIN_MS = 10_000  # what a full disk costs members is grave; a try costs a few milliseconds
USES_KEPT_MS = 2 * 86_400_000  # a grant leaves `desired` hours after its end; its use is kept well beyond

SIGNALS: dict[Reason, ReaderSignal] = {  # any other refusal needs somebody to talk to: call
    Reason.TOO_EARLY: ReaderSignal.WAIT,
    Reason.BUSY: ReaderSignal.WAIT,
    Reason.UNREADABLE_BADGE: ReaderSignal.AGAIN,
}


@dataclass(frozen=True, slots=True)
class StationSetup:
    """What a core is built for."""

    slots: tuple[int, ...]
    readers: tuple[tuple[str, Literal["badge", "return_tag"]], ...]
    badge_types: tuple[CredentialType, ...]
    tag_types: tuple[CredentialType, ...]
    digest_key: bytes


class Station:
    """One cabinet: decides, remembers, and says when it next wants to be called."""

    def __init__(
        self, setup: StationSetup, *, boot_nonce: str, picture: Picture, last_seq: int, clock: ClockTrust
    ) -> None:
        self._setup = setup
        self._boot_nonce = boot_nonce
        self._roles = dict(setup.readers)
        self._picture = picture
        picture.slots = {slot: picture.slots.get(slot, SlotPicture()) for slot in setup.slots}
        picture.releases = {slot: one for slot, one in picture.releases.items() if slot in picture.slots}
        self.wanted = Wanted(boot_nonce)
        self._notebook = Notebook(last_seq)
        self._handovers = Handovers(picture, self.wanted, self._notebook)
        self.devices = Devices((CABINET, *self._roles), self._notebook)
        self._locks = Locks(picture, self.devices, self._notebook)
        self.commands = Commands(picture, self.devices, self._notebook)
        self._saw_cabinet = False
        self.clock = clock
        clock.mark_ms = picture.clock_mark_ms
        self.clock_source: Source = "none"
        self._opened_unwritten: set[str] = set()
        """Grants that opened in this boot without a durable word of it."""
        self._write_again_ms: int | None = None
        self._written_line_ms = 0
        self._written_mark_ms = picture.clock_mark_ms
        self.refusals: dict[Reason, int] = dict.fromkeys(Reason, 0)
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
        moments = (self._locks.wake_at_line_ms, self.devices.wake_at_line_ms, self._write_again_ms)
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
        why: Literal["acknowledged_beyond_sent", "hash_conflict", "facts_forgotten"],
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
            self._handovers.doubt_identities()
        after_epoch, after_seq = after or (None, 0)
        self._notebook.note(now, EpochStarted, why=why, after_epoch=after_epoch, after_seq=after_seq)
        for fact in carried:
            self._notebook.repeat(fact)
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
                self._card_read(now, event)
            case CabinetSeen():
                self._saw_cabinet = True
                late = self.devices.online(now, CABINET)
                if self._handovers.cabinet_seen(now, event, late=late) or late:
                    self._notebook.then(Report())
            case LockPulsed():
                self._locks.pulsed(event)
            case Elapsed():
                self.devices.elapsed(now)
                self._locks.confirm(now)
                self._write_again(now)
            case DurabilityChanged(durable):
                self._durability_changed(now, durable=durable)
            case DesiredArrived():
                self._desired_arrived(now, event)
            case CommandArrived(command):
                self.commands.arrived(now, command, clock_trusted=self.clock_source != "none")
            case VehicleRead() | VehicleTold():
                self._handovers.vehicle_read(now, event)
            case CabinetLost(why):
                self.devices.lost(now, CABINET, why)
                self._notebook.then(Report())
            case ReaderLost(reader, why):
                self.devices.lost(now, reader, why)
                self._notebook.then(Report())
            case ReaderSeen():
                self.devices.online(now, event.reader, event)
                self._notebook.then(Report())
            case KeypadPressed() | ClockRead():
                pass  # no badge type asks for a PIN yet; the clock is judged at every event
            case _:
                assert_never(event)
        return self._close(now)

    def _close(self, now: Now) -> list[Effect]:
        self._picture.clock_mark_ms = self.clock.mark_ms
        effects = self._notebook.close(self._picture)
        if effects and isinstance(effects[0], Journal):
            self._written_line_ms, self._written_mark_ms = now.line_ms, self.clock.mark_ms
        return effects

    # --- people

    def _card_read(self, now: Now, card: CardRead) -> None:
        decision = self._decide(now, card)
        match decision:
            case Open():
                self._open(now, card.reader, decision)
            case Complete(grant, badge):
                self._picture.uses[grant].completed = True
                self._notebook.note(now, GrantCompleted, reader=card.reader, grant=grant, badge=badge)
                self._notebook.then(Indicate(card.reader, ReaderSignal.TAKEN))
            case Refuse(reason, grant, badge, key):
                self.refusals[reason] += 1
                self._notebook.note(
                    now, AccessRefused, reader=card.reader, reason=reason, grant=grant, badge=badge, key=key
                )
                self._notebook.then(Indicate(card.reader, SIGNALS.get(reason, ReaderSignal.CALL)))

    def _decide(self, now: Now, card: CardRead) -> Decision:
        role = self._roles[card.reader]
        types = self._setup.badge_types if role == "badge" else self._setup.tag_types
        texts = (credential_text(kind, card.bit_count, card.data) for kind in types)
        text = next((text for text in texts if text is not None), None)
        if text is None:
            return Refuse(Reason.UNREADABLE_BADGE if role == "badge" else Reason.FOREIGN_TAG)
        if not self.devices.is_online(CABINET):
            return Refuse(Reason.CABINET_SILENT)
        digest = credential_digest(self._setup.digest_key, text)
        spent = () if self.durable else self._opened_unwritten
        access = Access(self.wanted, self._picture, self.clock_source != "none", spent)
        return access.decide_badge(now.wall_ms, digest) if role == "badge" else access.decide_tag(digest)

    def _open(self, now: Now, reader: str, decision: Open) -> None:
        slot = self._picture.slots[decision.slot]
        already_open = is_open(slot.state)
        assert decision.purpose is Purpose.RETURN or decision.grant is not None, "a key's slot needs a right"
        assert decision.purpose is not Purpose.RETURN or not has_key(slot.state), "a return goes to an empty slot"
        digest = self.wanted.digest_of_badge.get(decision.badge) if decision.badge else None
        self._picture.releases[decision.slot] = Release(
            slot=decision.slot,
            purpose=decision.purpose,
            reader=reader,
            grant=decision.grant,
            badge=decision.badge,
            badge_digest=digest,
            key=decision.key,
            identity=decision.identity,
            opened=already_open,
            decided_line_ms=now.line_ms,
            pulsed_line_ms=now.line_ms,
            pulses=1,
        )
        if not self.durable and decision.grant is not None and decision.purpose is not Purpose.RETURN:
            self._opened_unwritten.add(decision.grant)
        self._notebook.note(
            now,
            AccessGranted,
            reader=reader,
            slot=decision.slot,
            purpose=decision.purpose,
            grant=decision.grant,
            badge=decision.badge,
            key=decision.key,
        )
        if not already_open:
            self._notebook.then(ReleaseSlot(decision.slot))
        elsewhere = decision.purpose is Purpose.RETURN and decision.slot != self._home(decision.key)
        self._notebook.then(Indicate(reader, ReaderSignal.ANOTHER_SLOT if elsewhere else ReaderSignal.TAKEN))

    def _home(self, key: str | None) -> int | None:
        return self.wanted.home_slot(key) if key is not None else None

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
            if isinstance(fact, AccessGranted) and fact.grant is not None and fact.purpose is not Purpose.RETURN:
                self._opened_unwritten.add(fact.grant)
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

    def vehicle_reports(self, now: Now) -> tuple[VehicleState, ...]:
        """Each vehicle's last signals, with their age."""
        readings = self._handovers.vehicle_readings(now)
        return tuple(VehicleState(vehicle=vehicle, reading=reading) for vehicle, reading in readings)

    def keys_out(self) -> int:
        """Keys of this cabinet that somebody has."""
        return len(self._picture.custody)
