"""`modbus-io`: key cabinets with Waveshare-class relay and input boards, several units on one bus."""

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from contract.facts import CabinetInput
from runtime.config import Settings
from station_agent.drivers.declaration import CabinetDriver, Fault, Peer, Tools
from station_agent.drivers.modbus.annotate import ModbusAnnotator
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.probe import ModbusProber
from station_agent.drivers.modbus.wiring import CabinetWiring, InputWiring, Place, SlotWiring
from station_agent.drivers.tables import BaudRate, CabinetTable, NumberedSlot


class Contact(Settings):
    """Where one contact of a slot is wired."""

    unit: Annotated[int, Field(ge=1, le=247)]
    """Modbus address of the board."""
    channel: Annotated[int, Field(ge=1, le=32)]
    """Relay or input as printed on the board, from 1."""
    inverted: bool = False
    """True where the input is off when a key is present, or when the door is open."""

    @property
    def place(self) -> Place:
        """Counted from 0, as on the wire."""
        return (self.unit, self.channel - 1)


class ModbusSlot(NumberedSlot):
    lock: Contact
    """Relay of the lock; `inverted` has no meaning here."""
    key: Contact
    """Input that shows whether a key hangs in the slot."""
    door: Contact
    """Input that shows whether the slot's door is open."""


class ModbusInput(Settings):
    """A contact of the cabinet itself: the UPS's relays, the switch behind the housing, the override lock's."""

    input: Annotated[CabinetInput, Strict(False)]
    """What it says while it is on."""
    unit: Annotated[int, Field(ge=1, le=247)]
    """Modbus address of the board."""
    channel: Annotated[int, Field(ge=1, le=32)]
    """Input as printed on the board, from 1."""
    inverted: bool = False
    """True where the input is off while it is so: a contact that a cut wire opens is wired like this."""

    @property
    def place(self) -> Place:
        return (self.unit, self.channel - 1)


class ModbusTable(CabinetTable):
    """Key cabinet over Modbus RTU. The lock bus never leaves the cabinet."""

    driver: Literal["modbus-io"] = "modbus-io"
    """What the boards speak."""
    baud_rate: BaudRate = 9600
    """8 data bits, no parity, 1 stop bit: as the boards leave the factory."""
    pulse_ms: Annotated[int, Field(ge=100, le=1000, multiple_of=100)] = 700
    """How long the board holds a lock open; the board itself ends the pulse."""
    answer_timeout_ms: Annotated[int, Field(ge=20, le=700)] = 200
    """At least twice the board's worst case."""
    local_echo: bool = False
    """True for an adapter that hands back what it sends."""
    slots: Annotated[tuple[ModbusSlot, ...], Field(min_length=1, max_length=128)]
    """How each slot is wired."""
    inputs: Annotated[tuple[ModbusInput, ...], Field(max_length=len(CabinetInput))] = ()
    """Contacts of the cabinet itself. Without one, that is not known: no mains lost, no housing opened is told."""

    @model_validator(mode="after")
    def _nothing_wired_twice(self) -> Self:
        for name in ("lock", "key", "door"):
            seen: dict[Place, int] = {}
            for slot in self.slots:
                contact: Contact = getattr(slot, name)
                if contact.place in seen:
                    place = f"unit {contact.unit}, channel {contact.channel}"
                    raise ValueError(f"slots {seen[contact.place]} and {slot.slot} share one {name}: {place}")
                seen[contact.place] = slot.slot
        inputs = [contact.place for slot in self.slots for contact in (slot.key, slot.door)]
        if len(set(inputs)) != len(inputs):
            raise ValueError("one input serves as key contact and as door contact")
        if len({wired.input for wired in self.inputs}) != len(self.inputs):
            raise ValueError("inputs: expected each of the cabinet's inputs once")
        if len({*inputs, *(wired.place for wired in self.inputs)}) != len(inputs) + len(self.inputs):
            raise ValueError("inputs: expected a place that no other contact is wired to")
        return self


def _cabinet(table: ModbusTable, _tools: Tools) -> ModbusCabinet:
    slots = (
        SlotWiring(
            slot=slot.slot,
            lock=slot.lock.place,
            key=slot.key.place,
            key_inverted=slot.key.inverted,
            door=slot.door.place,
            door_inverted=slot.door.inverted,
        )
        for slot in table.slots
    )
    return ModbusCabinet(
        CabinetWiring(
            slots=tuple(slots),
            inputs=tuple(
                InputWiring(input=wired.input, place=wired.place, inverted=wired.inverted) for wired in table.inputs
            ),
            baud_rate=table.baud_rate,
            pulse_ms=table.pulse_ms,
            answer_timeout_ms=table.answer_timeout_ms,
            local_echo=table.local_echo,
        )
    )


def _units(table: ModbusTable) -> tuple[int, ...]:
    contacts = (contact for slot in table.slots for contact in (slot.lock, slot.key, slot.door))
    return tuple(sorted({contact.unit for contact in contacts} | {wired.unit for wired in table.inputs}))


_FAULTS = "tests/station_agent/drivers/modbus/test_cabinet_faults.py"
_CABINET = "tests/station_agent/drivers/modbus/test_cabinet.py"
_LATE = "tests/station_agent/drivers/modbus/test_late_answers.py"
_HANDOVERS = "tests/station_agent/core/test_handovers.py"
_PEERS = "tests/wire/test_modbus_peers.py"

DRIVER = CabinetDriver(
    name="modbus-io",
    table=ModbusTable,
    codec=_cabinet,
    line="RS-485, pyserial URL",
    annotator=ModbusAnnotator,
    prober=ModbusProber(),
    addresses=_units,
    peers=(
        Peer(
            "pymodbus server, against the driver",
            (
                f"{_PEERS}::test_driver_reads_and_pulses_a_board_made_of_pymodbus",
                f"{_PEERS}::test_driver_is_told_when_the_board_made_of_pymodbus_dies_and_when_it_is_back",
                f"{_PEERS}::test_refusal_of_a_board_made_of_pymodbus_is_understood",
            ),
        ),
        Peer(
            "minimalmodbus, against the simulated boards",
            (f"{_PEERS}::test_minimalmodbus_reads_and_drives_the_simulated_boards",),
        ),
    ),
    faults=(
        Fault(
            "stuck lock: the slot is as it was after the pulse",
            "tells the pulse as confirmed and nothing of the slot; the core pulses again a bounded number "
            "of times, names `lock_stuck` and tells the member to call",
            (
                f"{_FAULTS}::test_stuck_lock_shows_as_a_confirmed_pulse_after_which_nothing_changes",
                f"{_HANDOVERS}::test_a_lock_that_does_not_move_is_pulsed_again_then_named",
            ),
        ),
        Fault(
            "late reply: a board slower than the timeout answers the question before",
            "leaves the bus alone, then asks what no late answer can be mistaken for (decision 0006); no late "
            "answer is believed, and a board that stays late is lost",
            (
                f"{_LATE}::test_board_later_than_the_timeout_is_lost_and_no_late_answer_is_believed",
                f"{_LATE}::test_late_answer_to_a_release_is_not_taken_for_the_answer_to_the_next",
                f"{_LATE}::test_however_late_a_board_is_nothing_is_believed_that_was_not_so_a_moment_ago",
            ),
        ),
        Fault(
            "bad CRC",
            "counts it as garbled; a release that was answered so is unanswered, never refused; four looks in a "
            "row lose the cabinet",
            (
                f"{_FAULTS}::test_bad_checksums_are_garbled_and_lose_the_cabinet",
                f"{_FAULTS}::test_release_whose_answer_is_spoilt_is_unanswered_though_the_lock_had_current",
            ),
        ),
        Fault(
            "silent unit",
            "one lost answer loses nothing; four looks in a row lose the cabinet, which is asked ever more rarely, "
            "at least every 10 s, and seen again when it answers",
            (
                f"{_FAULTS}::test_one_lost_answer_loses_nothing",
                f"{_FAULTS}::test_silent_board_is_lost_after_four_looks_and_seen_again_when_it_answers",
                f"{_FAULTS}::test_lost_board_is_asked_ever_more_rarely_but_at_least_every_10_s",
                f"{_FAULTS}::test_release_on_a_silent_board_is_tried_at_once_and_only_once",
            ),
        ),
        Fault(
            "exceptions 2 and 4",
            "a release is told refused: the lock had no current; inputs that are refused lose the cabinet, and the "
            "reason names the exception",
            (
                f"{_FAULTS}::test_refused_release_gave_no_current",
                f"{_FAULTS}::test_board_that_refuses_to_be_read_is_lost_and_says_why",
                f"{_FAULTS}::test_board_with_fewer_inputs_than_wired_is_lost_with_exception_2",
            ),
        ),
        Fault(
            "exceptions 5 and 11: accepted, or the gateway heard nothing",
            "a release is told unanswered: the lock may have had current",
            (f"{_FAULTS}::test_exception_that_leaves_the_outcome_open_is_no_refusal",),
        ),
        Fault(
            "local echo of one's own request",
            "works with `local_echo`; without it nothing is believed and the operator reads which setting is wrong",
            (
                f"{_FAULTS}::test_echoing_adapter_works_with_its_setting",
                f"{_FAULTS}::test_echoing_adapter_without_its_setting_confirms_nothing_and_is_named",
                f"{_FAULTS}::test_setting_for_an_echo_that_does_not_come_confirms_nothing_and_is_named",
            ),
        ),
        Fault(
            "bouncing input",
            "tells a change when two reads in a row showed it; an input that never rests holds up no other slot",
            (
                f"{_FAULTS}::test_bouncing_contact_is_told_once_when_it_rests",
                f"{_FAULTS}::test_input_that_chatters_for_ever_holds_up_neither_the_other_slots_nor_releases",
            ),
        ),
        Fault(
            "board reset: all relays off",
            "the pulse ends with the reset, for the board times it; the cabinet is not lost",
            (f"{_FAULTS}::test_board_reset_in_the_middle_of_a_pulse_ends_it_and_is_survived",),
        ),
        Fault(
            "cable pulled",
            "the cabinet is lost, orders under way are unanswered; the line is opened again within 10 s and all is "
            "read anew",
            (
                f"{_PEERS}::test_driver_and_simulated_boards_survive_a_pulled_cable",
                f"{_CABINET}::test_line_that_closes_loses_the_cabinet_and_what_was_under_way",
            ),
        ),
        Fault(
            "two units at one address",
            "their answers spoil each other: nothing is believed, the cabinet is lost",
            (f"{_FAULTS}::test_two_boards_at_one_address_are_not_believed",),
        ),
        Fault(
            "somebody never stops sending",
            "the cabinet is lost within seconds where it cannot be read; a release still gets through",
            (
                f"{_FAULTS}::test_line_on_which_somebody_never_stops_sending_is_lost_within_seconds",
                f"{_FAULTS}::test_release_gets_through_where_somebody_never_stops_sending",
            ),
        ),
    ),
)
