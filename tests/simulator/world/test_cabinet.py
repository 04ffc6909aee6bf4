import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.network.lilas import lilas_network
from simulator.world.cabinet import Contact, ContactChanged, NotPossibleError, PhysicalCabinet
from simulator.world.moment import Moment
from simulator.world.record import What, WorldRecord

KEY, OTHER_KEY = (vehicle.key for vehicle in lilas_network(seed=1, stations=1).vehicles[:2])
NOW = Moment(1_000, 2_000)


@pytest.fixture
def record() -> WorldRecord:
    return WorldRecord()


@pytest.fixture
def cabinet(record: WorldRecord) -> PhysicalCabinet:
    return PhysicalCabinet("lille-1", 8, {1: KEY, 2: OTHER_KEY}, record)


def kinds(record: WorldRecord) -> list[What]:
    return [fact.deed.what for fact in record]


def test_a_pulse_springs_the_door_open(cabinet: PhysicalCabinet, record: WorldRecord) -> None:
    assert cabinet.pulse(NOW, 1) == (ContactChanged(1, Contact.DOOR, is_on=True),)
    assert cabinet.is_open(1)
    assert kinds(record) == [What.LOCK_PULSED, What.DOOR_OPENED]


def test_the_record_says_which_key_hung_behind_a_pulsed_lock(cabinet: PhysicalCabinet, record: WorldRecord) -> None:
    cabinet.pulse(NOW, 1)
    cabinet.pulse(NOW, 3)
    pulses = [fact.deed for fact in record if fact.deed.what is What.LOCK_PULSED]
    assert [deed.key for deed in pulses] == [KEY.id, None]


def test_a_stuck_door_stays_shut_whatever_the_current(cabinet: PhysicalCabinet, record: WorldRecord) -> None:
    cabinet.set_stuck(1, stuck=True)
    assert cabinet.pulse(NOW, 1) == ()
    assert not cabinet.is_open(1)
    assert kinds(record) == [What.LOCK_PULSED]


def test_a_pulse_on_an_open_door_changes_nothing(cabinet: PhysicalCabinet) -> None:
    cabinet.pulse(NOW, 1)
    assert cabinet.pulse(NOW, 1) == ()
    assert cabinet.is_open(1)


def test_a_key_is_taken_and_hung_through_an_open_door(cabinet: PhysicalCabinet, record: WorldRecord) -> None:
    cabinet.pulse(NOW, 1)
    key, changes = cabinet.take_key(NOW, 1, "member:m-1")
    assert key is KEY
    assert changes == (ContactChanged(1, Contact.KEY, is_on=False),)
    assert cabinet.hang_key(NOW, 1, key, "member:m-1") == (ContactChanged(1, Contact.KEY, is_on=True),)
    assert cabinet.close_door(NOW, 1, "member:m-1") == (ContactChanged(1, Contact.DOOR, is_on=False),)
    assert kinds(record)[2:] == [What.KEY_REMOVED, What.KEY_INSERTED, What.DOOR_CLOSED]


def test_nobody_reaches_through_a_shut_door(cabinet: PhysicalCabinet, record: WorldRecord) -> None:
    with pytest.raises(NotPossibleError, match="no key within reach"):
        cabinet.take_key(NOW, 1, "member:m-1")
    with pytest.raises(NotPossibleError, match="no free hook"):
        cabinet.hang_key(NOW, 3, KEY, "member:m-1")
    with pytest.raises(NotPossibleError, match="shut already"):
        cabinet.close_door(NOW, 1, "member:m-1")
    assert kinds(record) == []


def test_a_hook_holds_one_key(cabinet: PhysicalCabinet) -> None:
    cabinet.pulse(NOW, 2)
    with pytest.raises(NotPossibleError, match="no free hook"):
        cabinet.hang_key(NOW, 2, KEY, "member:m-1")


def test_the_mechanical_key_opens_a_door_without_a_pulse(cabinet: PhysicalCabinet, record: WorldRecord) -> None:
    cabinet.force_open(NOW, 4, "override key")
    assert kinds(record) == [What.DOOR_OPENED]
    with pytest.raises(NotPossibleError, match="open already"):
        cabinet.force_open(NOW, 4, "override key")


@given(
    st.lists(
        st.tuples(st.sampled_from(["pulse", "take", "hang", "close"]), st.integers(min_value=1, max_value=8)),
        max_size=60,
    )
)
def test_whatever_is_tried_no_key_is_lost_and_every_contact_change_is_recorded(
    tries: list[tuple[str, int]],
) -> None:
    record = WorldRecord()
    cabinet = PhysicalCabinet("lille-1", 8, {1: KEY, 2: OTHER_KEY}, record)
    contacts = {(it.slot, it.contact): it.is_on for it in cabinet.contacts()}
    hands = []
    for what, slot in tries:
        try:
            if what == "pulse":
                changes = cabinet.pulse(NOW, slot)
            elif what == "take":
                key, changes = cabinet.take_key(NOW, slot, "hand")
                hands.append(key)
            elif what == "hang" and hands:
                changes = cabinet.hang_key(NOW, slot, hands[-1], "hand")
                hands.pop()
            else:
                changes = cabinet.close_door(NOW, slot, "hand")
        except NotPossibleError:
            continue
        for change in changes:
            assert contacts[change.slot, change.contact] is not change.is_on, "only changes are told"
            contacts[change.slot, change.contact] = change.is_on
    assert contacts == {(it.slot, it.contact): it.is_on for it in cabinet.contacts()}
    hooks = [cabinet.key_in(slot) for slot in cabinet.slots]
    hanging = [hook for hook in hooks if hook is not None]
    assert {key.id for key in (*hanging, *hands)} == {KEY.id, OTHER_KEY.id}
    moved = record.count(What.KEY_REMOVED) - record.count(What.KEY_INSERTED)
    assert moved == len(hands)
