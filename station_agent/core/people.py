"""Who stands at a reader: cards, PINs and release codes become decisions, and decisions are carried out.

    people.card_read(now, card); people.keypad_pressed(now, keys); people.elapsed(now)

Where a card asks for a PIN, the decision that a slot would open is made twice: when the card is shown, so that
nobody keys in a PIN in vain, and anew when the PIN is right, for the right may be gone by then.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import assert_never

from contract.credentials import CredentialType, credential_digest, credential_text
from contract.facts import AccessGranted, GrantCompleted, PinAsked, Purpose
from contract.reasons import Reason
from station_agent.core.access import Access
from station_agent.core.clock import ClockTrust
from station_agent.core.codes import ReleaseCodes
from station_agent.core.contact import Contact
from station_agent.core.decisions import Complete, Decision, Open, Refuse
from station_agent.core.device_events import CardRead, KeypadPressed, ReaderSignal
from station_agent.core.devices import CABINET, Devices
from station_agent.core.keypads import Keyed, Keypads
from station_agent.core.model import Indicate, Now, ReleaseSlot, Report
from station_agent.core.notebook import Notebook
from station_agent.core.picture import Picture, Release
from station_agent.core.pins import SLOW_MS, Pins
from station_agent.core.refusals import Refusals
from station_agent.core.setup import StationSetup
from station_agent.core.slots import has_key, is_open
from station_agent.core.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What people's affairs are decided from, kept by others."""

    picture: Picture
    wanted: Wanted
    clock: ClockTrust
    contact: Contact
    devices: Devices


@dataclass(frozen=True, slots=True)
class _Slow:
    """A whole entry that is answered later, because PINs are being guessed here."""

    keyed: Keyed
    at_line_ms: int


class People:
    """The readers' side of the core."""

    def __init__(self, setup: StationSetup, known: Knowledge, notebook: Notebook) -> None:
        self._setup = setup
        self._roles = dict(setup.readers)
        self._known = known
        self._picture = known.picture
        self._notebook = notebook
        self._keypads = Keypads()
        self._slow: dict[str, _Slow] = {}
        self._pins = Pins(known.picture, known.wanted, notebook, setup.digest_key)
        self._codes = ReleaseCodes(known.picture, setup.digest_key)
        self.refusals = Refusals(notebook)
        self._opened_unwritten: set[str] = set()
        """Grants that opened in this boot without a durable word of it."""

    @property
    def wake_at_line_ms(self) -> int | None:
        """When an entry is over, a slow answer is due, or repeated refusals are to be told."""
        moments = [self._keypads.wake_at_line_ms, self.refusals.wake_at_line_ms]
        moments += [slow.at_line_ms for slow in self._slow.values()]
        return min((moment for moment in moments if moment is not None), default=None)

    # --- what happens at a reader

    def card_read(self, now: Now, card: CardRead) -> None:
        """A badge at a badge reader, a fob's tag at a return reader."""
        self._abandon(now, card.reader)
        role = self._roles[card.reader]
        kind, digest = self._recognise(card)
        if kind is None:
            reason = Reason.UNREADABLE_BADGE if role == "badge" else Reason.FOREIGN_TAG
            self.refusals.refuse(now, card.reader, Refuse(reason))
            return
        if not self._known.devices.is_online(CABINET):
            self.refusals.refuse(now, card.reader, Refuse(Reason.CABINET_SILENT))
            return
        access = self._access(now)
        decision = access.decide_badge(now.wall_ms, digest) if role == "badge" else access.decide_tag(digest)
        if self._needs_pin(kind, decision):
            self._ask_for_pin(now, card.reader, digest, decision)
        else:
            self._carry_out(now, card.reader, decision)

    def keypad_pressed(self, now: Now, event: KeypadPressed) -> None:
        """Keys at a badge reader; a return reader has nothing to ask."""
        if self._roles[event.reader] != "badge" or event.reader in self._slow:
            return
        digits = self._known.wanted.settings.pin_digits
        for done in self._keypads.pressed(now, event.reader, event.keys, digits):
            if isinstance(done, str):
                self._no_pin(now, event.reader, done)
            elif done.digest is not None and self._pins.are_guessed(now):
                self._slow[event.reader] = _Slow(done, now.line_ms + SLOW_MS)
                self._notebook.then(Indicate(event.reader, ReaderSignal.WAIT))
                return  # what is keyed in meanwhile is nobody's
            else:
                self._keyed(now, done)

    def elapsed(self, now: Now) -> None:
        """The time asked for has come."""
        for reader, digest in self._keypads.expired(now):
            if digest is not None:
                self._no_pin(now, reader, digest)
        for reader, slow in list(self._slow.items()):
            if now.line_ms >= slow.at_line_ms:
                del self._slow[reader]
                self._keyed(now, slow.keyed)
        self.refusals.elapsed(now)

    def reader_lost(self, now: Now, reader: str) -> None:
        """Nobody can be told anything there any more."""
        self._abandon(now, reader)

    def wanted_changed(self) -> None:
        """What is remembered of badges that are wanted no more goes."""
        self._pins.forget_unknown()

    # --- cards and PINs

    def _abandon(self, now: Now, reader: str) -> None:
        """Whoever was about to key in a PIN there is not any more."""
        slow = self._slow.pop(reader, None)
        digest = slow.keyed.digest if slow is not None else self._keypads.give_up(reader)
        if digest is not None:
            self._no_pin(now, reader, digest)

    def _recognise(self, card: CardRead) -> tuple[CredentialType | None, str]:
        is_badge = self._roles[card.reader] == "badge"
        for kind in self._setup.badge_types if is_badge else self._setup.tag_types:
            text = credential_text(kind, card.bit_count, card.data)
            if text is not None:
                return kind, credential_digest(self._setup.digest_key, text)
        return None, ""

    @staticmethod
    def _needs_pin(kind: CredentialType, decision: Decision) -> bool:
        """A key is asked for with a number that anybody can copy, or by a clock that may lie; a return is free."""
        if not isinstance(decision, Open) or decision.purpose is Purpose.RETURN:
            return False
        return kind.pin == "required" or decision.lower_bound_ms is not None

    def _ask_for_pin(self, now: Now, reader: str, digest: str, decision: Decision) -> None:
        assert isinstance(decision, Open), "no other decision asks for one"
        assert decision.badge is not None, "who takes a key showed a badge"
        reason = None
        if not self._pins.has_one(decision.badge):
            certain = decision.lower_bound_ms is None
            reason = Reason.NO_PIN if certain else Reason.CLOCK_NOT_TRUSTED
        elif self._pins.is_blocked(now, decision.badge):
            reason = Reason.PIN_BLOCKED
        if reason is not None:
            refused = Refuse(reason, decision.grant, decision.badge, decision.key)
            self.refusals.refuse(now, reader, refused)
            return
        self.refusals.end(now, reader)
        self._notebook.note(now, PinAsked, reader=reader, badge=decision.badge, grant=decision.grant)
        self._keypads.expects_pin(now, reader, digest)
        self._notebook.then(Indicate(reader, ReaderSignal.PIN))

    def _no_pin(self, now: Now, reader: str, digest: str) -> None:
        badge = self._known.wanted.badge_of_digest.get(digest)
        self.refusals.refuse(now, reader, Refuse(Reason.PIN_REQUIRED, badge=badge))

    def _keyed(self, now: Now, keyed: Keyed) -> None:
        if not self._known.devices.is_online(CABINET):
            self.refusals.refuse(now, keyed.reader, Refuse(Reason.CABINET_SILENT))
        elif keyed.digest is None:
            self._code_keyed(now, keyed)
        else:
            self._pin_keyed(now, keyed.reader, keyed.digest, keyed.digits)

    def _pin_keyed(self, now: Now, reader: str, digest: str, pin: str) -> None:
        decision = self._access(now).decide_badge(now.wall_ms, digest)
        if not isinstance(decision, Complete):
            decision = replace(decision, with_pin=True)
        if not isinstance(decision, Open) or decision.badge is None or decision.purpose is Purpose.RETURN:
            self._carry_out(now, reader, decision)  # the right is gone meanwhile, or a key came back
            return
        refused = None
        if self._pins.is_blocked(now, decision.badge):
            refused = Reason.PIN_BLOCKED
        elif not self._pins.is_right(now, reader, decision.badge, digest, pin):
            refused = Reason.WRONG_PIN
        if refused is not None:
            decision = Refuse(refused, decision.grant, decision.badge, decision.key, with_pin=True)
        self._carry_out(now, reader, decision)

    def _code_keyed(self, now: Now, keyed: Keyed) -> None:
        bound_ms = None if self._clock_is_trusted else self._known.clock.lower_bound_ms(now)
        decision = self._codes.decide(now, keyed.digits, bound_ms)
        if isinstance(decision, Open) and not self._notebook.durable:
            decision = Refuse(Reason.NOT_DURABLE, key=decision.key)
        self._carry_out(now, keyed.reader, decision)

    # --- deciding and doing

    @property
    def _clock_is_trusted(self) -> bool:
        return self._known.clock.source != "none"

    def _access(self, now: Now) -> Access:
        trusted = self._clock_is_trusted
        spent: Collection[str] = () if self._notebook.durable else self._opened_unwritten
        return Access(
            self._known.wanted,
            self._picture,
            trusted,
            offline_ms=self._known.contact.silent_ms(now),
            lower_bound_ms=0 if trusted else self._known.clock.lower_bound_ms(now),
            spent=spent,
        )

    def _carry_out(self, now: Now, reader: str, decision: Decision) -> None:
        match decision:
            case Open():
                self.refusals.end(now, reader)
                self._open(now, reader, decision)
            case Complete(grant, badge):
                self.refusals.end(now, reader)
                self._picture.uses[grant].completed = True
                self._notebook.note(now, GrantCompleted, reader=reader, grant=grant, badge=badge)
                self._notebook.then(Indicate(reader, ReaderSignal.TAKEN))
            case Refuse():
                self.refusals.refuse(now, reader, decision)
            case _:
                assert_never(decision)

    def _open(self, now: Now, reader: str, decision: Open) -> None:
        slot = self._picture.slots[decision.slot]
        already_open = is_open(slot.state)
        by_right = decision.grant is not None or decision.code is not None
        assert decision.purpose is Purpose.RETURN or by_right, "a key's slot needs a right"
        assert decision.purpose is not Purpose.RETURN or not has_key(slot.state), "a return goes to an empty slot"
        self._picture.releases[decision.slot] = self._release(now, reader, decision, opened=already_open)
        if decision.code is not None:
            self._codes.used(decision.slot, decision.code)
        if not self._notebook.durable and decision.grant is not None and decision.purpose is not Purpose.RETURN:
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
            code=decision.code,
            with_pin=True if decision.with_pin else None,
            lower_bound_ms=decision.lower_bound_ms,
        )
        if not already_open:
            self._notebook.then(ReleaseSlot(decision.slot))
        lit = ReaderSignal.ANOTHER_SLOT if self._is_elsewhere(decision) else ReaderSignal.TAKEN
        self._notebook.then(Indicate(reader, lit))

    def _release(self, now: Now, reader: str, decision: Open, *, opened: bool) -> Release:
        wanted = self._known.wanted
        return Release(
            slot=decision.slot,
            purpose=decision.purpose,
            reader=reader,
            grant=decision.grant,
            code=decision.code,
            badge=decision.badge,
            badge_digest=wanted.digest_of_badge.get(decision.badge) if decision.badge else None,
            key=decision.key,
            identity=decision.identity,
            opened=opened,
            decided_line_ms=now.line_ms,
            pulsed_line_ms=now.line_ms,
            pulses=1,
        )

    def _is_elsewhere(self, decision: Open) -> bool:
        """Whether another slot is lit than the one that the member expects."""
        wanted = self._known.wanted
        if decision.purpose is Purpose.RETURN:
            return decision.slot != (wanted.home_slot(decision.key) if decision.key is not None else None)
        grant = wanted.grants.get(decision.grant or "")
        return grant is not None and decision.key != grant.key

    # --- the disk

    def not_durable(self, now: Now, granted: AccessGranted) -> bool:
        """The fact of an opened slot could not be written. False: it was by code, and is not opened after all."""
        if granted.code is not None:
            release = self._picture.releases.pop(granted.slot)
            assert release.code == granted.code, "the last decision, and no other"
            refused = Refuse(Reason.NOT_DURABLE, key=granted.key)
            self.refusals.refuse(now, granted.reader, refused)
            self._notebook.then(Report())
            return False
        if granted.grant is not None and granted.purpose is not Purpose.RETURN:
            self._opened_unwritten.add(granted.grant)
        return True
