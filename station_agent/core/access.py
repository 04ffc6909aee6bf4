"""Whether a badge or a tag opens a slot: the decision, and nothing else.

A slot that may hold a key opens only under a right. Opening an empty slot for a return needs none.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from contract.facts import Identity, Purpose
from contract.reasons import Reason
from station_agent.core.decisions import Decision, Open, Refuse
from station_agent.core.picture import Picture
from station_agent.core.rights import Rights
from station_agent.core.slots import SlotState, is_empty
from station_agent.core.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Access:
    """What decisions are made from."""

    wanted: Wanted
    picture: Picture
    clock_trusted: bool
    offline_ms: int
    """Since when the box has not heard its dispatcher."""
    lower_bound_ms: int = 0
    """The earliest that it can be, where the clock is not trusted; 0: that cannot be told."""
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
        return self._decide_take(now_ms, badge)

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

    # --- taking

    def _decide_take(self, now_ms: int, badge: str) -> Decision:
        if badge in self.wanted.revoked:
            return Refuse(Reason.REVOKED, badge=badge)
        rights = Rights(self.wanted, self.picture, self.spent)
        bound_ms = self.lower_bound_ms
        if not self.clock_trusted and (self.wanted.settings.uncertain_clock == "refuse" or not bound_ms):
            return Refuse(Reason.CLOCK_NOT_TRUSTED, badge=badge)
        if self.offline_ms > self.wanted.settings.max_offline_age_s * 1000:
            return Refuse(Reason.OFFLINE_TOO_LONG, badge=badge)
        decision = rights.best(now_ms, badge) if self.clock_trusted else rights.earliest(bound_ms, badge)
        if isinstance(decision, Refuse) and decision.reason is Reason.NO_BOOKING and badge in self.wanted.suspended:
            return replace(decision, reason=Reason.SUSPENDED)
        if self.clock_trusted:
            return decision
        return replace(decision, lower_bound_ms=bound_ms) if isinstance(decision, Open) else decision

    def _key_held_by(self, digest: str) -> tuple[str, str | None] | None:
        for key, custody in self.picture.custody.items():
            if custody.badge_digest == digest:
                return key, custody.badge
        return None

    def _right_to_another(self, now_ms: int, digest: str, key: str) -> Open | None:
        """Who has a key and now a right to another means that one: a return can be said with the fob's tag."""
        badge = self.wanted.badge_of_digest.get(digest)
        if badge is None or not self.clock_trusted:
            return None
        decision = self._decide_take(now_ms, badge)
        return decision if isinstance(decision, Open) and decision.key != key else None

    # --- bringing back

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
        """The key's home if free, else the lowest free slot.

        Shut ones first, for an open one may be a trap; one whose lock stuck comes last.
        """
        empty = [
            number
            for number, slot in sorted(self.picture.slots.items())
            if is_empty(slot.state) and slot.key is None and number not in self.picture.releases
        ]
        shut = [number for number in empty if self.picture.slots[number].state is SlotState.SHUT_EMPTY]
        home, stuck = self.wanted.home_slot(key), self.picture.stuck
        if home in shut and home not in stuck:
            return home
        return next((slot for slot in (*shut, *empty) if slot not in stuck), next(iter(shut or empty), None))
