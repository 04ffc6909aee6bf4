"""What passes on a line, in words: whole, in pieces, among noise, and never with a card's number in it."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_agent.drivers.annotation import MASK, Annotator, Shown
from station_agent.drivers.kerong.annotate import KerongAnnotator
from station_agent.drivers.modbus.annotate import ModbusAnnotator
from station_agent.drivers.modbus.frames import with_crc
from station_agent.drivers.osdp import framing
from station_agent.drivers.osdp.annotate import OsdpAnnotator
from station_agent.drivers.osdp.framing import REPLY_BIT
from station_agent.drivers.osdp.messages import Command, Refusal, Reply

CARD = bytes.fromhex("04A1B2C3D4E5F6")
ANNOTATORS: tuple[Callable[[], Annotator], ...] = (ModbusAnnotator, OsdpAnnotator, KerongAnnotator)


def words(shown: list[Shown]) -> list[str]:
    return [one.words for one in shown]


@pytest.mark.parametrize(
    ("request_", "answer", "asked", "answered"),
    [
        ("010200000008 79CC", "010201FF E1C8", "unit 1: show inputs 1 to 8", "inputs on: 1, 2, 3, 4, 5, 6, 7, 8"),
        ("010100000008 3DCC", "010101 00 5188", "unit 1: show relays 1 to 8", "relays on: none"),
        ("010502000007 8DB0", "010502000007 8DB0", "unit 1: relay 1 on for 700 ms", "done as ordered"),
        ("01050000FF00 8C3A", "01050000FF00 8C3A", "unit 1: relay 1 on", "done as ordered"),
        ("010500000000 CDCA", "018502 C351", "unit 1: relay 1 off", "refused: has no such channel (2)"),
    ],
)
def test_modbus_in_words(request_: str, answer: str, asked: str, answered: str) -> None:
    annotator = ModbusAnnotator()
    (sent,) = annotator.feed(bytes.fromhex(request_), sent=True)
    assert sent.words == asked
    told = [one for byte in bytes.fromhex(answer) for one in annotator.feed(bytes((byte,)), sent=False)]
    assert words(told) == [f"unit 1: {answered}"]
    assert told[0].octets == bytes.fromhex(answer).hex(" ").upper()


@pytest.mark.parametrize(
    ("sent", "frame", "expected"),
    [
        (True, "0200300335", "board 0: show the contacts"),
        (True, "0212310348", "board 1: unlock 3"),
        (False, "020035FFFF00000338", "board 0: open: none; something seen at: none"),
        (False, "021035FBFF03000347", "board 1: open: 3; something seen at: 1, 2"),
    ],
)
def test_kerong_in_words_whole_and_byte_by_byte(sent: bool, frame: str, expected: str) -> None:
    data = bytes.fromhex(frame)
    assert words(KerongAnnotator().feed(data, sent=sent)) == [expected]
    if not sent:
        annotator = KerongAnnotator()
        assert words([one for byte in data for one in annotator.feed(bytes((byte,)), sent=False)]) == [expected]
        annotator = KerongAnnotator()
        assert words(annotator.feed(b"\xff\x02" + data + data, sent=False)) == [
            "2 bytes that are no reply",
            expected,
            expected,
        ]


def test_what_is_no_answer_is_shown_as_that() -> None:
    annotator = ModbusAnnotator()
    annotator.feed(bytes.fromhex("01020000000879CC"), sent=True)
    assert words(annotator.feed(b"\x00\xff" + with_crc(b"\x01\x02\x01\x03"), sent=False)) == [
        "2 bytes that are no answer",
        "unit 1: inputs on: 1, 2",
    ]
    assert annotator.feed(b"\x01\x02\x01", sent=False) == []
    assert words(annotator.feed(bytes.fromhex("01020000000879CC"), sent=True)) == [
        "3 bytes that are no answer",
        "unit 1: show inputs 1 to 8",
    ]


def test_osdp_in_words_in_any_portions() -> None:
    frames = [
        (framing.MARK + framing.encode(1, 0, Command.ID, b"\x00"), True, "reader 1, 0: who are you?"),
        (framing.encode(1 | REPLY_BIT, 0, Reply.PDID, bytes(12)), False, "reader 1, 0: who it is"),
        (framing.encode(1, 1, Command.POLL), True, "reader 1, 1: anything new?"),
        (
            framing.encode(1 | REPLY_BIT, 1, Reply.NAK, bytes((Refusal.BAD_SEQUENCE,))),
            False,
            "reader 1, 1: refused: wrong sequence number (4)",
        ),
        (
            framing.encode(1 | REPLY_BIT, 1, Reply.NAK, b"\x63"),
            False,
            "reader 1, 1: refused: for a reason unknown here (99)",
        ),
        (framing.encode(2, 2, 0x7E), True, "reader 2, 2: code 7E"),
    ]
    for portion in (1, 3, 1000):
        annotator = OsdpAnnotator()
        for frame, sent, expected in frames:
            pieces = [frame[i : i + portion] for i in range(0, len(frame), portion)]
            assert words([one for piece in pieces for one in annotator.feed(piece, sent=sent)]) == [expected]


@pytest.mark.parametrize(
    ("code", "payload", "secret"),
    [(Reply.RAW, b"\x00\x00\x38\x00" + CARD, CARD), (Reply.KEYPAD, b"\x00\x041234", b"1234")],
)
def test_a_card_and_a_pin_that_come_in_clear_are_masked(code: Reply, payload: bytes, secret: bytes) -> None:
    frame = framing.encode(1 | REPLY_BIT, 1, code, payload)
    (shown,) = OsdpAnnotator().feed(frame, sent=False)
    assert secret.hex(" ").upper() not in shown.octets
    assert shown.octets.count(MASK) == len(payload)
    assert shown.octets.split(" ")[-2:] == [f"{byte:02X}" for byte in frame[-2:]]
    cut = OsdpAnnotator()
    told = cut.feed(frame[:-1] + b"\x00" + framing.encode(1 | REPLY_BIT, 2, Reply.ACK), sent=False)
    assert words(told) == [f"{len(frame)} bytes that are no frame", "reader 1, 2: nothing new"]
    assert secret.hex(" ").upper() not in "".join(one.octets for one in told)


@pytest.mark.parametrize("make", ANNOTATORS)
@given(pieces=st.lists(st.tuples(st.booleans(), st.binary(max_size=300)), max_size=30))
def test_whatever_passes_nothing_is_raised_and_little_is_held(
    make: Callable[[], Annotator], pieces: list[tuple[bool, bytes]]
) -> None:
    annotator = make()
    for sent, data in pieces:
        for shown in annotator.feed(data, sent=sent):
            assert shown.words
    held: list[object] = [one for value in vars(annotator).values() for one in _within(value)]
    assert all(len(one) <= 600 for one in held if isinstance(one, bytes))


def _within(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else [value]


def test_after_noise_the_next_frames_are_told_again() -> None:
    rng = Random("noise")
    for make, frame in (
        (ModbusAnnotator, with_crc(b"\x01\x02\x01\x03")),
        (OsdpAnnotator, framing.encode(1 | REPLY_BIT, 1, Reply.ACK)),
    ):
        annotator = make()
        for _ in range(50):
            annotator.feed(rng.randbytes(rng.randrange(1, 80)), sent=False)
        told = [one.words for _ in range(80) for one in annotator.feed(frame, sent=False)]
        assert told[-1].startswith(("unit 1:", "reader 1, 1: nothing new"))
        assert len([one for one in told if "no" not in one.partition(":")[0]]) > 40
