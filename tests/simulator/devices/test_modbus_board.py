import fastcrc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.modbus_board import BOOT_US, FORGET_US, ModbusBoard

MS = 1000


def framed(text: str) -> bytes:
    data = bytes.fromhex(text)
    return data + fastcrc.crc16.modbus(data).to_bytes(2, "little")


@pytest.fixture
def board() -> ModbusBoard:
    return ModbusBoard(1)


@pytest.mark.parametrize("order", ["01 05 00 00 FF 00 8C 3A", "01 05 00 00 00 00 CD CA", "01 05 02 00 00 07 8D B0"])
def test_published_orders_are_echoed(board: ModbusBoard, order: str) -> None:
    assert board.receive(0, bytes.fromhex(order)) == bytes.fromhex(order)


def test_published_reading_of_the_inputs_is_answered(board: ModbusBoard) -> None:
    for n in range(8):
        board.set_input(n, True)
    assert board.receive(0, bytes.fromhex("01 02 00 00 00 08 79 CC")) == bytes.fromhex("01 02 01 FF E1 C8")


def test_relays_are_read_as_they_are_at_that_time(board: ModbusBoard) -> None:
    read = bytes.fromhex("01 01 00 00 00 08 3D CC")
    board.receive(0, framed("01 05 00 02 FF 00"))
    board.receive(0, framed("01 05 02 00 00 07"))
    assert board.receive(100 * MS, read) == framed("01 01 01 05")
    assert board.receive(699 * MS, read) == framed("01 01 01 05")
    assert board.receive(700 * MS, read) == framed("01 01 01 04")


def test_part_of_the_inputs_is_packed_from_the_first_asked(board: ModbusBoard) -> None:
    board.set_input(3, True)
    board.set_input(5, True)
    assert board.receive(0, framed("01 02 00 03 00 03")) == framed("01 02 01 05")


def test_pulses_and_switching_on_are_told_to_the_world() -> None:
    told: list[tuple[int, int, int | None]] = []
    board = ModbusBoard(1, on_pulse=lambda *pulse: told.append(pulse))
    board.receive(1_000, framed("01 05 02 03 00 07"))
    board.receive(2_000, framed("01 05 00 01 FF 00"))
    board.receive(3_000, framed("01 05 00 01 FF 00"))
    board.receive(4_000, framed("01 05 00 01 00 00"))
    assert told == [(3, 1_000, 701_000), (1, 2_000, None)]


def test_several_relays_are_written_at_once(board: ModbusBoard) -> None:
    assert board.receive(0, framed("01 0F 00 00 00 08 01 A5")) == framed("01 0F 00 00 00 08")
    assert [board.relay_is_on(1, n) for n in range(8)] == [bool(0xA5 >> n & 1) for n in range(8)]


@pytest.mark.parametrize(
    ("request_sent", "answer"),
    [
        ("01 03 00 00 00 01", "01 83 01"),  # a function it does not have
        ("01 2B 0E 01 00", "01 AB 01"),
        ("01 02 00 00 00 09", "01 82 02"),  # an input it does not have
        ("01 01 00 08 00 01", "01 81 02"),
        ("01 05 00 08 FF 00", "01 85 02"),
        ("01 05 02 08 00 07", "01 85 02"),
        ("01 05 04 00 00 07", "01 85 02"),
        ("01 0F 00 04 00 05 01 1F", "01 8F 02"),
        ("01 02 00 00 00 00", "01 82 03"),  # a value that makes no sense
        ("01 02 00 00 07 D1", "01 82 03"),
        ("01 05 00 00 12 34", "01 85 03"),
        ("01 05 02 00 00 00", "01 85 03"),
        ("01 05 02 00 80 00", "01 85 03"),
        ("01 0F 00 00 00 08 02 FF FF", "01 8F 03"),
    ],
)
def test_what_cannot_be_done_is_refused(board: ModbusBoard, request_sent: str, answer: str) -> None:
    assert board.receive(0, framed(request_sent)) == framed(answer)


def test_requests_to_others_and_broken_ones_are_not_answered(board: ModbusBoard) -> None:
    assert board.receive(0, framed("02 02 00 00 00 08")) == b""
    assert board.receive(1, bytes.fromhex("01 02 00 00 00 08 79 CD")) == b""
    assert board.request_count == 0


def test_request_after_one_to_another_unit_is_answered(board: ModbusBoard) -> None:
    data = framed("02 02 00 00 00 08") + framed("01 02 00 00 00 08")
    assert board.receive(0, data) == framed("01 02 01 00")


def test_request_in_portions_is_answered_once_it_is_whole(board: ModbusBoard) -> None:
    request = framed("01 02 00 00 00 08")
    assert [board.receive(n, bytes((byte,))) for n, byte in enumerate(request)][-2:] == [
        b"",
        framed("01 02 01 00"),
    ]


def test_half_a_request_is_forgotten_after_a_silence(board: ModbusBoard) -> None:
    request = framed("01 02 00 00 00 08")
    assert board.receive(0, request[:4]) == b""
    assert board.receive(FORGET_US + 1, request[4:]) == b""
    assert board.receive(FORGET_US + 2, request) == framed("01 02 01 00")


def test_noise_before_a_request_is_skipped(board: ModbusBoard) -> None:
    assert board.receive(0, b"\x00\xff\x01" + framed("01 02 00 00 00 08")) == framed("01 02 01 00")


def test_power_cycle_drops_the_relays_keeps_the_inputs_and_takes_a_moment(board: ModbusBoard) -> None:
    board.set_input(0, True)
    board.receive(0, framed("01 05 00 00 FF 00"))
    board.power_cycle(1_000)
    assert not board.relay_is_on(1_000, 0)
    assert board.receive(BOOT_US, framed("01 02 00 00 00 08")) == b""
    assert board.receive(BOOT_US + 30_000, framed("01 02 00 00 00 08")) == framed("01 02 01 01")


def test_mute_board_does_nothing(board: ModbusBoard) -> None:
    board.mute = True
    assert board.receive(0, framed("01 05 02 00 00 07")) == b""
    assert not board.relay_is_on(1, 0)


def test_board_with_a_spoilt_answer_has_done_what_it_was_told(board: ModbusBoard) -> None:
    board.bad_crc = True
    answer = board.receive(0, framed("01 05 02 00 00 07"))
    assert fastcrc.crc16.modbus(answer) != 0
    assert board.relay_is_on(1, 0)


def test_board_told_to_refuse_does_nothing_else(board: ModbusBoard) -> None:
    board.exception = 4
    assert board.receive(0, framed("01 05 02 00 00 07")) == framed("01 85 04")
    assert not board.relay_is_on(1, 0)


def test_flood_leaves_at_most_a_frame_behind(board: ModbusBoard) -> None:
    for now_us in range(10):
        board.receive(now_us, b"\x01\x0f\x00\x00\x00\x08\xff" * 100)
    assert len(board._buffer) <= 256


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 40_000), st.binary(max_size=300)), max_size=10))
def test_whatever_comes_nothing_is_raised(
    script: list[tuple[int, bytes]],
) -> None:
    board = ModbusBoard(1)
    now_us = 0
    for pause_us, data in script:
        now_us += pause_us
        board.receive(now_us, data)
