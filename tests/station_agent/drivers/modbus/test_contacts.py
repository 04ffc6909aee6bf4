import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import CabinetInput
from station_agent.core.device_events import CabinetSeen, InputSeen, SlotSeen
from station_agent.drivers.modbus.contacts import Contacts
from station_agent.drivers.modbus.frames import read_inputs
from station_agent.drivers.modbus.wiring import CabinetWiring, InputWiring, SlotWiring
from tests.station_agent.drivers.modbus.virtual_bus import wired


def test_each_board_is_read_once_from_a_whole_byte_to_the_last_input_in_use() -> None:
    slots = (
        SlotWiring(slot=1, lock=(9, 0), key=(2, 11), door=(2, 13)),
        SlotWiring(slot=2, lock=(9, 1), key=(1, 2), door=(1, 1)),
    )
    assert Contacts(CabinetWiring(slots=slots)).reads == (read_inputs(1, 0, 3), read_inputs(2, 8, 6))


def test_contact_is_believed_after_two_equal_reads() -> None:
    contacts = Contacts(wired(1))
    assert [contacts.read(0, bits) for bits in (0b01, 0b01)] == [False, True]
    assert contacts.seen() == CabinetSeen((SlotSeen(1, key_present=True, door_open=False),))
    assert [contacts.read(0, bits) for bits in (0b11, 0b11)] == [False, True]
    assert contacts.seen() == CabinetSeen((SlotSeen(1, key_present=True, door_open=True),))


def test_contacts_are_settled_only_while_the_latest_read_shows_what_is_believed() -> None:
    contacts = Contacts(wired(1))
    settled = []
    for bits in (0b01, 0b01, 0b11, 0b11):
        contacts.read(0, bits)
        settled.append(contacts.are_settled)
    assert settled == [False, True, False, True]


def test_half_known_cabinet_cannot_be_reported() -> None:
    contacts = Contacts(wired(1))
    contacts.read(0, 0b01)
    assert not contacts.are_known
    with pytest.raises(AssertionError):
        contacts.seen()


def test_contact_that_falls_back_before_the_second_read_changes_nothing() -> None:
    contacts = Contacts(wired(1))
    contacts.read(0, 0b01)
    contacts.read(0, 0b01)
    assert not contacts.read(0, 0b00)
    assert not contacts.read(0, 0b01)
    assert not contacts.read(0, 0b01)
    assert contacts.are_settled


def test_reads_around_a_failed_exchange_are_not_in_a_row() -> None:
    contacts = Contacts(wired(1))
    contacts.read(0, 0b01)
    contacts.read(0, 0b01)
    contacts.read(0, 0b00)
    contacts.interrupted()
    assert not contacts.read(0, 0b00)
    assert contacts.read(0, 0b00)


def test_input_that_never_rests_holds_up_no_other_slot() -> None:
    contacts = Contacts(wired(2))
    contacts.read(0, 0b0100)
    contacts.read(0, 0b0100)
    changes = [contacts.read(0, bits) for bits in (0b0101, 0b0000, 0b0001, 0b0000)]
    assert changes == [False, False, True, False]
    assert contacts.seen().slots[1] == SlotSeen(2, key_present=False, door_open=False)


def test_inverted_contacts_are_turned_round() -> None:
    slot = SlotWiring(slot=1, lock=(1, 0), key=(1, 0), key_inverted=True, door=(1, 1), door_inverted=True)
    contacts = Contacts(CabinetWiring(slots=(slot,)))
    contacts.read(0, 0b00)
    contacts.read(0, 0b00)
    assert contacts.seen().slots == (SlotSeen(1, key_present=True, door_open=True),)


def test_inputs_that_no_slot_uses_change_nothing() -> None:
    contacts = Contacts(wired(1))
    contacts.read(0, 0b01)
    contacts.read(0, 0b01)
    assert not contacts.read(0, 0b1101)
    assert contacts.are_settled


@given(st.lists(st.one_of(st.none(), st.integers(0, 255)), max_size=30))
def test_belief_is_always_what_two_reads_in_a_row_showed(reads: list[int | None]) -> None:
    contacts = Contacts(wired(4))
    believed: list[bool | None] = [None] * 8
    previous: int | None = None
    for bits in reads:
        if bits is None:
            contacts.interrupted()
            previous = None
            continue
        before = list(believed)
        for n in range(8):
            if previous is not None and (bits ^ previous) >> n & 1 == 0:
                believed[n] = bool(bits >> n & 1)
        previous = bits
        assert contacts.read(0, bits) == (believed != before)
        assert contacts.are_known == (None not in believed)
    if contacts.are_known:
        pairs = [(slot.key_present, slot.door_open) for slot in contacts.seen().slots]
        assert [value for pair in pairs for value in pair] == believed


def test_inputs_of_the_cabinet_are_read_with_the_slots_and_told_beside_them() -> None:
    wiring = CabinetWiring(
        slots=(SlotWiring(slot=1, lock=(1, 0), key=(1, 0), door=(1, 1)),),
        inputs=(
            InputWiring(input=CabinetInput.MAINS_LOST, place=(1, 7), inverted=True),
            InputWiring(input=CabinetInput.TAMPERED, place=(3, 0)),
        ),
    )
    contacts = Contacts(wiring)
    assert contacts.reads == (read_inputs(1, 0, 8), read_inputs(3, 0, 1))
    for _ in range(2):
        contacts.read(0, 0b0000_0001)
        contacts.read(1, 0b1)
    assert contacts.seen().inputs == (
        InputSeen(CabinetInput.MAINS_LOST, active=True),
        InputSeen(CabinetInput.TAMPERED, active=True),
    )
    assert [contacts.read(0, 0b1000_0001), contacts.read(0, 0b1000_0001)] == [False, True]
    assert not contacts.seen().inputs[0].active
