"""Whether a badge or a tag opens a slot: the decision, and nothing else.

A refusal is a value with its reason. Opening an empty slot for a return needs no right; a slot that may
hold a key opens only under a grant.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from contract.facts import Identity, Purpose
from contract.messages import Grant
from contract.reasons import Reason
from station_agent.core.picture import GrantUse, Picture
from station_agent.core.slots import SlotState, has_key, is_empty
from station_agent.core.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Open:
    """Open this slot."""

    slot: int
    purpose: Purpose
    key: str | None
    identity: Identity
    grant: str | None = None
    badge: str | None = None


@dataclass(frozen=True, slots=True)
class Complete:
    """Nothing to open: the member says that the rental is over."""

    grant: str
    badge: str


@dataclass(frozen=True, slots=True)
class Refuse:
    reason: Reason
    grant: str | None = None
    badge: str | None = None
    key: str | None = None


Decision = Open | Complete | Refuse

_REFUSAL_RANK = (  # which reason tells the member most, where several of their grants are refused
    Reason.NOT_DURABLE,
    Reason.KEY_NOT_PRESENT,
    Reason.VEHICLE_BLOCKED,
    Reason.TOO_EARLY,
    Reason.NO_SHOW,
    Reason.COMPLETED,
    Reason.TOO_LATE,
)


@dataclass(frozen=True, slots=True)
class Access:
    """What decisions are made from."""

    wanted: Wanted
    picture: Picture
    clock_trusted: bool
    spent: Collection[str] = ()
    """Grants that open nothing now: they did once without a durable word of it."""

    def decide_badge(self, now_ms: int, digest: str) -> Decision:
        """A badge was shown at a badge reader."""
        held = self._key_held_by(digest)
        if held is not None:
            key, taker = held
            other = self._right_to_another(now_ms, digest, key)
            return other or self._open_empty(key, Identity.PRESUMED, taker)
        badge = self.wanted.badge_of_digest.get(digest)
        if badge is None:
            return Refuse(Reason.UNKNOWN_BADGE)
        if badge in self.wanted.revoked:
            return Refuse(Reason.REVOKED, badge=badge)
        if not self.clock_trusted:
            return Refuse(Reason.CLOCK_NOT_TRUSTED, badge=badge)
        return self._best(list(self._judged(now_ms, badge)), badge)

    def decide_tag(self, digest: str) -> Decision:
        """A fob's tag was shown at a return reader."""
        key = self.wanted.key_of_tag.get(digest)
        if key is None:
            return Refuse(Reason.FOREIGN_TAG)
        slot = self.picture.slot_of(key)
        if slot is not None and self.picture.slots[slot].identity is Identity.READ:
            return Refuse(Reason.KEY_NOT_OUT, key=key)
        custody = self.picture.custody.get(key)
        return self._open_empty(key, Identity.READ, custody.badge if custody else None)

    def _key_held_by(self, digest: str) -> tuple[str, str | None] | None:
        for key, custody in self.picture.custody.items():
            if custody.badge_digest == digest:
                return key, custody.badge
        return None

    def _right_to_another(self, now_ms: int, digest: str, key: str) -> Open | None:
        """Who has a key and now a right to another means that one: a return can be said with the fob's tag."""
        badge = self.wanted.badge_of_digest.get(digest)
        if badge is None or badge in self.wanted.revoked or not self.clock_trusted:
            return None
        decision = self._best(list(self._judged(now_ms, badge)), badge)
        return decision if isinstance(decision, Open) and decision.key != key else None

    def _open_empty(self, key: str, identity: Identity, badge: str | None) -> Decision:
        waiting = self._lit_for(key)
        if waiting is not None:
            return Refuse(Reason.BUSY, badge=badge, key=key)
        slot = self._slot_for_return(key)
        if slot is None:
            return Refuse(Reason.CABINET_FULL, badge=badge, key=key)
        custody = self.picture.custody.get(key)
        return Open(slot, Purpose.RETURN, key, identity, custody.grant if custody else None, badge)

    def _lit_for(self, key: str) -> int | None:
        """A slot that is open, or opening, for this very key: a tag read twice lights no second one."""
        for slot, release in self.picture.releases.items():
            if (
                release.purpose is Purpose.RETURN
                and release.key == key
                and is_empty(self.picture.slots[slot].state)
            ):
                return slot
        return None

    def _slot_for_return(self, key: str) -> int | None:
        """The key's home if free, else the lowest free slot; shut ones first, for an open one may be a trap."""
        empty = [
            number
            for number, slot in sorted(self.picture.slots.items())
            if is_empty(slot.state) and slot.key is None and number not in self.picture.releases
        ]
        shut = [number for number in empty if self.picture.slots[number].state is SlotState.SHUT_EMPTY]
        home = self.wanted.home_slot(key)
        return home if home in shut else next(iter(shut or empty), None)

    def _judged(self, now_ms: int, badge: str) -> Iterator[Decision]:
        """Earliest start first, but for bookings that another of its drivers has just brought back.

        Whoever comes then for a booking of their own means that one: it must not run under the name of the other.
        """
        for grant in sorted(self.wanted.grants_for(badge), key=lambda grant: self._is_anothers(grant, badge)):
            yield self._judge(now_ms, badge, grant)

    def _is_anothers(self, grant: Grant, badge: str) -> bool:
        use = self.picture.uses.get(grant.grant)
        return use is not None and use.badge not in {None, badge}

    def _judge(self, now_ms: int, badge: str, grant: Grant) -> Decision:
        use = self.picture.uses.get(grant.grant)
        reason = self._window_refusal(now_ms, grant, use)
        if reason is not None:
            return Refuse(reason, grant.grant, badge, grant.key)
        settings = self.wanted.settings
        returned_ms = use.returned_ms if use else None
        if returned_ms is not None and now_ms - returned_ms <= settings.second_tap_s * 1000:
            return Complete(grant.grant, badge)
        slot = self.picture.slot_of(grant.key)
        if slot is None or not has_key(self.picture.slots[slot].state):
            return Refuse(Reason.KEY_NOT_PRESENT, grant.grant, badge, grant.key)
        release = self.picture.releases.get(slot)
        if release is not None and (not release.opened or release.grant == grant.grant):
            return Refuse(Reason.BUSY, grant.grant, badge, grant.key)
        if grant.grant in self.spent:
            return Refuse(Reason.NOT_DURABLE, grant.grant, badge, grant.key)
        purpose = Purpose.TAKE if use is None else Purpose.RETAKE
        return Open(slot, purpose, grant.key, self.picture.slots[slot].identity, grant.grant, badge)

    def _window_refusal(self, now_ms: int, grant: Grant, use: GrantUse | None) -> Reason | None:
        settings = self.wanted.settings
        if grant.key in self.wanted.blocked:
            return Reason.VEHICLE_BLOCKED
        if use is not None and use.completed:
            return Reason.COMPLETED
        if now_ms >= grant.end_ms:
            return Reason.TOO_LATE
        if use is not None and use.returned_ms is not None:
            hold_over = now_ms >= use.returned_ms + settings.retake_hold_s * 1000
            return Reason.COMPLETED if hold_over else None
        if now_ms < grant.start_ms - settings.opening_allowance_s * 1000:
            return Reason.TOO_EARLY
        return Reason.NO_SHOW if use is None and now_ms > grant.take_by_ms else None

    @staticmethod
    def _best(judged: list[Decision], badge: str) -> Decision:
        """A right that opens wins, the one with the earliest start first; else the most telling refusal."""
        for decision in judged:
            if not isinstance(decision, Refuse):
                return decision
        refusals = [decision for decision in judged if isinstance(decision, Refuse)]
        for reason in (Reason.BUSY, *_REFUSAL_RANK):
            for refusal in refusals:
                if refusal.reason is reason:
                    return refusal
        return Refuse(Reason.NO_BOOKING, badge=badge)
