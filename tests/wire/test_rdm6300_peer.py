"""Our tag reader's frames against the parser of PyPI `rdm6300`, which this project did not write."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdm6300 import BaseReader, Reader

from runtime.clocks import SystemLineClock
from simulator.devices.paced_pty import PacedPty
from simulator.devices.rdm6300_reader import Rdm6300Device, frame_of
from station_agent.drivers.rdm6300 import parse

PUBLISHED = bytes.fromhex("02 30 31 30 30 30 37 33 34 45 30 44 32 03")
READ_S = 5.0  # a frame comes every 65 ms


def theirs(frame: bytes) -> bytes | None:
    """The tag that the other parser finds in a frame whose ends it has taken off: its type byte, its value."""
    card = BaseReader._parse_fragment([int(chr(digit), 16) for digit in frame[1:-1]])
    return bytes((card.type,)) + card.value.to_bytes(4) if card is not None and card.is_valid else None


@given(st.binary(min_size=5, max_size=5))
def test_both_parsers_find_one_tag_in_what_our_simulator_sends(tag: bytes) -> None:
    frame = frame_of(tag)
    assert parse(frame) == theirs(frame) == tag


@given(st.text("0123456789ABCDEF", min_size=12, max_size=12))
def test_both_parsers_refuse_the_same_checksums(digits: str) -> None:
    frame = b"\x02" + digits.encode() + b"\x03"
    assert parse(frame) == theirs(frame)


def test_both_parsers_find_the_published_tag() -> None:
    assert parse(PUBLISHED) == theirs(PUBLISHED) == bytes.fromhex("01000734E0")


@pytest.mark.parametrize("noise", [b"", b"\x00"])
async def test_their_reader_takes_a_tag_from_our_simulated_one(tmp_path: Path, noise: bytes) -> None:
    clock, device = SystemLineClock(), Rdm6300Device()
    device.noise = noise
    port = PacedPty.of_talker(tmp_path / "tags", device, clock, baud_rate=9600)
    port.open()
    reader = Reader(str(port.link))
    try:
        device.hold(clock.now_us(), bytes.fromhex("01000734E0"))
        port.changed()
        card = await asyncio.to_thread(reader.read, READ_S)
        assert (card.type, card.value, card.is_valid) == (0x01, 0x000734E0, True)
    finally:
        reader.close()
        port.close()
