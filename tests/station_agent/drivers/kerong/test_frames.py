import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_agent.drivers.kerong.frames import (
    INPUT_MAX,
    QueryAnswered,
    Reply,
    ReplyParser,
    Request,
    Status,
    Trouble,
    framed,
    query,
    read_status,
    unlock,
)

boards = st.integers(0, 15)
words = st.integers(0, 0xFFFF)
requests = st.one_of(
    st.builds(read_status, boards), st.builds(query, boards), st.builds(unlock, boards, st.integers(0, 15))
)
ALL_CLOSED = bytes.fromhex("02 00 35 FF FF 00 00 03 38")


def status_reply(board: int, hooks: int, infrared: int) -> bytes:
    return framed(board << 4, 0x35, hooks.to_bytes(2, "little") + infrared.to_bytes(2, "little"))


def good_reply(request: Request, hooks: int = 0xFFFF, infrared: int = 0) -> tuple[bytes, Reply]:
    if request.command == 0x38:
        return framed(request.unit << 4, 0x38, hooks.to_bytes(2, "little")), QueryAnswered()
    return status_reply(request.unit, hooks, infrared), Status(hooks, infrared)


def expecting(request: Request) -> ReplyParser:
    parser = ReplyParser()
    parser.expect(request)
    return parser


def fed(request: Request, *portions: bytes) -> ReplyParser:
    parser = expecting(request)
    for portion in portions:
        parser.feed(portion)
    return parser


def bytewise(data: bytes) -> list[bytes]:
    return [bytes((byte,)) for byte in data]


@pytest.mark.parametrize(
    ("request_made", "published"),
    [
        (read_status(0), "02 00 30 03 35"),
        (unlock(0, 0), "02 00 31 03 36"),
        (unlock(1, 2), "02 12 31 03 48"),
    ],
)
def test_requests_are_those_that_are_published(request_made: Request, published: str) -> None:
    assert request_made.frame == bytes.fromhex(published)


@pytest.mark.parametrize(
    "published", ["02 00 30 03 35", "02 00 31 03 36", "02 12 31 03 48", "02 00 35 FF FF 00 00 03 38"]
)
def test_checksum_of_each_published_frame_is_the_sum_of_the_bytes_before_it(published: str) -> None:
    *before, last = bytes.fromhex(published)
    total = 0
    for byte in before:
        total += byte
    assert total % 256 == last
    assert framed(before[1], before[2], bytes(before[3:-1]))[-1] == last


def test_published_reply_is_understood() -> None:
    assert fed(read_status(0), ALL_CLOSED).reply == Status(hooks=0xFFFF, infrared=0)


def test_no_request_unlocks_all() -> None:
    made = [read_status(b) for b in range(16)] + [query(b) for b in range(16)]
    made += [unlock(b, n) for b in range(16) for n in range(16)]
    assert {request.frame[2] for request in made} == {0x30, 0x31, 0x38}


@pytest.mark.parametrize(("board", "lock"), [(16, 0), (-1, 0), (0, 16), (0, -1)])
def test_lock_that_cannot_be_addressed_is_our_own_mistake(board: int, lock: int) -> None:
    with pytest.raises(AssertionError):
        unlock(board, lock)


def test_end_mark_and_start_mark_inside_the_data_end_and_start_nothing() -> None:
    for hooks in (0x0303, 0x3003, 0x0002, 0x0202):
        for infrared in (0x0303, 0x0203, 0x3502):
            data = status_reply(1, hooks, infrared)
            assert fed(read_status(1), *bytewise(data)).reply == Status(hooks, infrared)


def test_first_lock_is_the_lowest_bit_of_the_first_byte() -> None:
    assert fed(read_status(0), framed(0, 0x35, bytes.fromhex("01 80 02 40"))).reply == Status(0x8001, 0x4002)


@given(requests, words, words, st.integers(0, 9))
def test_every_reply_is_understood_in_whatever_portions_it_comes(
    request_made: Request, hooks: int, infrared: int, cut: int
) -> None:
    data, reply = good_reply(request_made, hooks, infrared)
    assert fed(request_made, data).reply == reply
    assert fed(request_made, *bytewise(data)).reply == reply
    assert fed(request_made, data[:cut], data[cut:]).reply == reply


@given(requests, words, words, st.binary(max_size=40).filter(lambda noise: 0x02 not in noise))
def test_reply_is_found_behind_noise(request_made: Request, hooks: int, infrared: int, noise: bytes) -> None:
    data, reply = good_reply(request_made, hooks, infrared)
    assert fed(request_made, noise, *bytewise(data)).reply == reply


@given(requests, words, words)
def test_own_request_coming_back_harms_nothing_and_is_no_reply(
    request_made: Request, hooks: int, infrared: int
) -> None:
    parser = fed(request_made, request_made.frame)
    assert (parser.reply, parser.trouble) == (None, Trouble.SILENT)
    data, reply = good_reply(request_made, hooks, infrared)
    parser.feed(data)
    assert parser.reply == reply
    assert not parser.has_left_over


@given(requests, words, words, st.integers(0, 8), st.integers(0, 7))
def test_one_flipped_bit_leaves_no_reply(
    request_made: Request, hooks: int, infrared: int, at: int, bit: int
) -> None:
    data = bytearray(good_reply(request_made, hooks, infrared)[0])
    at %= len(data)
    data[at] ^= 1 << bit
    parser = fed(request_made, bytes(data))
    assert (parser.reply, parser.trouble) == (None, Trouble.GARBLED)


@given(st.builds(read_status, boards), words, words, st.integers(1, 8))
def test_reply_that_is_cut_is_none(request_made: Request, hooks: int, infrared: int, missing: int) -> None:
    data, _ = good_reply(request_made, hooks, infrared)
    assert fed(request_made, data[:-missing]).reply is None


@pytest.mark.parametrize(
    ("request_made", "other"),
    [
        (read_status(0), status_reply(1, 0xFFFF, 0)),
        (read_status(0), framed(0, 0x38, b"\x37")),
        (read_status(0), framed(0, 0x36, bytes(4))),
        (query(0), ALL_CLOSED),
        (unlock(0, 3), status_reply(3, 0xFFFF, 0)),
        (unlock(0, 3), framed(0, 0x38, b"\x37")),
    ],
)
def test_reply_to_something_else_is_none(request_made: Request, other: bytes) -> None:
    parser = fed(request_made, other)
    assert (parser.reply, parser.trouble) == (None, Trouble.GARBLED)


@pytest.mark.parametrize("address", [0x10, 0x12])
def test_unlock_may_be_answered_in_the_name_of_the_board_or_of_the_lock(address: int) -> None:
    assert fed(unlock(1, 2), framed(address, 0x35, b"\xff\xff\x00\x00")).reply == Status(0xFFFF, 0)


@pytest.mark.parametrize("data", [b"\x37", b"\x00\x37", bytes(3), bytes(4), b"\x03\x03"])
def test_query_may_be_answered_with_one_to_four_bytes(data: bytes) -> None:
    assert fed(query(2), framed(0x20, 0x38, data)).reply == QueryAnswered()


@pytest.mark.parametrize("apart", [True, False])
def test_of_two_replies_that_could_be_meant_none_is_believed(apart: bool) -> None:
    first, second = status_reply(0, 0xFFFE, 0), ALL_CLOSED
    parser = fed(read_status(0), first, second) if apart else fed(read_status(0), first + second)
    assert (parser.reply, parser.trouble) == (None, Trouble.SEVERAL)


def test_left_over_that_cannot_be_meant_is_passed_over_and_named() -> None:
    for other in (framed(0, 0x38, b"\x00\x37"), status_reply(1, 0, 0)):
        parser = fed(read_status(0), other + ALL_CLOSED)
        assert (parser.reply, parser.has_left_over) == (Status(0xFFFF, 0), True)
    assert not fed(read_status(0), ALL_CLOSED).has_left_over


def test_left_over_whose_missing_checksum_is_the_next_start_mark_is_not_believed() -> None:
    """A stale reply cut by its last byte, and 0x02 of the next one happens to fit."""
    hooks = next(hooks for hooks in range(0x10000) if status_reply(0, hooks, 0)[-1] == 0x02)
    stale = status_reply(0, hooks, 0)[:-1]
    assert fed(read_status(0), stale + ALL_CLOSED).reply is None


def test_little_noise_behind_a_reply_is_no_harm_but_more_of_it_is() -> None:
    assert fed(read_status(0), ALL_CLOSED, b"\x00\xff").reply == Status(0xFFFF, 0)
    assert fed(read_status(0), ALL_CLOSED, b"\x00\xff\x00").reply is None
    assert fed(read_status(0), ALL_CLOSED, b"\x02").reply is None, "another reply begins"


def test_parser_that_was_never_asked_anything_has_no_reply() -> None:
    parser = ReplyParser()
    parser.feed(ALL_CLOSED)
    assert parser.reply is None


@given(st.lists(st.one_of(requests, st.binary(max_size=200)), max_size=12), requests)
def test_whatever_comes_nothing_is_raised_little_is_kept_and_the_next_reply_is_understood(
    script: list[Request | bytes], last: Request
) -> None:
    parser = ReplyParser()
    for step in script:
        if isinstance(step, Request):
            parser.expect(step)
        else:
            parser.feed(step)
        assert len(parser._input) <= INPUT_MAX + 1
    parser.expect(last)
    data, reply = good_reply(last)
    parser.feed(data)
    assert parser.reply == reply
