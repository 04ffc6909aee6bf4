"""What must hold at every instant, and not only at the end: looked at as messages pass the broker."""

from sqlalchemy import bindparam, select

from contract.topics import ACKNOWLEDGED, REPORTED, parse_topic
from dispatcher.store.schema import cursors
from simulator.virtual.overheard import read_payload
from simulator.virtual.premises import NAMESPACE
from simulator.virtual.spells import HEARS_US, Touches
from simulator.virtual.world import VirtualWorld

_HELD = select(cursors.c.seq).where(
    cursors.c.cabinet_id == bindparam("cabinet"), cursors.c.epoch == bindparam("epoch")
)
MEMORY = frozenset({Touches.MEMORY})
FORGETS = MEMORY | {Touches.DISK}  # on a full disk a wanted state is kept in memory alone (docs/limits.md)
KEPT_MAX = 50  # one broken promise is enough; a thousand of the same tell no more


class Watch:
    """Looks at the dispatcher's database, as the world's disk, whenever it promises something."""

    def __init__(self, world: VirtualWorld) -> None:
        self.broken: list[tuple[str, str]] = []
        """Promise, and what broke it."""
        self._world = world
        self._held: dict[str, int] = {}
        self._boots: dict[str, dict[str, int]] = {}
        """By cabinet, the newest revision of each boot, in the order in which they were first heard."""
        world.overheard.listeners.append(self._hear)

    def _hear(self, topic: str, wire: bytes) -> None:
        parsed = parse_topic(topic, NAMESPACE)
        if parsed is None or len(self.broken) >= KEPT_MAX:
            return
        if parsed.rule is ACKNOWLEDGED:
            self._acknowledged(parsed.subject, wire)
        elif parsed.rule is REPORTED:
            self._reported(parsed.subject, wire)

    def _acknowledged(self, cabinet: str, wire: bytes) -> None:
        """Durable up to here: so it must be in the ledger when it is said."""
        told = read_payload(wire)
        row = self._world.database.read_now(
            lambda connection: connection.execute(_HELD, {"cabinet": cabinet, "epoch": told["epoch"]}).one_or_none()
        )
        held = 0 if row is None else row.seq
        now_us = self._world.stage.timers.now_us()
        if told["seq"] > held and not self._world.spells.near(cabinet, now_us, now_us, MEMORY):
            what = f"{cabinet} was told that facts up to {told['seq']} are durable, the ledger has {held}"
            self.broken.append(("no_fact_lost_or_doubled", what))

    def _reported(self, cabinet: str, wire: bytes) -> None:
        """A box never goes back to an older wanted state."""
        told = read_payload(wire)
        if not self._is_newer(cabinet, told["boot_nonce"], int(told["revision"])):
            return  # the broker has it late
        version = int(told["desired_version"])
        now_us = self._world.stage.timers.now_us()
        if any(spell.covers(cabinet, now_us - HEARS_US, now_us) for spell in self._world.spells.of("box_cloned")):
            return  # of two boxes of one name each has its own
        before = self._held.get(cabinet, 0)
        if version < before and not self._world.spells.near(cabinet, 0, now_us, FORGETS):
            what = f"{cabinet} held wanted state {before}, and went back to {version}"
            self.broken.append(("no_key_leaves_without_a_right", what))
        self._held[cabinet] = max(before, version)

    def _is_newer(self, cabinet: str, boot: str, revision: int) -> bool:
        boots = self._boots.setdefault(cabinet, {})
        is_newest_boot = boot not in boots or boot == next(reversed(boots))
        newer = is_newest_boot and revision > boots.get(boot, 0)
        boots[boot] = max(revision, boots.get(boot, 0))
        return newer
