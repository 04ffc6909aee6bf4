"""What a badge's grants open now: windows, holds, blocks, and the key that may stand in for the booked one.

A grant that opens wins over any that does not; of refusals, the one that tells the member most.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from contract.facts import Purpose
from contract.messages import Grant
from contract.reasons import Reason
from station_agent.core.decisions import Complete, Decision, Open, Refuse
from station_agent.core.picture import GrantUse, Picture
from station_agent.core.slots import has_key
from station_agent.core.wanted import Wanted

UNCERTAIN_REACH_MS = 12 * 3_600_000  # beyond the earliest that it can be: a night without power and network

_REFUSAL_RANK = (  # which reason tells the member most, where several of their grants are refused
    Reason.BUSY,
    Reason.NOT_DURABLE,
    Reason.KEY_NOT_PRESENT,
    Reason.VEHICLE_BLOCKED,
    Reason.SUSPENDED,
    Reason.TOO_EARLY,
    Reason.NO_SHOW,
    Reason.COMPLETED,
    Reason.TOO_LATE,
)


@dataclass(frozen=True, slots=True)
class Rights:
    """What rights are judged from."""

    wanted: Wanted
    picture: Picture
    spent: Collection[str] = ()
    """Grants that open nothing now: they did once without a durable word of it."""

    def best(self, now_ms: int, badge: str) -> Decision:
        """By a clock that is trusted: earliest start first, but for what another driver has just brought back.

        Whoever comes then for a booking of their own means that one: it must not run under the name of the other.
        """
        grants = sorted(self.wanted.grants_for(badge), key=lambda grant: self._is_anothers(grant, badge))
        return _best(badge, (self._judge(now_ms, badge, grant) for grant in grants))

    def earliest(self, bound_ms: int, badge: str) -> Decision:
        """By a clock that nobody vouches for, when it is `bound_ms` or later: once for a grant, the key's next.

        A grant that was used before opens nothing: neither the hold nor what is left of its window can be told.
        """
        grants = self.wanted.grants_for(badge)
        return _best(badge, (self._judge_uncertain(bound_ms, badge, grant) for grant in grants))

    def _is_anothers(self, grant: Grant, badge: str) -> bool:
        use = self.picture.uses.get(grant.grant)
        return use is not None and use.badge not in {None, badge}

    # --- one grant

    def _judge(self, now_ms: int, badge: str, grant: Grant) -> Decision:
        use = self.picture.uses.get(grant.grant)
        reason = self._window_refusal(now_ms, badge, grant, use)
        if reason is not None:
            return Refuse(reason, grant.grant, badge, grant.key)
        if use is not None and self._says_done(now_ms, grant, use):
            return Complete(grant.grant, badge)
        key = grant.key if use is None or use.key is None else use.key
        decision = self._hand_out(grant, badge, key, Purpose.TAKE if _is_first(use) else Purpose.RETAKE)
        if isinstance(decision, Open) and key not in self._not_wanted(use):
            return decision
        stand_in = self._stand_in(now_ms, badge, grant) if _is_first(use) else None
        return stand_in or decision

    def _judge_uncertain(self, bound_ms: int, badge: str, grant: Grant) -> Decision:
        def refused() -> Decision:
            return Refuse(Reason.CLOCK_NOT_TRUSTED, grant.grant, badge, grant.key)

        may_run = bound_ms < grant.end_ms and grant.start_ms < bound_ms + UNCERTAIN_REACH_MS
        if grant.grant in self.picture.uses or not may_run or self._has_an_earlier(bound_ms, grant):
            return refused()
        reason = self._standing_refusal(badge, grant, first=True)
        if reason is not None:
            return Refuse(reason, grant.grant, badge, grant.key)
        return self._hand_out(grant, badge, grant.key, Purpose.TAKE)

    def _has_an_earlier(self, bound_ms: int, grant: Grant) -> bool:
        """Whether the key is somebody else's before, unless that right was used up."""
        return any(
            other.key == grant.key
            and (other.start_ms, other.grant) < (grant.start_ms, grant.grant)
            and other.end_ms > bound_ms
            and other.grant not in self.picture.uses
            for other in self.wanted.grants.values()
        )

    # --- whether it may be now

    def _window_refusal(self, now_ms: int, badge: str, grant: Grant, use: GrantUse | None) -> Reason | None:
        settings = self.wanted.settings
        standing = self._standing_refusal(badge, grant, first=_is_first(use))
        if standing is not None:
            return standing
        if use is not None and use.completed:
            return Reason.COMPLETED
        if now_ms >= grant.end_ms:
            return Reason.TOO_LATE
        if use is not None and use.returned_ms is not None and grant.order == "booking":
            hold_over = now_ms >= use.returned_ms + settings.retake_hold_s * 1000
            return Reason.COMPLETED if hold_over else None
        if now_ms < grant.start_ms - settings.opening_allowance_s * 1000:
            return Reason.TOO_EARLY
        return Reason.NO_SHOW if use is None and now_ms > grant.take_by_ms else None

    def _standing_refusal(self, badge: str, grant: Grant, *, first: bool) -> Reason | None:
        """A vehicle is blocked for bookings: a garage's order is why. Standing is asked at the first take."""
        if first and badge in self.wanted.suspended:
            return Reason.SUSPENDED
        stand_in = first and grant.stand_in
        blocked = grant.order == "booking" and grant.key in self.wanted.blocked
        return Reason.VEHICLE_BLOCKED if blocked and not stand_in else None

    def _says_done(self, now_ms: int, grant: Grant, use: GrantUse) -> bool:
        """A second tap right after the return; a service order goes on until its end."""
        if use.returned_ms is None or grant.order != "booking":
            return False
        return now_ms - use.returned_ms <= self.wanted.settings.second_tap_s * 1000

    # --- which key

    def _hand_out(self, grant: Grant, badge: str, key: str, purpose: Purpose) -> Decision:
        slot = self.picture.slot_of(key)
        blocked = grant.order == "booking" and key in self.wanted.blocked
        if blocked or slot is None or not has_key(self.picture.slots[slot].state):
            return Refuse(
                Reason.VEHICLE_BLOCKED if blocked else Reason.KEY_NOT_PRESENT, grant.grant, badge, grant.key
            )
        release = self.picture.releases.get(slot)
        if release is not None and (not release.opened or release.grant == grant.grant):
            return Refuse(Reason.BUSY, grant.grant, badge, grant.key)
        if grant.grant in self.spent:
            return Refuse(Reason.NOT_DURABLE, grant.grant, badge, grant.key)
        return Open(slot, purpose, key, self.picture.slots[slot].identity, grant.grant, badge)

    def _not_wanted(self, use: GrantUse | None) -> Collection[str]:
        """Keys that are handed out only where nothing else is there: behind a stuck lock, or just handed back."""
        stuck = {self.picture.slots[slot].key for slot in self.picture.stuck if slot in self.picture.slots}
        handed_back = {use.handed_back} if use is not None else set()
        return {key for key in stuck | handed_back if key is not None}

    def _stand_in(self, now_ms: int, badge: str, grant: Grant) -> Open | None:
        """Another key of the category that is there and that no other grant or block names within the window."""
        wanted = self.wanted
        if not grant.stand_in or grant.category is None:
            return None
        if wanted.complete_until_ms is None or wanted.complete_until_ms < grant.end_ms:
            return None  # somebody may have a right to that key of which this box was not told
        not_wanted = self._not_wanted(self.picture.uses.get(grant.grant))
        for key, entry in sorted(wanted.keys.items()):
            if key == grant.key or key in not_wanted or key in wanted.blocked or entry.category != grant.category:
                continue
            decision = self._hand_out(grant, badge, key, Purpose.TAKE)
            if isinstance(decision, Open) and not self._is_named(key, now_ms, grant):
                return decision
        return None

    def _is_named(self, key: str, now_ms: int, grant: Grant) -> bool:
        """Whether another's right to this key, as booked or as handed out, lies within the grant's window."""
        for other in self.wanted.grants.values():
            if other.grant == grant.grant or other.start_ms >= grant.end_ms or other.end_ms <= now_ms:
                continue
            use = self.picture.uses.get(other.grant)
            over = use is not None and use.completed
            if not over and key in {other.key, use.key if use is not None else None}:
                return True
        return False


def _is_first(use: GrantUse | None) -> bool:
    """Whether a key is still to be handed out for it: none was, or it was brought back unused."""
    return use is None or use.handed_back is not None


def _best(badge: str, judged: Iterator[Decision]) -> Decision:
    """A right that opens wins, the first of them; else the most telling refusal."""
    refusals = []
    for decision in judged:
        if not isinstance(decision, Refuse):
            return decision
        refusals.append(decision)
    for reason in _REFUSAL_RANK:
        for refusal in refusals:
            if refusal.reason is reason:
                return refusal
    return refusals[0] if refusals else Refuse(Reason.NO_BOOKING, badge=badge)
