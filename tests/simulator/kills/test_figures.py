"""The figures of a run of kills bite: each of what must never be is counted where it is planted."""

from contract.facts import AccessGranted, Purpose
from simulator.kills.figures import ON_THE_WIRE_US, _carried_out, _decisions
from simulator.verdict.evidence import Evidence, LedgerFact
from simulator.virtual.spells import Spell, Spells, Touches
from simulator.world.moment import Moment
from simulator.world.record import Deed, What, WorldRecord

CABINET = "gare-1"
SLOT = 3
SECOND_US = 1_000_000


def at(ms: int) -> int:
    """Line time of a wall time: both began together."""
    return ms * 1000


def world(*deeds: tuple[int, What]) -> WorldRecord:
    record = WorldRecord()
    for at_us, what in deeds:
        record.write(CABINET, Moment(at_us // 1000, at_us), Deed(what, "somebody", SLOT))
    return record


def granted(*times_us: int) -> Evidence:
    ledger = tuple(
        LedgerFact(
            seq,
            CABINET,
            "e",
            seq,
            AccessGranted(
                seq=seq,
                at_ms=at_us // 1000,
                clock_trusted=True,
                reader="entrance",
                slot=SLOT,
                purpose=Purpose.TAKE,
            ),
        )
        for seq, at_us in enumerate(times_us, 1)
    )
    return Evidence((), ledger, {}, {}, {}, (), (), ())


def killed(*times_us: int, cabinet: str = CABINET) -> Spells:
    spells = Spells()
    for at_us in times_us:
        touches, here = frozenset({Touches.BOX}), frozenset({cabinet})
        spells.add(Spell("agent_kill", touches, here, at_us, at_us + 3 * SECOND_US))
    return spells


def counted(record: WorldRecord, evidence: Evidence, spells: Spells) -> tuple[int, int, int]:
    """Decided, carried out, done later."""
    decisions = _decisions(evidence, record, at)
    return sum(map(len, decisions.values())), *_carried_out(decisions, record, spells)


DECIDED_US = 100 * SECOND_US


def test_a_lock_that_follows_its_decision_carries_it_out() -> None:
    record = world((DECIDED_US + 80_000, What.LOCK_PULSED), (DECIDED_US + 80_000, What.DOOR_OPENED))
    assert counted(record, granted(DECIDED_US), killed()) == (1, 1, 0)


def test_three_pulses_are_one_decision() -> None:
    pulses = [(DECIDED_US + n * 1_500_000, What.LOCK_PULSED) for n in range(1, 4)]
    assert counted(world(*pulses), granted(DECIDED_US), killed()) == (1, 1, 0)


def test_a_decision_whose_agent_was_killed_before_the_lock_was_told_is_never_done() -> None:
    assert counted(world(), granted(DECIDED_US), killed(DECIDED_US + 10_000)) == (1, 0, 0)


def test_a_pulse_by_a_later_life_for_an_earlier_ones_decision_is_named() -> None:
    record = world((DECIDED_US + 5 * SECOND_US, What.LOCK_PULSED))
    assert counted(record, granted(DECIDED_US), killed(DECIDED_US + 10_000)) == (1, 1, 1)
    assert counted(record, granted(DECIDED_US), killed(DECIDED_US + 10_000, cabinet="other-1")) == (1, 1, 0)


def test_what_was_on_the_wire_when_its_agent_was_killed_is_of_that_life() -> None:
    record = world((DECIDED_US + 60_000, What.LOCK_PULSED))
    assert counted(record, granted(DECIDED_US), killed(DECIDED_US + 60_000 - ON_THE_WIRE_US // 2)) == (1, 1, 0)


def test_a_decision_of_the_new_life_explains_its_pulse() -> None:
    record = world((DECIDED_US + 5 * SECOND_US, What.LOCK_PULSED))
    evidence = granted(DECIDED_US, DECIDED_US + 5 * SECOND_US - 50_000)
    assert counted(record, evidence, killed(DECIDED_US + 10_000)) == (2, 1, 0)


def test_a_slot_that_stands_open_or_looks_open_needs_no_pulse() -> None:
    stands_open = world((DECIDED_US - 5 * SECOND_US, What.DOOR_OPENED))
    assert counted(stands_open, granted(DECIDED_US), killed()) == (0, 0, 0)
    shut_just_now = world((DECIDED_US - 5 * SECOND_US, What.DOOR_OPENED), (DECIDED_US - 200_000, What.DOOR_CLOSED))
    assert counted(shut_just_now, granted(DECIDED_US), killed()) == (0, 0, 0)
    shut_long_ago = world(
        (DECIDED_US - 5 * SECOND_US, What.DOOR_OPENED), (DECIDED_US - 2 * SECOND_US, What.DOOR_CLOSED)
    )
    assert counted(shut_long_ago, granted(DECIDED_US), killed()) == (1, 0, 0)
