import pytest

from simulator.world.moment import Moment
from simulator.world.record import Deed, PhysicalFact, What, WorldRecord


def test_facts_are_numbered_per_cabinet_in_the_order_in_which_they_happened() -> None:
    record = WorldRecord()
    record.write("lille-1", Moment(5, 10), Deed(What.LOCK_PULSED, "lock board", 1))
    record.write("croix-1", Moment(6, 11), Deed(What.LOCK_PULSED, "lock board", 2))
    record.write("lille-1", Moment(7, 12), Deed(What.DOOR_OPENED, "spring", 1))
    assert [(fact.number, fact.deed.what) for fact in record.of("lille-1")] == [
        (1, What.LOCK_PULSED),
        (2, What.DOOR_OPENED),
    ]
    assert [fact.number for fact in record.of("croix-1")] == [1]
    assert record.of("loos-1") == ()
    assert record.count(What.LOCK_PULSED) == 2


def test_whoever_listens_hears_each_fact_as_it_is_written() -> None:
    heard: list[PhysicalFact] = []
    record = WorldRecord(on_fact=heard.append)
    fact = record.write("lille-1", Moment(5, 10), Deed(What.KEY_REMOVED, "member:m-1", 3, "k-1"))
    assert heard == [fact]
    assert str(fact) == "lille-1 #1 slot 3: key_removed k-1 by member:m-1"


def test_line_time_never_runs_backwards_in_a_record() -> None:
    record = WorldRecord()
    record.write("lille-1", Moment(5, 10), Deed(What.DOOR_OPENED, "spring", 1))
    with pytest.raises(AssertionError, match="backwards"):
        record.write("lille-1", Moment(5, 9), Deed(What.DOOR_CLOSED, "member:m-1", 1))
