"""The wanted state as the agent holds it: whether a new one is taken, and quick ways to look things up."""

from enum import StrEnum

from contract.messages import Desired, Grant, KeyEntry, StationSettings
from station_agent.core.model import DesiredArrived


class DesiredOutcome(StrEnum):
    """What became of a `desired` that arrived: the label of the metric that counts it."""

    TAKEN = "taken"
    REPEATED = "repeated"  # the version that is held
    CONFLICTING = "conflicting"  # the held version with other content: alarm
    OLDER = "older"
    NOT_FOR_THIS_BOOT = "not_for_this_boot"  # no high-water mark yet, and not the echo of this boot's nonce


class Wanted:
    """The held `desired`, indexed."""

    def __init__(self, boot_nonce: str) -> None:
        self._boot_nonce = boot_nonce
        self.version = 0
        self.high_water = 0
        self.knows_this_boot = False
        """Whether what is held was made for this very boot: the dispatcher has heard of it then."""
        self._digest = ""
        self.settings = StationSettings()
        self.keys: dict[str, KeyEntry] = {}
        self.home_keys: dict[str, tuple[str, ...]] = {}
        """Keys that live here, by vehicle."""
        self.grants: dict[str, Grant] = {}
        self.badge_of_digest: dict[str, str] = {}
        self.digest_of_badge: dict[str, str] = {}
        self.pin_of_badge: dict[str, str] = {}
        """Digests of PINs, by badge reference."""
        self.complete_until_ms: int | None = None
        self.revoked: frozenset[str] = frozenset()
        self.suspended: frozenset[str] = frozenset()
        self.blocked: frozenset[str] = frozenset()
        self.key_of_tag: dict[str, str] = {}
        self._grants_of_badge: dict[str, list[Grant]] = {}

    def judge(self, arrived: DesiredArrived) -> DesiredOutcome:
        """Whether to take what arrived. Versions never go back; a box without one wants its own nonce back."""
        version = arrived.desired.version
        if self.high_water == 0 and arrived.desired.boot_nonce != self._boot_nonce:
            return DesiredOutcome.NOT_FOR_THIS_BOOT
        if version < self.high_water:
            return DesiredOutcome.OLDER
        if version == self.high_water:
            return DesiredOutcome.REPEATED if arrived.digest == self._digest else DesiredOutcome.CONFLICTING
        return DesiredOutcome.TAKEN

    def take(self, desired: Desired, digest: str) -> None:
        """Hold this one from now on."""
        self.version = self.high_water = desired.version
        self.knows_this_boot = desired.boot_nonce == self._boot_nonce
        self._digest = digest
        self.settings = desired.settings
        self.keys = {entry.key: entry for entry in desired.keys}
        self.home_keys = {}
        for entry in desired.keys:
            if entry.home_slot is not None:
                self.home_keys[entry.vehicle] = (*self.home_keys.get(entry.vehicle, ()), entry.key)
        self.grants = {grant.grant: grant for grant in desired.grants}
        self.badge_of_digest = {entry.digest: entry.ref for entry in desired.badges}
        self.digest_of_badge = {entry.ref: entry.digest for entry in desired.badges}
        self.pin_of_badge = {entry.ref: entry.pin_digest for entry in desired.badges if entry.pin_digest}
        self.complete_until_ms = desired.complete_until_ms
        self.revoked = frozenset(desired.revoked)
        self.suspended = frozenset(desired.suspended)
        self.blocked = frozenset(desired.blocked)
        self.key_of_tag = {tag: entry.key for entry in desired.keys for tag in entry.tag_digests}
        pools = {pool.pool: pool.badges for pool in desired.pools}
        self._grants_of_badge = {}
        for grant in sorted(desired.grants, key=lambda grant: (grant.start_ms, grant.grant)):
            pooled = (badge for pool in grant.pools for badge in pools.get(pool, ()))
            for badge in dict.fromkeys((*grant.badges, *pooled)):
                self._grants_of_badge.setdefault(badge, []).append(grant)

    def grants_for(self, badge: str) -> list[Grant]:
        """The badge's grants, earliest start first."""
        return self._grants_of_badge.get(badge, [])

    def home_slot(self, key: str) -> int | None:
        entry = self.keys.get(key)
        return entry.home_slot if entry else None

    def vehicle_of(self, key: str | None) -> str | None:
        entry = self.keys.get(key) if key else None
        return entry.vehicle if entry else None
