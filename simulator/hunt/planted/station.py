"""Bugs of the station agent."""

from collections.abc import Callable
from typing import Any

from contract.envelope import _read
from contract.facts import Identity, Purpose
from simulator.hunt.planted.bug import Bug, Restore, both, replaced
from simulator.virtual.overheard import payload_bytes
from station_agent import messages_in
from station_agent.agent import Agent
from station_agent.core import model
from station_agent.core.access import Access
from station_agent.core.clock import ClockTrust
from station_agent.core.commands import Commands
from station_agent.core.decisions import Open
from station_agent.core.handovers import Handovers
from station_agent.core.people import People
from station_agent.core.picture import Picture
from station_agent.core.pins import Pins
from station_agent.core.rights import Rights
from station_agent.core.slots import has_key
from station_agent.core.uplink import Uplink
from station_agent.core.wanted import DesiredOutcome, Wanted
from station_agent.epochs import Epochs
from station_agent.journal import Journal
from station_agent.journal_database import JournalDatabase

EARLY_MS = 600_000  # the grace of a late return, taken for one before the start


def _window_off_by_the_grace() -> Restore:
    honest = Rights._window_refusal

    def refusal(self: Rights, now_ms: int, badge: str, grant: Any, use: Any) -> Any:
        return honest(self, min(now_ms + EARLY_MS, max(now_ms, grant.start_ms)), badge, grant, use)

    return replaced(Rights, "_window_refusal", refusal)


def _high_water_not_persisted() -> Restore:
    """After a reboot the first wanted state that comes is taken, whatever its version."""

    def restore(_self: Agent, station: Any, held: Any) -> None:
        station.wanted.high_water = 0

    honest = Wanted.judge

    def judge(self: Wanted, arrived: Any) -> DesiredOutcome:
        if self.high_water == 0:
            return DesiredOutcome.TAKEN
        return honest(self, arrived)

    return both(replaced(Agent, "_restore", restore), replaced(Wanted, "judge", judge))


def _release_before_journal() -> Restore:
    honest = Agent._carry_out

    async def carry_out(self: Agent, opened: Any, effects: list[model.Effect], cause: Any) -> None:
        locks_first = sorted(effects, key=lambda effect: not isinstance(effect, model.ReleaseSlot))
        await honest(self, opened, locks_first, cause)

    return replaced(Agent, "_carry_out", carry_out)


def _clock_trusted_too_early() -> Restore:
    def judge(self: ClockTrust, now: model.Now) -> str:
        self.source = "kernel"
        return self.source

    return replaced(ClockTrust, "judge", judge)


def _command_run_after_expiry() -> Restore:
    honest = Commands._refusal

    def refusal(self: Commands, now: model.Now, command: Any, *, clock_trusted: bool) -> Any:
        return honest(
            self, now, command.model_copy(update={"expires_ms": now.wall_ms + 1}), clock_trusted=clock_trusted
        )

    return replaced(Commands, "_refusal", refusal)


def _acknowledged_facts_deleted_at_once() -> Restore:
    honest = Journal.acknowledge

    def acknowledge(self: Journal, seq: int) -> None:
        honest(self, seq)
        self._database._connection.execute(
            "DELETE FROM facts WHERE epoch = ? AND seq < ?", (self.epoch.number, seq)
        )

    return replaced(Journal, "acknowledge", acknowledge)


def _epoch_reused() -> Restore:
    """A box that disagrees with the ledger about the past goes on under the same numbers."""

    async def start(_self: Epochs, _why: str, _common_seq: int) -> None:
        return

    return replaced(Epochs, "_start", start)


def _wrong_slot_return_lost() -> Restore:
    honest = Handovers._key_returned

    def returned(self: Handovers, now: model.Now, slot: int, release: Any, *, late: bool) -> None:
        lit = self._meant(now, release)
        if lit is not None and lit.purpose is Purpose.RETURN and lit.slot != slot:
            return
        honest(self, now, slot, release, late=late)

    return replaced(Handovers, "_key_returned", returned)


def _unknown_badge_let_in() -> Restore:
    """Better let a stranger in than leave a member in the rain."""
    honest = Access.decide_badge

    def decide(self: Access, now_ms: int, digest: str) -> Any:
        full = [number for number, slot in self.picture.slots.items() if has_key(slot.state) and slot.key]
        free = [number for number in full if number not in self.picture.releases]
        if digest in self.wanted.badge_of_digest or not free or not self.wanted.grants:
            return honest(self, now_ms, digest)
        slot = self.picture.slots[free[0]]
        return Open(free[0], Purpose.TAKE, slot.key, Identity.PRESUMED, next(iter(self.wanted.grants)))

    return replaced(Access, "decide_badge", decide)


def _pin_not_asked() -> Restore:
    """A card is a card."""
    return replaced(People, "_needs_pin", staticmethod(lambda _kind, _decision: False))


def _any_pin_will_do() -> Restore:
    return replaced(Pins, "is_right", lambda _self, _now, _reader, _badge, _digest, _pin: True)


def _signature_not_checked() -> Restore:
    def verify(wire: bytes, _topic: Any, _find: Callable[[str], Any]) -> Any:
        return _read(payload_bytes(wire))

    return replaced(messages_in, "verify", verify)


def _facts_not_resent() -> Restore:
    return replaced(Uplink, "wake_at_line_ms", property(lambda _self: None))


def _picture_forgotten() -> Restore:
    """After a reboot the box knows nothing of who has which key."""
    honest = Journal.picture

    def picture(self: Journal) -> str:
        known = Picture.model_validate_json(honest(self))
        known.custody.clear()
        return known.model_dump_json()

    return replaced(Journal, "picture", picture)


def _disk_not_synced() -> Restore:
    honest = JournalDatabase._prepare

    def prepare(self: JournalDatabase, *arguments: Any, **named: Any) -> Any:
        prepared = honest(self, *arguments, **named)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        return prepared

    return replaced(JournalDatabase, "_prepare", prepare)


def _returned_key_not_known() -> Restore:
    """A key that came back is thought to be out still: nobody gets it any more."""
    honest = Handovers._key_returned

    def returned(self: Handovers, now: model.Now, slot: int, release: Any, *, late: bool) -> None:
        honest(self, now, slot, release, late=late)
        self._picture.slots[slot].key = None

    return replaced(Handovers, "_key_returned", returned)


STATION_BUGS = (
    Bug("window_off_by_the_grace", "a booking opens ten minutes too early", _window_off_by_the_grace),
    Bug("high_water_not_persisted", "a reboot forgets the newest wanted state", _high_water_not_persisted),
    Bug("release_before_journal", "the lock moves before its decision is durable", _release_before_journal),
    Bug("clock_trusted_too_early", "nobody has to vouch for the box's clock", _clock_trusted_too_early),
    Bug("command_run_after_expiry", "an order is carried out however late it comes", _command_run_after_expiry),
    Bug(
        "acknowledged_facts_deleted",
        "what was acknowledged is deleted at once",
        _acknowledged_facts_deleted_at_once,
    ),
    Bug("epoch_reused", "a box goes on under numbers that mean something else", _epoch_reused),
    Bug(
        "wrong_slot_return_lost",
        "a key hung into another slot than the lit one is not told",
        _wrong_slot_return_lost,
    ),
    Bug("unknown_badge_let_in", "a badge that nobody knows opens a slot", _unknown_badge_let_in),
    Bug("pin_not_asked", "a card that only identifies opens without its PIN", _pin_not_asked),
    Bug("any_pin_will_do", "a PIN is asked for and not compared", _any_pin_will_do),
    Bug("signature_not_checked", "the box believes whoever reaches the broker", _signature_not_checked),
    Bug("facts_not_resent", "a fact is sent once", _facts_not_resent),
    Bug("picture_forgotten", "a reboot forgets who has which key", _picture_forgotten),
    Bug("disk_not_synced", "a commit returns before it is on the disk", _disk_not_synced),
    Bug("returned_key_not_known", "a key that is back is not known to be there", _returned_key_not_known),
)
