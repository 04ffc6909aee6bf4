"""What the driver does, in virtual time: no port, no clock, no waiting."""

import random

import pytest
from carshare_wiegand import ASK, DRIVER, LINE_MAX, WiegandAnnotator, WiegandReader

from station_agent.core.device_events import CardRead, ReaderLost, ReaderSeen, ReaderSignal

SECOND_US = 1_000_000
SEEN = ReaderSeen("gate", tampered=False, power_failed=False)


def opened() -> WiegandReader:
    codec = WiegandReader("gate")
    assert codec.opened(0).send == ASK
    assert codec.received(1, b"OK\r\n").events == (SEEN,)
    return codec


def test_a_card_is_told_with_its_bits_in_whatever_portions_it_comes() -> None:
    codec = opened()
    assert codec.received(2, b"C26 3A5F1C40\r\n").events == (CardRead("gate", 26, bytes.fromhex("3A5F1C40")),)
    told = [event for byte in b"C26 3A5F1C40\r\n" for event in codec.received(3, bytes((byte,))).events]
    assert told == [CardRead("gate", 26, bytes.fromhex("3A5F1C40"))]


def test_a_signal_lights_the_lamp_at_once() -> None:
    codec = opened()
    codec.indicate("gate", ReaderSignal.TAKEN)
    assert codec.elapsed(2).send == b"L G 50\r\n"
    assert codec.elapsed(3).send == b""
    assert ReaderSignal.WAIT not in DRIVER.shows


def test_a_silent_converter_is_lost_within_four_seconds_and_seen_when_it_answers() -> None:
    codec, lost = opened(), []
    for second in range(1, 11):
        output = codec.elapsed(second * SECOND_US)
        lost += [(second, event) for event in output.events]
        assert output.send == ASK
    assert lost == [(4, ReaderLost("gate", "no answer"))]
    assert codec.received(11 * SECOND_US, b"OK\r\n").events == (SEEN,)
    assert codec.closed(12 * SECOND_US).events == (ReaderLost("gate", "the line is gone"),)


@pytest.mark.parametrize("noise", [b"C26 3A5F\r\n", b"C26 3a5f1c40\r\n", b"\r\n", b"\xff\x00OK\r\n", b"C0 00\r\n"])
def test_noise_is_counted_and_hides_no_line_after_it(noise: bytes) -> None:
    codec = opened()
    assert codec.received(2, noise).events == ()
    assert codec.statistics.garbled == 1
    assert codec.received(3, b"C8 7F\r\n").events == (CardRead("gate", 8, b"\x7f"),)


def test_whatever_comes_nothing_is_raised_and_little_is_held() -> None:
    rng, codec, annotator = random.Random(1), opened(), WiegandAnnotator()
    for now_us in range(2_000):
        data = rng.randbytes(rng.randrange(40)) + rng.choice((b"", b"\r", b"\r\n", b"C8 7F"))
        codec.received(now_us, data)
        annotator.feed(data, sent=False)
        assert len(codec._held) <= LINE_MAX
        assert len(annotator._held) <= LINE_MAX


def test_the_number_of_a_card_is_not_in_a_trace() -> None:
    (shown,) = WiegandAnnotator().feed(b"C26 3A5F1C40\r\n", sent=False)
    assert shown.words == "a card of 26 bits"
    assert "3A" not in shown.octets
