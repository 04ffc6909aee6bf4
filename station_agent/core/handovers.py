"""What a sight of the cabinet means: doors and keys that moved, for whom, under which right."""

from contract.facts import DoorClosed, DoorOpened, Identity, KeyReturned, KeyTaken, Purpose, ReleaseDropped
from station_agent.core.device_events import CabinetSeen
from station_agent.core.model import Now
from station_agent.core.notebook import Notebook
from station_agent.core.picture import Custody, GrantUse, Picture, Release, SlotPicture
from station_agent.core.slots import Movement, has_key, is_open, movements, slot_state
from station_agent.core.vehicles import Vehicles
from station_agent.core.wanted import Wanted

RETURN_MATCH_MS = 300_000  # a key hung elsewhere counts for a slot lit this long ago: a slow person with a bag


class Handovers:
    """Keeps the picture of slots, keys and who has them, from what the contacts show."""

    def __init__(self, picture: Picture, wanted: Wanted, vehicles: Vehicles, notebook: Notebook) -> None:
        self._picture = picture
        self._wanted = wanted
        self._vehicles = vehicles
        self._notebook = notebook

    def cabinet_seen(self, now: Now, event: CabinetSeen, *, late: bool) -> bool:
        """Compare what is seen with the picture, note the difference; True if anything moved."""
        moved = False
        for seen in event.slots:
            before = self._picture.slots.setdefault(seen.slot, SlotPicture())
            after = slot_state(seen.key_present, seen.door_open)
            if before.state is after:
                continue
            moved = True
            if seen.slot in self._picture.stuck and (
                seen.door_open or has_key(before.state) is not seen.key_present
            ):
                self._picture.stuck.remove(seen.slot)
            steps = movements(before.state, after)
            if not steps:
                self._notebook.remember()  # seen for the first time: what changes during a power cut shows then
            before.state = after
            for movement in steps:
                self._note(now, movement, seen.slot, late=late)
            self._settle(seen.slot, door_open=seen.door_open)
        if late:
            self._drop_releases_never_seen_open(now)
        self.presume_keys()
        return moved

    def _drop_releases_never_seen_open(self, now: Now) -> None:
        """A release decided before a reboot and not carried out is not carried out later by itself."""
        for slot, release in list(self._picture.releases.items()):
            if release.pulses or is_open(self._picture.slots[slot].state):
                continue
            del self._picture.releases[slot]
            self._notebook.note(
                now,
                ReleaseDropped,
                slot=slot,
                purpose=release.purpose,
                grant=release.grant,
                command=release.command,
                code=release.code,
            )

    def presume_keys(self) -> None:
        """A key hangs in a slot, nothing read it, and one key has its home there and is nowhere else: that one."""
        for number, slot in sorted(self._picture.slots.items()):
            if slot.key is not None or not has_key(slot.state):
                continue
            for key, entry in self._wanted.keys.items():
                at_home = entry.home_slot == number and key not in self._picture.custody
                if at_home and self._picture.slot_of(key) is None:
                    slot.key, slot.identity = key, Identity.PRESUMED
                    break

    def _note(self, now: Now, movement: Movement, slot: int, *, late: bool) -> None:
        release = self._picture.releases.get(slot)
        match movement:
            case Movement.DOOR_OPENED:
                if release is not None:
                    release.opened = True
                self._notebook.note(now, DoorOpened, slot=slot, released=release is not None, seen_late=late)
            case Movement.KEY_TAKEN:
                self._key_taken(now, slot, release, late=late)
            case Movement.KEY_RETURNED:
                self._key_returned(now, slot, release, late=late)
            case Movement.DOOR_CLOSED:
                self._notebook.note(now, DoorClosed, slot=slot, seen_late=late)

    def _settle(self, slot: int, *, door_open: bool) -> None:
        """Whatever moved in a slot shows that it had opened; shut again, its release is done with."""
        release = self._picture.releases.get(slot)
        if release is None:
            return
        release.opened = True
        if not door_open:
            del self._picture.releases[slot]

    def _key_taken(self, now: Now, slot: int, release: Release | None, *, late: bool) -> None:
        picture = self._picture.slots[slot]
        key, identity = picture.key, picture.identity
        picture.key, picture.identity = None, Identity.UNKNOWN
        grant = release.grant if release else None
        badge = release.badge if release else None
        if key is not None:
            self._picture.custody[key] = Custody(
                grant=grant,
                badge=badge,
                badge_digest=release.badge_digest if release else None,
                taken_ms=now.wall_ms,
                odometer_m=self._vehicles.odometer_m(key) if self._is_first_take(grant) else None,
            )
        if grant is not None:
            self._uses(now, grant, key, badge)
        self._notebook.note(
            now,
            KeyTaken,
            slot=slot,
            identity=identity,
            key=key,
            grant=grant,
            command=release.command if release else None,
            code=release.code if release else None,
            badge=badge,
            vehicle=self._vehicles.reading_of_key(now, key),
            seen_late=late,
        )
        self._vehicles.key_left(now, key)

    def _key_returned(self, now: Now, slot: int, release: Release | None, *, late: bool) -> None:
        lit = self._meant(now, release)
        picture = self._picture.slots[slot]
        key = lit.key if lit is not None else None
        identity = Identity.UNKNOWN
        if lit is not None and key is not None:
            identity = lit.identity if lit.purpose is Purpose.RETURN else Identity.PRESUMED
        custody = self._picture.custody.pop(key, None) if key is not None else None
        self._forget_where(key, but=lit)
        picture.key, picture.identity = key, identity
        handed_back = custody is not None and self._is_handed_back(now, key, custody)
        use = self._picture.uses.get(custody.grant or "") if custody is not None else None
        if use is not None:
            use.returned_ms, use.handed_back = (None, key) if handed_back else (now.wall_ms, None)
        at_home = self._vehicles.key_came(now, key)
        if lit is not None and custody is not None:  # taken out again before the door shuts: the same right
            lit.grant, lit.badge, lit.badge_digest = custody.grant, custody.badge, custody.badge_digest
        self._notebook.note(
            now,
            KeyReturned,
            slot=slot,
            identity=identity,
            key=key,
            grant=custody.grant if custody else None,
            badge=custody.badge if custody else None,
            lit_slot=lit.slot if lit is not None and lit.purpose is Purpose.RETURN else None,
            handed_back=True if handed_back else None,
            vehicle=self._vehicles.reading_of_key(now, key),
            at_home=at_home,
            seen_late=late,
        )
        if lit is not None and lit.slot != slot:
            self._lit_slot_not_used(lit, slot)

    # --- how far a right is used

    def _uses(self, now: Now, grant: str, key: str | None, badge: str | None) -> None:
        """A key was taken under a right: for the first time, again, or another one instead."""
        use = self._picture.uses.get(grant)
        if use is None or use.handed_back is not None:
            self._picture.uses[grant] = GrantUse(taken_ms=now.wall_ms, badge=badge, key=key)
        else:
            use.returned_ms, use.badge = None, badge

    def _is_first_take(self, grant: str | None) -> bool:
        if grant is None:
            return False
        use = self._picture.uses.get(grant)
        return use is None or use.handed_back is not None

    def _is_handed_back(self, now: Now, key: str | None, custody: Custody) -> bool:
        """Whether a key is back so soon, and after so short a way, that it was not used (domain.md, rule 2).

        Where the way is not known it may have been long, and what was told before the take says nothing of it. A
        retake is no first take, and a service order no use.
        """
        settings, grant = self._wanted.settings, self._wanted.grants.get(custody.grant or "")
        if custody.odometer_m is None or grant is None or grant.order != "booking":
            return False
        odometer_m = self._vehicles.odometer_m(key, since_ms=custody.taken_ms)
        if odometer_m is None or now.wall_ms - custody.taken_ms > settings.handed_back_within_s * 1000:
            return False
        return 0 <= odometer_m - custody.odometer_m < settings.handed_back_under_m

    # --- what a movement belongs to

    def _meant(self, now: Now, release: Release | None) -> Release | None:
        """Which release a key that came belongs to: this slot's if it was lit for a return, else one lit elsewhere.

        A slot that was opened for a take and left ajar says nothing about a key that comes while another
        slot is lit for a return; without one, the key that was taken there was put back.
        """
        if release is not None and release.purpose is Purpose.RETURN and release.key is not None:
            return release
        fresh = release is not None and now.line_ms - release.decided_line_ms <= RETURN_MATCH_MS
        return self._lit_elsewhere(now) or (release if fresh else None)

    def _lit_elsewhere(self, now: Now) -> Release | None:
        """The newest slot lit for a return whose key has not come: a key hung elsewhere is that one."""
        waiting = [
            release
            for release in self._picture.releases.values()
            if release.purpose is Purpose.RETURN
            and not has_key(self._picture.slots[release.slot].state)
            and release.key is not None
            and now.line_ms - release.decided_line_ms <= RETURN_MATCH_MS
        ]
        return max(waiting, key=lambda release: release.decided_line_ms, default=None)

    def _lit_slot_not_used(self, lit: Release, used: int) -> None:
        """The key came into another slot: the right to take it out again goes with it, the lit slot keeps none."""
        self._picture.releases[used] = lit.model_copy(
            update={"slot": used, "opened": True, "decided_line_ms": lit.decided_line_ms}
        )
        _no_longer_for_anybody(lit)

    def _forget_where(self, key: str | None, but: Release | None) -> None:
        """A key is in one place: where it was presumed to hang, something unknown hangs; no slot waits for it."""
        if key is None:
            return
        for slot in self._picture.slots.values():
            if slot.key == key:
                slot.key, slot.identity = None, Identity.UNKNOWN
        for release in self._picture.releases.values():
            if release.key == key and release is not but and release.purpose is Purpose.RETURN:
                _no_longer_for_anybody(release)


def _no_longer_for_anybody(release: Release) -> None:
    """The slot stays open until it is shut, and nothing that comes or goes there belongs to its release."""
    release.key = release.grant = release.badge = release.badge_digest = None
    release.identity = Identity.UNKNOWN
