import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.kerong_board import BOOT_US, FORGET_US, KerongBoard

STATUS = bytes.fromhex("02 00 30 03 35")
UNLOCK_1 = bytes.fromhex("02 00 31 03 36")
QUERY = bytes.fromhex("02 00 38 03 3D")
ALL_CLOSED = bytes.fromhex("02 00 35 FF FF 00 00 03 38")


class Locks(list[tuple[int, int]]):
    def __call__(self, lock: int, at_us: int) -> None:
        self.append((lock, at_us))


def is_good(frame: bytes) -> bool:
    return frame[0] == 0x02 and frame[-2] == 0x03 and frame[-1] == sum(frame[:-1]) & 0xFF


@pytest.fixture
def locks() -> Locks:
    return Locks()


@pytest.fixture
def board(locks: Locks) -> KerongBoard:
    return KerongBoard(0, on_unlock=locks)


def test_published_status_request_is_answered_with_the_published_reply(board: KerongBoard) -> None:
    assert board.receive(0, STATUS) == ALL_CLOSED
    assert board.request_count == 1


def test_published_unlock_opens_its_lock_and_is_answered_like_a_status(board: KerongBoard, locks: Locks) -> None:
    assert board.receive(7, UNLOCK_1) == ALL_CLOSED
    assert locks == [(0, 7)]


def test_published_unlock_of_another_board_is_for_that_board() -> None:
    zero, one = Locks(), Locks()
    frame = bytes.fromhex("02 12 31 03 48")
    assert KerongBoard(0, on_unlock=zero).receive(0, frame) == b""
    assert KerongBoard(1, on_unlock=one).receive(0, frame)[:2] == b"\x02\x10"
    assert (zero, one) == ([], [(2, 0)])


def test_query_is_answered_under_its_own_command(board: KerongBoard, locks: Locks) -> None:
    reply = board.receive(0, QUERY)
    assert is_good(reply)
    assert reply[:3] == b"\x02\x00\x38"
    assert not locks


def test_contacts_are_shown_lock_by_lock(board: KerongBoard) -> None:
    board.set_hook(0, False)
    board.set_hook(9, False)
    board.set_infrared(7, True)
    board.set_infrared(15, True)
    assert board.receive(0, STATUS)[3:7] == bytes.fromhex("FE FD 80 80")
    board.set_hook(0, True)
    board.set_infrared(7, False)
    assert board.receive(0, STATUS)[3:7] == bytes.fromhex("FF FD 00 80")


def test_end_mark_occurs_inside_the_data(board: KerongBoard) -> None:
    for lock in range(2, 16):
        board.set_hook(lock, False)
    board.set_infrared(0, True)
    board.set_infrared(1, True)
    reply = board.receive(0, STATUS)
    assert reply.count(0x03) == 3
    assert len(reply) == 9
    assert is_good(reply)


def test_end_mark_is_shown_where_there_are_no_slots_while_that_fault_is_on(board: KerongBoard) -> None:
    board.set_infrared(0, True)
    board.etx_inside = True
    reply = board.receive(0, STATUS)
    assert reply[3:7] == bytes.fromhex("FF FF 01 03")
    assert is_good(reply)
    board.etx_inside = False
    assert board.receive(0, STATUS)[3:7] == bytes.fromhex("FF FF 01 00")


def test_hooks_that_stay_closed_show_a_key_that_leaves_all_the_same(board: KerongBoard) -> None:
    board.set_infrared(0, True)
    board.hooks_stay_closed = True
    board.set_hook(0, False)
    board.set_infrared(0, False)
    assert board.receive(0, STATUS) == ALL_CLOSED
    board.hooks_stay_closed = False
    assert board.receive(0, STATUS)[3:7] == bytes.fromhex("FE FF 00 00")


def test_key_can_be_gone_behind_a_closed_hook(board: KerongBoard) -> None:
    board.set_infrared(0, True)
    board.receive(0, STATUS)
    board.set_infrared(0, False)
    assert board.receive(0, STATUS) == ALL_CLOSED


@pytest.mark.parametrize("request_sent", ["02 00 33 03 38", "02 F0 32 03 27", "02 00 30 03 36", "02 10 30 03 45"])
def test_other_commands_other_boards_and_broken_requests_are_not_answered(
    board: KerongBoard, locks: Locks, request_sent: str
) -> None:
    assert board.receive(0, bytes.fromhex(request_sent)) == b""
    assert not locks


def test_request_in_portions_is_answered_once_it_is_whole(board: KerongBoard) -> None:
    answers = [board.receive(n, bytes((byte,))) for n, byte in enumerate(STATUS)]
    assert answers == [b"", b"", b"", b"", ALL_CLOSED]


def test_half_a_request_is_forgotten_after_a_silence(board: KerongBoard) -> None:
    assert board.receive(0, STATUS[:3]) == b""
    assert board.receive(FORGET_US + 1, STATUS[3:]) == b""
    assert board.receive(FORGET_US + 2, STATUS) == ALL_CLOSED


def test_noise_before_a_request_is_skipped(board: KerongBoard) -> None:
    assert board.receive(0, b"\x00\xff\x02" + STATUS) == ALL_CLOSED


def test_mute_board_does_nothing(board: KerongBoard, locks: Locks) -> None:
    board.mute = True
    assert board.receive(0, UNLOCK_1) == b""
    assert not locks


def test_lock_opens_without_an_answer_while_a_status_is_answered(board: KerongBoard, locks: Locks) -> None:
    board.is_silent_on_unlock = True
    assert board.receive(0, UNLOCK_1) == b""
    assert locks == [(0, 0)]
    assert board.receive(1, STATUS) == ALL_CLOSED


@pytest.mark.parametrize("cut", [1, 5, 9, 20])
def test_reply_is_cut(board: KerongBoard, cut: int) -> None:
    board.cut = cut
    assert board.receive(0, STATUS) == ALL_CLOSED[: max(9 - cut, 0)]


def test_wrong_sum_is_all_that_is_wrong(board: KerongBoard, locks: Locks) -> None:
    board.bad_sum = True
    reply = board.receive(0, UNLOCK_1)
    assert reply[:-1] == ALL_CLOSED[:-1]
    assert not is_good(reply)
    assert locks == [(0, 0)]


def test_garbage_has_no_start_mark_where_one_was_sent(board: KerongBoard, locks: Locks) -> None:
    board.garbage = True
    reply = board.receive(0, UNLOCK_1)
    assert len(reply) == 18
    assert reply[0] == 0x18, "00 10 00 00 00 with each bit twice"
    assert locks == [(0, 0)]


def test_left_over_of_the_reply_before_comes_first(board: KerongBoard) -> None:
    board.left_over = 9
    assert board.receive(0, STATUS) == ALL_CLOSED, "there was none before"
    board.set_infrared(0, True)
    fresh = board.receive(0, STATUS)
    assert fresh[:9] == ALL_CLOSED
    assert is_good(fresh[9:])
    assert fresh[14] == 0x01
    board.left_over = 3
    assert board.receive(0, STATUS) == fresh[-3:] + fresh[9:]


def test_busy_board_hears_nothing_but_the_query(board: KerongBoard, locks: Locks) -> None:
    board.is_busy = True
    assert board.receive(0, STATUS) + board.receive(0, UNLOCK_1) == b""
    assert not locks
    assert board.receive(0, QUERY)
    assert board.receive(0, STATUS) == ALL_CLOSED


def test_query_without_an_answer_ends_busy_all_the_same(board: KerongBoard) -> None:
    board.is_busy = board.is_silent_on_query = True
    assert board.receive(0, QUERY) == b""
    assert board.receive(0, STATUS) == ALL_CLOSED


def test_unlock_leaves_the_board_busy_where_it_is_told_to(board: KerongBoard, locks: Locks) -> None:
    board.busy_after_unlock = True
    assert board.receive(0, UNLOCK_1) == ALL_CLOSED
    assert board.receive(0, STATUS) == b""
    board.receive(0, QUERY)
    assert board.receive(0, STATUS) == ALL_CLOSED
    assert len(locks) == 1


def test_reply_to_an_unlock_may_name_the_lock(board: KerongBoard) -> None:
    board.names_lock = True
    reply = board.receive(0, bytes.fromhex("02 05 31 03 3B"))
    assert reply[1] == 0x05
    assert is_good(reply)


def test_power_cycle_takes_a_moment_ends_busy_and_leaves_nothing_over(board: KerongBoard) -> None:
    board.left_over = 9
    board.set_infrared(0, True)
    board.receive(0, STATUS)
    board.is_busy = True
    board.power_cycle(1_000)
    assert board.receive(BOOT_US, STATUS) == b""
    assert board.receive(BOOT_US + 30_000, STATUS)[3:7] == bytes.fromhex("FF FF 01 00")


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 40_000), st.binary(max_size=300)), max_size=10))
def test_whatever_comes_nothing_is_raised_and_little_is_kept(script: list[tuple[int, bytes]]) -> None:
    board = KerongBoard(0)
    now_us = 0
    for pause_us, data in script:
        now_us += pause_us
        board.receive(now_us, data)
        assert len(board._buffer) < 5
    assert board.receive(now_us + FORGET_US + 1, STATUS) == ALL_CLOSED
