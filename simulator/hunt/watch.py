"""What must hold at every instant, and not only at the end: looked at as messages pass, and now and then."""

from functools import partial

from sqlalchemy import bindparam, select

from contract.topics import ACKNOWLEDGED, REPORTED, parse_topic
from dispatcher.store.schema import cabinet_links, cursors, desired_states
from simulator.virtual.overheard import read_payload
from simulator.virtual.premises import NAMESPACE
from simulator.virtual.spells import HEARING, HEARS_US, Touches
from simulator.virtual.timers import SECOND_US
from simulator.virtual.world import VirtualWorld
from station_agent.drivers.modbus.frames import PULSE_BASE, WRITE_COIL

_LINKS = (
    select(
        cabinet_links.c.cabinet_id,
        cabinet_links.c.online,
        cabinet_links.c.desired_version_held,
        desired_states.c.version,
    )
    .join(desired_states, desired_states.c.cabinet_id == cabinet_links.c.cabinet_id)
    .order_by(cabinet_links.c.cabinet_id)
)
_HELD = select(cursors.c.seq).where(
    cursors.c.cabinet_id == bindparam("cabinet"), cursors.c.epoch == bindparam("epoch")
)
_DECISION = (
    "SELECT hash FROM facts WHERE json_extract(text, '$.slot') = {slot} "
    "AND json_extract(text, '$.kind') IN ('access_granted', 'command_decided') "
    "ORDER BY epoch DESC, seq DESC LIMIT 1"
)
MEMORY = frozenset({Touches.MEMORY})
FORGETS = MEMORY | {Touches.DISK}  # on a full disk a wanted state is kept in memory alone (docs/limits.md)
LOOK_US = 20 * SECOND_US  # what is wrong for less heals before anybody acts on it
DISK = frozenset({Touches.DISK})
DISK_ECHO_US = 30 * SECOND_US  # what a full disk left to the emergency journal is taken in some seconds later
TRIED_AGAIN_US = 15 * SECOND_US  # a release is given up 8 s after its decision
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
        self._carried_out: dict[tuple[str, int], tuple[str, int]] = {}
        """By cabinet and slot, the decision that was carried out last, and when first."""
        world.overheard.listeners.append(self._hear)
        for cabinet, site in world.sites.items():
            site.locks.on_sent = partial(self._sent_to_locks, cabinet)
        self._look_again()

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

    def _sent_to_locks(self, cabinet: str, frame: bytes) -> None:
        """A lock is told to open: the decision is on the disk, and is not one that was carried out long ago."""
        if frame[1] != WRITE_COIL or frame[2] != PULSE_BASE >> 8 or len(self.broken) >= KEPT_MAX:
            return
        slot, now_us = frame[3] + 1, self._world.stage.timers.now_us()
        found = self._world.boxes[cabinet].disk.read(_DECISION.format(slot=slot))
        decision = found[0][0] if found else ""
        before, since_us = self._carried_out.get((cabinet, slot), ("", now_us))
        if decision != before:
            self._carried_out[cabinet, slot] = decision, now_us
            return
        is_known = decision != "" and now_us - since_us <= TRIED_AGAIN_US
        if not is_known and not self._world.spells.near(cabinet, now_us, now_us, DISK, echo_us=DISK_ECHO_US):
            what = f"{cabinet} slot {slot}: its lock is told to open, and no decision of that is on the disk"
            self.broken.append(("no_key_leaves_without_a_right", what))

    def _look_again(self) -> None:
        timers = self._world.stage.timers
        timers.call_at(timers.now_us() + LOOK_US, self._look)

    def _look(self) -> None:
        """Of a box that is connected and could be heard for long, what the database says of its link is so."""
        if len(self.broken) < KEPT_MAX:
            for row in self._world.database.read_now(lambda connection: connection.execute(_LINKS).all()):
                self._compare(row.cabinet_id, online=row.online, held=row.desired_version_held, told=row.version)
        self._look_again()

    def _compare(self, cabinet: str, *, online: bool, held: int | None, told: int) -> None:
        box, now_us = self._world.boxes[cabinet], self._world.stage.timers.now_us()
        if box.link is None or not box.link.connected or box.opened is None or now_us < HEARS_US:
            return
        wrong = self._wrong(cabinet, box.opened.station.wanted.version, online=online, held=held, told=told)
        if wrong is not None and not self._may_not_know(cabinet, now_us):
            self.broken.append(wrong)

    def _wrong(
        self, cabinet: str, has: int, *, online: bool, held: int | None, told: int
    ) -> tuple[str, str] | None:
        """Promise, and what breaks it; cheap, since it is asked of every box all day."""
        if not online:
            return "picture_converges", f"{cabinet} is connected, the database says offline"
        if max(has, told) > self._world.stage.clock.now_ms() - HEARS_US // 1000:  # versions are times
            return None
        if has != told:
            return "liveness", f"{cabinet} holds wanted state {has}, the dispatcher's is {told}"
        if held != has:
            return "picture_converges", f"{cabinet} holds wanted state {has}, the database says {held}"
        return None

    def _may_not_know(self, cabinet: str, now_us: int) -> bool:
        spells = self._world.spells
        if any(spell.covers(cabinet, now_us - HEARS_US, now_us) for spell in spells.of("box_cloned")):
            return True
        return bool(spells.near(cabinet, now_us, now_us, HEARING | {Touches.DISK}, echo_us=HEARS_US))

    def _is_newer(self, cabinet: str, boot: str, revision: int) -> bool:
        boots = self._boots.setdefault(cabinet, {})
        is_newest_boot = boot not in boots or boot == next(reversed(boots))
        newer = is_newest_boot and revision > boots.get(boot, 0)
        boots[boot] = max(revision, boots.get(boot, 0))
        return newer
