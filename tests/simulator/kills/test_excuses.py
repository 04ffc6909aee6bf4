"""A kill excuses what happened at its cabinet while nobody looked, and nothing else."""

from collections.abc import Mapping, Sequence

from contract.facts import AccessRefused, DoorClosed
from contract.reasons import Reason
from simulator.kills.excuses import SEES_AGAIN_US, SEES_AHEAD_US, KillExcuses
from simulator.verdict.evidence import Badge, Evidence, LedgerFact
from simulator.virtual.spells import Spell, Spells, Touches
from simulator.world.moment import Moment
from simulator.world.record import Deed, PhysicalFact, What, WorldRecord

HERE, ELSEWHERE = "gare-1", "other-1"
SECOND_US = 1_000_000
KILLED_US, READY_US = 100 * SECOND_US, 104 * SECOND_US
SPEED = 60.0
BADGES = {"card-a": Badge("ref-a", "ann", is_active=True), "card-b": Badge("ref-b", "bob", is_active=True)}


def excuses(
    record: WorldRecord | None = None, silences: Mapping[str, Sequence[tuple[int, int]]] | None = None
) -> KillExcuses:
    spells = Spells()
    spells.add(Spell("agent_kill", frozenset({Touches.BOX}), frozenset({HERE}), KILLED_US, READY_US))
    evidence = Evidence((), (), BADGES, {}, {}, (), (), ())
    return KillExcuses(spells, silences or {}, record or WorldRecord(), evidence, at_us, SPEED)


def at_us(at_ms: int) -> int:
    return round(at_ms * 1000 / SPEED)


def physical(line_us: int, what: What = What.DOOR_CLOSED, *, credential: str | None = None) -> PhysicalFact:
    moment = Moment(round(line_us * SPEED / 1000), line_us)
    return PhysicalFact(HERE, 1, moment, Deed(what, "somebody", 3, "key-1", credential=credential))


def test_nobody_sees_from_just_before_a_kill_until_the_first_looks_after_it() -> None:
    found = excuses()
    assert not found.is_blind(HERE, KILLED_US - SEES_AHEAD_US - 1)
    assert found.is_blind(HERE, KILLED_US - SEES_AHEAD_US)
    assert found.is_blind(HERE, READY_US + SEES_AGAIN_US)
    assert not found.is_blind(HERE, READY_US + SEES_AGAIN_US + 1)
    assert not found.is_blind(ELSEWHERE, KILLED_US)


def test_a_board_that_nobody_asked_saw_nothing_either() -> None:
    found = excuses(silences={ELSEWHERE: [(KILLED_US, READY_US)]})
    assert found.is_blind(ELSEWHERE, KILLED_US)
    assert found.need_not_open(ELSEWHERE, READY_US)
    assert not found.is_blind(ELSEWHERE, READY_US + SEES_AGAIN_US + 1)


def test_a_hold_counts_from_when_the_key_was_seen() -> None:
    during, before = physical(KILLED_US + SECOND_US), physical(KILLED_US - 10 * SECOND_US)
    found = excuses()
    seen_ms = round((READY_US + SEES_AGAIN_US) * SPEED / 1000)
    assert found.noticed_ms(during) == seen_ms
    assert found.noticed_ms(before) == before.moment.at_ms


def test_keys_that_moved_unseen_are_a_guess() -> None:
    record = WorldRecord()
    record.write(HERE, Moment(0, KILLED_US), Deed(What.KEY_REMOVED, "somebody", 3, "key-1"))
    record.write(HERE, Moment(0, KILLED_US * 2), Deed(What.KEY_REMOVED, "somebody", 4, "key-2"))
    found = excuses(record)
    assert (found.is_disturbed("key-1"), found.is_disturbed("key-2")) == (True, False)
    assert found.explains_incident("key_missing", "key-1", 0)
    assert not found.explains_incident("key_missing", "key-2", 0)


def test_a_fact_never_tells_of_another_badge_and_never_of_what_is_long_over() -> None:
    shown = physical(KILLED_US, What.BADGE_SHOWN, credential="card-a")
    told_ms = shown.moment.at_ms
    own, others = (
        AccessRefused(
            seq=1, at_ms=told_ms, clock_trusted=True, reader="entrance", reason=Reason.TOO_LATE, badge=ref
        )
        for ref in ("ref-a", "ref-b")
    )
    found = excuses()
    assert found.may_tell_of(shown, LedgerFact(1, HERE, "e", 1, own))
    assert not found.may_tell_of(shown, LedgerFact(1, HERE, "e", 1, others))
    shut = physical(KILLED_US)
    late = DoorClosed(seq=1, at_ms=told_ms + round(16 * 1000 * SPEED), clock_trusted=True, slot=3)
    assert not found.may_tell_of(shut, LedgerFact(1, HERE, "e", 1, late))
    assert found.may_tell_of(shut, LedgerFact(1, HERE, "e", 1, late.model_copy(update={"seen_late": True})))


def test_an_incident_needs_a_kill_at_its_cabinet_not_long_before() -> None:
    found = excuses()
    soon_ms = round((READY_US + 10 * SECOND_US) * SPEED / 1000)
    assert found.explains_incident("device_lost", f"{HERE}/entrance", soon_ms)
    assert not found.explains_incident("device_lost", f"{ELSEWHERE}/entrance", soon_ms)
    assert not found.explains_incident("device_lost", f"{HERE}/entrance", soon_ms + round(120_000 * SPEED))
    assert not found.explains_incident("facts_conflict", HERE, soon_ms), "no kill is a reason of that"
