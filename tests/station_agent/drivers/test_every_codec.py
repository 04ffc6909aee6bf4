"""What holds for each codec alike: fed whole, byte by byte, with noise, with loss, with delays.

The bench looks all along at what must hold (`fuzz/line.py`): nothing is raised, little is held, time goes on, no
lock clicks without an order, no card is told that nobody showed. At the end the line is clean, and the codec works.
"""

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fuzz.documents import DOCUMENTS, Check
from fuzz.line import SECOND_US, Bench, Delivery, Subject, Way, clean
from fuzz.script import play
from fuzz.subjects import SUBJECTS
from station_agent.core.device_events import DeviceEvent

Make = Callable[[], Subject]

lines = pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in SUBJECTS.items()])
documents = pytest.mark.parametrize(
    ("check", "examples"), [pytest.param(*both, id=name) for name, both in DOCUMENTS.items()]
)
# a run is seconds of a line: some milliseconds here, tens where both cores are busy
thorough = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(thorough, max_examples=10)

DEEDS = 6
PAUSE_US = 3 * SECOND_US // 2
FLOOD_BYTES = 30_000  # ten times the longest frame of any codec here
LATE_MAX_US = 2 * SECOND_US  # as long as any codec goes on being careful with what it is owed


def conversation(
    make: Make, *, way: Way = clean, byte_by_byte: bool = False, noise: list[bytes] | None = None
) -> Bench:
    """Some things happen and some orders are given, with what the line does to it; the cable is pulled once."""
    bench = Bench(make(), way=way, byte_by_byte=byte_by_byte)
    bench.open()
    for number in range(DEEDS):
        bench.run(PAUSE_US)
        if noise:
            bench.inject(noise[number % len(noise)])
        bench.subject.show(bench.now_us, number)
        bench.run(PAUSE_US)
        bench.order(number)
        if number == DEEDS // 2:
            bench.close()
            bench.run(SECOND_US)
            bench.open()
    return bench


def told(make: Make, *, byte_by_byte: bool) -> list[DeviceEvent]:
    bench = conversation(make, byte_by_byte=byte_by_byte)
    bench.recover()
    return bench.events


@lines
def test_byte_by_byte_the_same_is_told_as_whole(make: Make) -> None:
    whole = told(make, byte_by_byte=False)
    assert len(whole) > DEEDS
    assert told(make, byte_by_byte=True) == whole


@lines
@thorough
@given(noise=st.lists(st.binary(max_size=80), min_size=1, max_size=DEEDS), by_byte=st.booleans())
def test_noise_does_no_harm_and_the_codec_is_in_step_again_behind_it(
    make: Make, noise: list[bytes], by_byte: bool
) -> None:
    conversation(make, noise=noise, byte_by_byte=by_byte).recover()


@lines
@thorough
@given(seed=st.integers(0, 1 << 32), percent=st.sampled_from([1, 5, 20, 60, 100]), by_byte=st.booleans())
@example(seed=0, percent=100, by_byte=False)
def test_loss_does_no_harm_and_the_codec_works_again_without_it(
    make: Make, seed: int, percent: int, by_byte: bool
) -> None:
    rng = random.Random(seed)

    def lossy(data: bytes) -> Delivery:
        return [(0, bytes(byte for byte in data if rng.random() * 100 >= percent))]

    conversation(make, way=lossy, byte_by_byte=by_byte).recover()


@lines
@thorough
@given(seed=st.integers(0, 1 << 32), late_max_us=st.sampled_from([5_000, 50_000, 400_000, LATE_MAX_US]))
def test_delays_between_and_within_frames_do_no_harm_and_the_codec_works_again_without_them(
    make: Make, seed: int, late_max_us: int
) -> None:
    rng = random.Random(seed)

    def slow(data: bytes) -> Delivery:
        at = rng.randrange(len(data) + 1)
        return [(rng.randrange(late_max_us), data[:at]), (rng.randrange(late_max_us), data[at:])]

    conversation(make, way=slow).recover()


@lines
@thorough
@given(seed=st.integers(0, 1 << 32), by_byte=st.booleans())
def test_all_of_it_at_once_does_no_harm(make: Make, seed: int, by_byte: bool) -> None:
    rng = random.Random(seed)

    def bad(data: bytes) -> Delivery:
        spoilt = bytes(byte ^ (1 << rng.randrange(8)) if rng.random() < 0.05 else byte for byte in data)
        pieces = [spoilt, rng.randbytes(rng.randrange(8)), data if rng.random() < 0.1 else b""]
        return [(rng.choice((0, 0, 0, 30_000, 500_000)), piece) for piece in pieces]

    conversation(make, way=bad, byte_by_byte=by_byte).recover()


@lines
@few
@given(pattern=st.binary(min_size=1, max_size=20), portion=st.sampled_from([1, 7, 64, 4096, FLOOD_BYTES]))
def test_a_flood_is_not_hoarded(make: Make, pattern: bytes, portion: int) -> None:
    bench = Bench(make())
    bench.open()
    bench.run(SECOND_US)
    flood = pattern * (min(FLOOD_BYTES, 300 * portion) // len(pattern))
    for at in range(0, len(flood), portion):
        bench.inject(flood[at : at + portion])
    bench.recover()


@lines
@thorough
@given(st.binary(max_size=250))
def test_whatever_happens_in_whatever_order_does_no_harm(make: Make, script: bytes) -> None:
    play(make(), script)


@documents
@thorough
@given(data=st.data())
def test_a_message_that_is_cut_changed_or_anything_else_is_read_or_refused(
    check: Check, examples: tuple[bytes, ...], data: st.DataObject
) -> None:
    message = data.draw(st.sampled_from(examples))
    check(message)
    at, size = data.draw(st.integers(0, len(message))), data.draw(st.integers(0, 20))
    check(message[:at])
    check(message[:at] + data.draw(st.binary(max_size=20)) + message[at + size :])
    check(data.draw(st.binary(max_size=300)))
