import fastcrc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_agent.drivers.modbus.frames import (
    AnswerParser,
    BitsRead,
    CoilWritten,
    Refused,
    Request,
    Trouble,
    crc16,
    pulse_coil,
    read_coils,
    read_inputs,
    with_crc,
    write_coil,
)

units = st.integers(1, 247)
requests = st.one_of(
    st.builds(read_inputs, units, st.integers(0, 255), st.integers(1, 64)),
    st.builds(read_coils, units, st.integers(0, 255), st.integers(1, 64)),
    st.builds(pulse_coil, units, st.integers(0, 255), st.integers(1, 50).map(lambda n: n * 100)),
    st.builds(lambda unit, n, on: write_coil(unit, n, on=on), units, st.integers(0, 255), st.booleans()),
)


def answer_bits(request: Request, bits: int) -> bytes:
    size = request.answer_size - 5
    return with_crc(bytes((request.unit, request.function, size)) + bits.to_bytes(size, "little"))


def refusal(request: Request, code: int) -> bytes:
    return with_crc(bytes((request.unit, request.function | 0x80, code)))


def expecting(request: Request, *, local_echo: bool = False) -> AnswerParser:
    parser = AnswerParser(local_echo=local_echo)
    parser.expect(request)
    return parser


@pytest.mark.parametrize(
    ("request_made", "published"),
    [
        (write_coil(1, 0, on=True), "01 05 00 00 FF 00 8C 3A"),
        (write_coil(1, 0, on=False), "01 05 00 00 00 00 CD CA"),
        (read_coils(1, 0, 8), "01 01 00 00 00 08 3D CC"),
        (read_inputs(1, 0, 8), "01 02 00 00 00 08 79 CC"),
        (pulse_coil(1, 0, 700), "01 05 02 00 00 07 8D B0"),
    ],
)
def test_requests_are_those_that_the_maker_publishes(request_made: Request, published: str) -> None:
    assert request_made.frame == bytes.fromhex(published)


def test_published_answer_to_reading_the_inputs_is_understood() -> None:
    assert expecting(read_inputs(1, 0, 8)).feed(bytes.fromhex("01 02 01 FF E1 C8")) == BitsRead(0xFF)


@given(st.binary(max_size=300))
def test_checksum_is_the_one_that_others_compute(data: bytes) -> None:
    assert crc16(data) == fastcrc.crc16.modbus(data)
    assert crc16(with_crc(data)) == 0


@given(requests, st.integers(0), st.integers(1, 255), st.data())
def test_every_answer_is_understood_in_whatever_portions_it_comes(
    request_made: Request, value: int, code: int, data: st.DataObject
) -> None:
    size = request_made.answer_size - 5
    bits = value & ((1 << 8 * size) - 1)
    frame, answer = data.draw(
        st.sampled_from(
            [
                (refusal(request_made, code), Refused(code)),
                (request_made.frame, CoilWritten())
                if request_made.function == 5
                else (answer_bits(request_made, bits), BitsRead(bits)),
            ]
        )
    )
    cut = data.draw(st.integers(0, len(frame)))
    assert expecting(request_made).feed(frame) == answer
    parser = expecting(request_made)
    assert [found for byte in frame if (found := parser.feed(bytes((byte,))))] == [answer]
    parser = expecting(request_made)
    assert [found for part in (frame[:cut], frame[cut:]) if (found := parser.feed(part))] == [answer]


@given(requests, st.binary(max_size=40), st.integers(1, 255))
def test_answer_is_found_behind_noise(request_made: Request, noise: bytes, code: int) -> None:
    parser = expecting(request_made)
    found = parser.feed(noise)
    assert found or parser.feed(refusal(request_made, code)) == Refused(code)


@given(st.lists(st.one_of(requests, st.binary(max_size=600)), max_size=12), st.booleans())
def test_whatever_comes_nothing_is_raised_and_less_than_a_frame_is_kept(
    script: list[Request | bytes], local_echo: bool
) -> None:
    parser = AnswerParser(local_echo=local_echo)
    for step in script:
        if isinstance(step, Request):
            parser.expect(step)
        else:
            parser.feed(step)
        assert len(parser._buffer) < 256


@given(requests, st.integers(0, 7), st.integers(0, 63))
def test_one_flipped_bit_leaves_no_answer(request_made: Request, bit: int, at: int) -> None:
    frame = bytearray(refusal(request_made, 2) if request_made.function == 5 else answer_bits(request_made, 0))
    frame[at % len(frame)] ^= 1 << bit
    parser = expecting(request_made)
    assert parser.feed(bytes(frame)) is None
    assert parser.trouble is Trouble.GARBLED


@pytest.mark.parametrize(
    "answer",
    ["02 02 01 FF", "01 01 01 FF", "01 02 02 FF FF", "02 82 02"],
    ids=["unit", "function", "length", "refusal to another unit"],
)
def test_answer_to_something_else_is_no_answer(answer: str) -> None:
    parser = expecting(read_inputs(1, 0, 8))
    assert parser.feed(with_crc(bytes.fromhex(answer))) is None
    assert parser.trouble is Trouble.GARBLED


def test_answer_is_given_once() -> None:
    parser = expecting(read_inputs(1, 0, 8))
    frame = bytes.fromhex("01 02 01 FF E1 C8")
    assert parser.feed(frame + frame) == BitsRead(0xFF)
    assert parser.surplus == len(frame)
    assert parser.feed(frame) is None


def test_answer_from_an_earlier_exchange_is_not_told_apart_which_is_why_the_bus_must_be_quiet_first() -> None:
    request = read_inputs(1, 0, 8)
    late = answer_bits(request, 0x01)
    parser = expecting(request)  # timed out
    parser.expect(request)
    assert parser.feed(late) == BitsRead(0x01)


def test_local_echo_is_dropped_to_the_byte_so_that_a_write_is_answered_by_the_board_alone() -> None:
    request = pulse_coil(1, 3, 700)
    parser = expecting(request, local_echo=True)
    assert parser.feed(request.frame) is None
    assert parser.trouble is Trouble.SILENT
    assert parser.feed(request.frame) == CoilWritten()
    parser = expecting(request, local_echo=True)
    assert [parser.feed(bytes((byte,))) for byte in request.frame * 2][-2:] == [None, CoilWritten()]


def test_echo_that_differs_from_what_was_sent_spoils_the_exchange() -> None:
    request = read_inputs(1, 0, 8)
    parser = expecting(request, local_echo=True)
    assert parser.feed(answer_bits(request, 1)) is None
    assert parser.feed(answer_bits(request, 1)) is None
    assert parser.trouble is Trouble.NOT_ECHOED


@pytest.mark.parametrize("portions", [1, 2, 14])
def test_own_read_request_coming_back_spoils_the_exchange(portions: int) -> None:
    request = read_inputs(1, 0, 8)
    incoming = request.frame + answer_bits(request, 1)
    parser = expecting(request)
    size = -(-len(incoming) // portions)
    for start in range(0, len(incoming), size):
        assert parser.feed(incoming[start : start + size]) is None
    assert parser.trouble is Trouble.ECHOED


def test_pulse_that_the_board_cannot_time_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        pulse_coil(1, 0, 750)
    with pytest.raises(AssertionError):
        pulse_coil(1, 0, 0)
    with pytest.raises(AssertionError):
        read_inputs(0, 0, 8)
