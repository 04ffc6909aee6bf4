"""`kerong-cu16`: key cabinets with KERONG KR-CU16 lock boards, several on one bus."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from station_agent.drivers.declaration import CabinetDriver, Fault, Peer, Tools
from station_agent.drivers.kerong.annotate import KerongAnnotator
from station_agent.drivers.kerong.cabinet import KerongCabinet
from station_agent.drivers.kerong.probe import KerongProber
from station_agent.drivers.kerong.wiring import CabinetWiring, SlotWiring
from station_agent.drivers.tables import BaudRate, CabinetTable, NumberedSlot


class KerongSlot(NumberedSlot):
    board: Annotated[int, Field(ge=0, le=15)]
    """Address set at the board."""
    lock: Annotated[int, Field(ge=1, le=16)]
    """Lock as printed on the board, from 1."""
    hook_inverted: bool = False
    """True where the lock's hook reads closed while the door is open."""
    infrared_inverted: bool = False
    """True where the infrared sensor sees something while no key hangs in the slot."""


class KerongTable(CabinetTable):
    """Key cabinet with KERONG KR-CU16 lock boards. The lock bus never leaves the cabinet."""

    driver: Literal["kerong-cu16"]
    """What the boards speak. How long a lock gets current is set at the board."""
    baud_rate: BaudRate = 19200
    """8 data bits, no parity, 1 stop bit: as the boards leave the factory."""
    answer_timeout_ms: Annotated[int, Field(ge=20, le=700)] = 200
    """At least twice the board's worst case."""
    slots: Annotated[tuple[KerongSlot, ...], Field(min_length=1, max_length=128)]
    """How each slot is wired."""

    @model_validator(mode="after")
    def _no_lock_wired_twice(self) -> Self:
        places: dict[tuple[int, int], int] = {}
        for slot in self.slots:
            place = (slot.board, slot.lock)
            if place in places:
                raise ValueError(f"slots {places[place]} and {slot.slot} share board {place[0]}, lock {place[1]}")
            places[place] = slot.slot
        return self


def _cabinet(table: KerongTable, _tools: Tools) -> KerongCabinet:
    slots = (
        SlotWiring(
            slot=slot.slot,
            board=slot.board,
            lock=slot.lock - 1,  # counted from 0 on the wire
            hook_inverted=slot.hook_inverted,
            infrared_inverted=slot.infrared_inverted,
        )
        for slot in table.slots
    )
    return KerongCabinet(
        CabinetWiring(slots=tuple(slots), baud_rate=table.baud_rate, answer_timeout_ms=table.answer_timeout_ms)
    )


def _boards(table: KerongTable) -> tuple[int, ...]:
    return tuple(sorted({slot.board for slot in table.slots}))


_FAULTS = "tests/station_agent/drivers/kerong/test_cabinet_faults.py"
_LATE = "tests/station_agent/drivers/kerong/test_late_answers.py"
_CABINET = "tests/station_agent/drivers/kerong/test_cabinet.py"
_FRAMES = "tests/station_agent/drivers/kerong/test_frames.py"
_BOARD = "tests/simulator/devices/test_kerong_board.py"
_HANDOVERS = "tests/station_agent/core/test_handovers.py"
_WIRE = "tests/wire/test_kerong.py"

DRIVER = CabinetDriver(
    name="kerong-cu16",
    table=KerongTable,
    codec=_cabinet,
    line="RS-485, pyserial URL",
    annotator=KerongAnnotator,
    prober=KerongProber(),
    addresses=_boards,
    peers=(
        Peer(
            "the published frames, against driver and simulated board; there is no package",
            (
                f"{_FRAMES}::test_requests_are_those_that_are_published",
                f"{_FRAMES}::test_published_reply_is_understood",
                f"{_BOARD}::test_published_status_request_is_answered_with_the_published_reply",
            ),
        ),
    ),
    faults=(
        Fault(
            "opened without an answer",
            "the pulse is told unanswered, never refused; the slot is seen to be open and no second pulse goes out",
            (
                f"{_FAULTS}::test_lock_that_opens_without_an_answer_is_unanswered_and_then_seen_to_be_open",
                f"{_FAULTS}::test_second_order_after_an_unlock_without_an_answer_does_not_unlock_what_is_open",
                f"{_WIRE}::test_a_lock_that_opens_without_an_answer_is_seen_open_and_not_told_to_again",
            ),
        ),
        Fault(
            "reply cut",
            "counts it as garbled; four looks in a row lose the cabinet until replies are whole",
            (
                f"{_FRAMES}::test_reply_that_is_cut_is_none",
                f"{_FAULTS}::test_cut_replies_are_garbled_and_lose_the_cabinet_until_they_are_whole",
            ),
        ),
        Fault(
            "ETX inside the data",
            "is data: the length follows from the command",
            (
                f"{_FRAMES}::test_end_mark_and_start_mark_inside_the_data_end_and_start_nothing",
                f"{_CABINET}::test_contacts_that_spell_the_end_mark_are_seen",
            ),
        ),
        Fault(
            "wrong SUM",
            "costs one look; four in a row lose the cabinet",
            (
                f"{_FAULTS}::test_one_wrong_sum_costs_one_look",
                f"{_FAULTS}::test_spoilt_replies_are_garbled_and_lose_the_cabinet_until_they_are_good",
            ),
        ),
        Fault(
            "garbage from a wrong baud rate",
            "nothing of it is believed, the cabinet is lost; `doctor` names the speed at which the board answers",
            (
                f"{_FAULTS}::test_spoilt_replies_are_garbled_and_lose_the_cabinet_until_they_are_good",
                f"{_WIRE}::test_doctor_and_trace_know_its_boards",
            ),
        ),
        Fault(
            "left-overs of earlier replies",
            "of two replies that could be meant neither is believed; looks are fenced with the query for a while",
            (
                f"{_LATE}::test_left_overs_before_every_reply_hide_no_change_and_show_none_that_is_not_so",
                f"{_LATE}::test_unlock_whose_reply_may_be_a_left_over_is_unanswered",
                f"{_FRAMES}::test_of_two_replies_that_could_be_meant_none_is_believed",
            ),
        ),
        Fault(
            "late reply",
            "as with left-overs; a board later than the timeout is lost and not believed until it has caught up",
            (
                f"{_LATE}::test_board_later_than_the_timeout_is_lost_and_no_late_reply_is_believed",
                f"{_LATE}::test_however_late_a_board_is_nothing_is_believed_that_was_not_so_a_moment_ago",
            ),
        ),
        Fault(
            "BUSY until a harmless query",
            "asks the query (0x38) after each unlock and each look without an answer; the cabinet is not lost",
            (
                f"{_FAULTS}::test_busy_board_is_freed_by_the_query_without_being_lost",
                f"{_FAULTS}::test_board_that_is_busy_after_each_unlock_is_freed_before_it_is_looked_at",
                f"{_FAULTS}::test_unlock_that_a_busy_board_does_not_hear_works_at_the_second_order",
            ),
        ),
        Fault(
            "hook closed while the key is gone",
            "tells just that, door shut and no key there; the core notes the key as taken without a right",
            (
                f"{_CABINET}::test_key_gone_behind_a_closed_hook_is_told_as_that",
                f"{_HANDOVERS}::test_a_key_that_leaves_without_any_release_is_told_without_a_right",
            ),
        ),
        Fault(
            "silent board",
            "four looks in a row lose the whole cabinet, and the reason names the board; back when it answers",
            (
                f"{_FAULTS}::test_silent_board_is_lost_after_four_looks_and_seen_again_when_it_answers",
                f"{_CABINET}::test_one_silent_board_of_two_loses_the_cabinet_and_says_which",
                f"{_WIRE}::test_a_mute_board_is_named_and_its_cabinet_is_back_when_it_is",
            ),
        ),
        Fault(
            "stuck lock",
            "tells the pulse as confirmed and nothing of the slot; the core goes on as for every cabinet",
            (f"{_FAULTS}::test_stuck_lock_shows_as_a_confirmed_pulse_after_which_nothing_changes",),
        ),
        Fault(
            "two boards of one number",
            "nothing is believed, whether they answer at once or one after the other",
            (
                f"{_FAULTS}::test_two_boards_of_one_number_are_not_believed",
                f"{_FAULTS}::test_two_boards_of_one_number_that_answer_one_after_the_other_are_not_believed",
            ),
        ),
        Fault(
            "cable pulled",
            "the cabinet is lost, orders under way are unanswered; all is read anew when the line is open again",
            (f"{_CABINET}::test_line_that_closes_loses_the_cabinet_and_what_was_under_way",),
        ),
    ),
)
