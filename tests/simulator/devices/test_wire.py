from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.wire import SENDING_MAX, Wire

BAUD_RATE = 9600
TURNAROUND_US = 4_000
CHARACTER_US = 10_000_000 / BAUD_RATE


class Parrot:
    """Answers each portion with a fixed answer and notes when it came."""

    def __init__(self, answer: bytes = b"", late_ms: int = 0) -> None:
        self.answer = answer
        self.late_ms = late_ms
        self.heard: list[tuple[int, bytes]] = []

    def receive(self, now_us: int, data: bytes) -> bytes:
        self.heard.append((now_us, data))
        return self.answer


class Plain:
    """A device that knows nothing of lateness."""

    def receive(self, now_us: int, data: bytes) -> bytes:
        return data[::-1]


def wire(*devices: Parrot | Plain) -> Wire:
    return Wire(devices, baud_rate=BAUD_RATE, turnaround_us=TURNAROUND_US)


def carried(wire: Wire) -> list[tuple[int, bytes]]:
    """Runs until nothing is under way; what reached the master, and when."""
    arrivals = []
    while (wake_at_us := wire.wake_at_us) is not None:
        if data := wire.elapsed(wake_at_us):
            arrivals.append((wake_at_us, data))
    return arrivals


def test_bytes_reach_the_device_when_the_last_one_would_on_a_real_wire() -> None:
    device = Parrot()
    bus = wire(device)
    bus.sent(1_000, b"12345678")
    assert bus.elapsed(1_000 + 8_332) == b""
    assert not device.heard
    bus.elapsed(1_000 + 8_333)
    assert device.heard == [(9_333, b"12345678")]


def test_answer_reaches_the_master_after_turnaround_and_its_own_time() -> None:
    bus = wire(Parrot(b"123456"))
    bus.sent(0, b"12345678")
    assert carried(bus) == [(8_333 + TURNAROUND_US + 6_250, b"123456")]
    assert bus.wake_at_us is None


def test_device_answers_at_its_own_time_even_if_it_is_asked_late() -> None:
    device = Parrot(b"1")
    bus = wire(device)
    bus.sent(0, b"1")
    assert bus.elapsed(60_000_000) == b"1"
    assert device.heard == [(1_042, b"1")]


def test_late_device_answers_later_by_its_lateness_and_in_the_order_asked() -> None:
    device = Parrot(b"a", late_ms=300)
    bus = wire(device)
    bus.sent(0, b"1")
    bus.elapsed(1_042)
    device.answer, device.late_ms = b"b", 0
    bus.sent(100_000, b"2")
    (first_us, first), (second_us, second) = carried(bus)
    assert (first, second) == (b"a", b"b")
    assert first_us == 1_042 + TURNAROUND_US + 300_000 + 1_042
    assert second_us == first_us + 1_042


def test_portions_of_one_master_follow_each_other_without_spoiling() -> None:
    device = Parrot()
    bus = wire(device)
    bus.sent(0, b"1234")
    bus.sent(100, b"5678")
    carried(bus)
    assert device.heard == [(4_167, b"1234"), (8_334, b"5678")]
    assert bus.collision_count == 0


def test_two_devices_at_once_spoil_each_others_answers() -> None:
    bus = wire(Parrot(b"first"), Parrot(b"second"))
    bus.sent(0, b"?")
    heard = b"".join(data for _, data in carried(bus))
    assert bus.collision_count == 1
    assert b"first" not in heard
    assert b"second" not in heard


def test_master_that_talks_into_an_answer_spoils_both() -> None:
    device = Parrot(b"answer")
    bus = wire(device)
    bus.sent(0, b"?")
    bus.elapsed(1_042)
    bus.sent(1_042 + TURNAROUND_US + 1_000, b"again")
    arrivals = carried(bus)
    assert device.heard[1][1] != b"again"
    assert arrivals[0][1] != b"answer"


def test_echoing_adapter_hands_the_masters_bytes_back_when_they_have_gone_out() -> None:
    bus = wire(Parrot(b"yes"))
    bus.echo = True
    bus.sent(0, b"?")
    assert carried(bus) == [(1_042, b"?"), (1_042 + TURNAROUND_US + 3_125, b"yes")]


def test_device_that_knows_nothing_of_lateness_fits_as_well() -> None:
    bus = wire(Plain())
    bus.sent(0, b"abc")
    assert [data for _, data in carried(bus)] == [b"cba"]


def test_pulled_cable_loses_what_was_under_way() -> None:
    bus = wire(Parrot(b"answer"))
    bus.sent(0, b"?")
    bus.clear()
    assert bus.wake_at_us is None
    assert bus.elapsed(1_000_000) == b""


def test_master_that_never_waits_fills_the_wire_and_no_more() -> None:
    bus = wire(Parrot())
    for _ in range(2 * SENDING_MAX):
        bus.sent(0, b"?")
    assert len(bus._under_way) == SENDING_MAX


def test_somebody_else_on_the_bus_is_heard_by_the_devices_and_by_the_master() -> None:
    device = Parrot(b"answer")
    bus = wire(device)
    bus.intrude(1_000, b"1234")
    assert carried(bus) == [(1_000 + 4_167, b"1234"), (1_000 + 4_167 + TURNAROUND_US + 6_250, b"answer")]
    assert device.heard == [(5_167, b"1234")]


def test_somebody_else_who_speaks_at_the_same_time_spoils_both() -> None:
    device = Parrot()
    bus = wire(device)
    bus.sent(0, b"1234")
    bus.intrude(2_000, b"5678")
    carried(bus)
    assert bus.collision_count == 1
    assert {data for _, data in device.heard}.isdisjoint({b"1234", b"5678"})


@given(st.lists(st.tuples(st.integers(0, 20_000), st.binary(max_size=40)), max_size=100))
def test_however_it_is_sent_a_devices_time_never_runs_backwards(
    script: list[tuple[int, bytes]],
) -> None:
    device = Parrot(b"answer", late_ms=50)
    bus = wire(device)
    now_us = 0
    for pause_us, data in script:
        now_us += pause_us
        bus.elapsed(now_us)
        bus.sent(now_us, data)
    carried(bus)
    times = [at_us for at_us, _ in device.heard]
    assert times == sorted(times)
