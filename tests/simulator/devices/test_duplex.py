from simulator.devices.duplex import SENDING_MAX, DuplexWire

CHARACTER_US = 10_000_000 / 9600


class Talker:
    """Says `word` every `every_us`, `times` times, and answers what it hears with the same, reversed."""

    def __init__(self, word: bytes = b"", every_us: int = 1_000_000, times: int = 0) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self.wake_at_us: int | None = 0 if times else None
        self._word, self._every_us, self._times = word, every_us, times

    def elapsed(self, now_us: int) -> bytes:
        self._times -= 1
        self.wake_at_us = now_us + self._every_us if self._times else None
        return self._word

    def receive(self, now_us: int, data: bytes) -> bytes:
        self.heard.append((now_us, data))
        return data[::-1]


def arrivals(wire: DuplexWire) -> list[tuple[int, bytes]]:
    found = []
    while (at_us := wire.wake_at_us) is not None:
        if data := wire.elapsed(at_us):
            found.append((at_us, data))
    return found


def test_what_a_device_says_arrives_when_its_last_bit_would() -> None:
    wire = DuplexWire(Talker(b"12345678", times=2), baud_rate=9600)
    assert arrivals(wire) == [(8_333, b"12345678"), (1_008_333, b"12345678")]


def test_both_directions_at_once_disturb_nothing() -> None:
    device = Talker(b"12345678", times=1)
    wire = DuplexWire(device, baud_rate=9600)
    wire.sent(1_000, b"abcd")
    assert arrivals(wire) == [(8_333, b"12345678"), (8_333 + 4_167, b"dcba")]
    assert device.heard == [(1_000 + 4_167, b"abcd")]


def test_being_asked_late_changes_no_instant() -> None:
    device = Talker(b"12", times=3)
    wire = DuplexWire(device, baud_rate=9600)
    wire.sent(500_000, b"x")
    assert wire.elapsed(60_000_000) == b"12x1212"
    assert device.heard == [(500_000 + round(CHARACTER_US), b"x")]


def test_a_sender_far_ahead_of_the_line_loses_the_rest() -> None:
    wire = DuplexWire(Talker(b"0123456789", every_us=10, times=10 * SENDING_MAX), baud_rate=9600)
    assert len(b"".join(data for _, data in arrivals(wire))) <= 10 * (SENDING_MAX + 1)


def test_a_pulled_cable_loses_what_was_under_way() -> None:
    device = Talker(b"12345678", times=1)
    wire = DuplexWire(device, baud_rate=9600)
    wire.sent(0, b"abc")
    wire.elapsed(0)
    wire.clear()
    assert arrivals(wire) == []
    assert device.heard == []
