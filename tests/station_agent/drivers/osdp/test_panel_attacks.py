"""Somebody at the cable who records, repeats, drops, holds back, reorders and forges."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station_agent.core.device_events import CardRead, DeviceEvent, ReaderLost
from station_agent.drivers.osdp import framing, secure
from station_agent.drivers.osdp.link import ATTEMPTS
from station_agent.drivers.osdp.messages import Command, Reply
from station_agent.drivers.osdp.panel import OsdpPanel
from tests.station_agent.drivers.osdp.virtual_bus import (
    MS_US,
    SECOND_US,
    Delivery,
    Tap,
    VirtualBus,
    card,
    make_panel,
    make_reader,
    number_of,
)

DEEDS = ["pass", "drop", "repeat", "hold", "swap", "replay"]


def recorded_session() -> list[tuple[bytes, bytes]]:
    """Command and reply of each exchange of a session in which a card is shown."""
    bus = VirtualBus(make_panel(seed="recorded"), [make_reader()]).online()
    bus.readers[0].show_card(*card(1))
    bus.run(300 * MS_US)
    assert bus.cards == [1]
    pairs = zip(bus.sent, bus.answered, strict=False)
    return [(command, reply) for (_, command), (_, reply) in pairs]


def replayed_into(panel: OsdpPanel, replies: list[bytes]) -> list[DeviceEvent]:
    """Gives each recorded reply in order, one to each frame that the panel sends."""
    output = panel.opened(0)
    events = list(output.events)
    for reply in replies:
        while not output.send:
            output = panel.elapsed(panel.wake_at_us or 0)
            events += output.events
        now_us = (panel.wake_at_us or 0) - 150 * MS_US
        output = panel.received(now_us, reply)
        events += output.events
    return events


def cards_in(events: list[DeviceEvent]) -> list[int]:
    return [number_of(event) for event in events if isinstance(event, CardRead)]


def test_a_recorded_session_replayed_into_another_panel_delivers_no_card() -> None:
    replies = [reply for _, reply in recorded_session()]
    events = replayed_into(make_panel(seed="another"), replies)
    assert ReaderLost("reader 1", "reader_replaced") in events
    assert cards_in(events) == []


def test_the_replay_is_one_that_a_panel_with_repeated_randomness_would_believe() -> None:
    """Shows that the test above could fail: this panel draws what the recorded one drew."""
    replies = [reply for _, reply in recorded_session()]
    assert cards_in(replayed_into(make_panel(seed="recorded"), replies)) == [1]


@pytest.mark.parametrize("start", range(8))
def test_a_recorded_session_replayed_from_any_point_on_delivers_no_card(start: int) -> None:
    replies = [reply for _, reply in recorded_session()][start:]
    assert cards_in(replayed_into(make_panel(seed="another"), replies * 3)) == []


def test_a_session_replayed_into_a_running_one_delivers_no_card() -> None:
    bus = VirtualBus(make_panel(), [make_reader()]).online()
    for _, reply in recorded_session() * 2:
        bus._take(bus.panel.received(bus.now_us, reply))
        bus.run(20 * MS_US)
    assert bus.cards == []
    bus.run(2 * SECOND_US)
    bus.readers[0].show_card(*card(2))
    bus.run(200 * MS_US)
    assert bus.cards == [2]


class Attacker(Tap):
    """Does to each reply what `plan` says next, and now and then the same to commands."""

    def __init__(self, plan: Iterator[str], *, at_commands: bool) -> None:
        self.plan = plan
        self.at_commands = at_commands
        self.heard: list[bytes] = []
        self.held: list[bytes] = []

    def command(self, now_us: int, data: bytes) -> Delivery:
        return self._deal(data, []) if self.at_commands else [(0, data)]

    def reply(self, now_us: int, data: bytes) -> Delivery:
        self.heard.append(data)
        return self._deal(data, self.heard)

    def _deal(self, data: bytes, heard: list[bytes]) -> Delivery:
        what = next(self.plan, "pass")
        released, self.held = self.held, []
        if what == "drop":
            return [(0, old) for old in released]
        if what == "repeat":
            return [(0, data), (5 * MS_US, data), (60 * MS_US, data)]
        if what == "hold":
            self.held = [*released[-3:], data]
            return []
        if what == "swap" and released:
            return [(0, data), *((0, old) for old in released)]
        if what == "replay":
            return [(0, data), *((i * MS_US, old) for i, old in enumerate(heard[-10:]))]
        return [*((0, old) for old in released), (0, data)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(DEEDS), max_size=60), st.booleans())
def test_whoever_drops_repeats_holds_and_reorders_gets_no_second_swipe(plan: list[str], at_commands: bool) -> None:
    tap = Tap()
    bus = VirtualBus(make_panel(), [make_reader()], tap).online()
    bus.tap = Attacker(iter(plan), at_commands=at_commands)
    for number in range(20):
        bus.readers[0].show_card(*card(number))
        bus.run(130 * MS_US)
    bus.tap = tap
    bus.run(4 * SECOND_US)
    assert bus.cards == sorted(set(bus.cards))  # each at most once, and in the order shown
    bus.readers[0].show_card(*card(100))
    bus.run(200 * MS_US)
    assert bus.cards[-1] == 100  # and the line is sound again


@pytest.mark.parametrize("what", DEEDS[1:])
def test_one_kind_of_meddling_all_the_time_makes_no_second_swipe(what: str) -> None:
    def every_third() -> Iterator[str]:
        while True:
            yield from ("pass", "pass", what)

    bus = VirtualBus(make_panel(), [make_reader()]).online()
    bus.tap = Attacker(every_third(), at_commands=False)
    for number in range(60):
        bus.readers[0].show_card(*card(number))
        bus.run(300 * MS_US)
    assert bus.cards == sorted(set(bus.cards))
    assert len(bus.cards) > 30 or what in {"hold", "drop"}


class Forger(Tap):
    """Puts guesses ahead of each reply: the right address and number, a card, and some MAC."""

    def __init__(self) -> None:
        self.rng = random.Random("forger")
        self.is_on = False

    def reply(self, now_us: int, data: bytes) -> Delivery:
        frame = framing.parse(data)
        if not self.is_on or frame is None or not frame.mac:
            return [(0, data)]
        payload = b"\x00\x00\x1a\x00" + bytes(4)
        signed = framing.head(0x81, frame.sequence, b"\x02\x18", Reply.RAW, payload + bytes(8), 4)
        guesses = (framing.with_crc(signed + self.rng.randbytes(4)) for _ in range(5))
        return [(0, b"".join(guesses)), (0, data)]


def test_whoever_guesses_macs_gets_one_guess_for_each_time_a_command_is_sent() -> None:
    bus = VirtualBus(make_panel(), [make_reader()], forger := Forger()).online()
    sent = len(bus.sent)
    forger.is_on = True
    assert bus.run_until(lambda: bool(bus.lost), SECOND_US)
    assert bus.lost == ["garbled"]
    assert bus.cards == []
    assert bus.panel.statistics.garbled == len(bus.sent) - sent == ATTEMPTS


def test_a_card_in_clear_is_not_taken_in_a_session() -> None:
    class InClear(Tap):
        def reply(self, now_us: int, data: bytes) -> Delivery:
            frame = framing.parse(data)
            if frame is None or not frame.mac:
                return [(0, data)]
            return [(0, framing.encode(0x81, frame.sequence, Reply.RAW, b"\x00\x00\x08\x00\xaa"))]

    bus = VirtualBus(make_panel(), [make_reader()]).online()
    bus.tap = InClear()
    bus.run(5 * SECOND_US)
    assert bus.cards == []
    assert bus.lost == ["garbled"]


def test_a_reader_that_says_it_uses_the_public_key_gets_no_session_whatever_its_cryptogram() -> None:
    class SaysDefault(Tap):
        def reply(self, now_us: int, data: bytes) -> Delivery:
            frame = framing.parse(data)
            if frame is None or frame.code != Reply.CCRYPT:
                return [(0, data)]
            block = secure.handshake_block(secure.CHALLENGE_ANSWER, secure.KEY_IS_DEFAULT)
            return [(0, framing.encode(0x81, frame.sequence, frame.code, frame.payload, block))]

    bus = VirtualBus(make_panel(), [make_reader()], SaysDefault())
    bus.open()
    bus.run(3 * SECOND_US)
    assert bus.lost == ["reader_replaced"]
    assert not bus.readers[0].in_session


@pytest.mark.parametrize("whole_life", [False, True])
def test_the_panel_never_speaks_under_the_public_key_whatever_is_at_its_reader(*, whole_life: bool) -> None:
    bus = VirtualBus(make_panel(), [make_reader(install_mode=not whole_life)])
    bus.open()
    bus.run(3 * SECOND_US)
    bus.readers[0] = make_reader(install_mode=True, seed="exchanged")
    bus.run(10 * SECOND_US)
    assert bus.lost[-1] == "reader_replaced"
    frames = [framing.parse(data[1:]) for _, data in bus.sent]
    handshakes = [frame for frame in frames if frame and frame.security[1:2] in {b"\x11", b"\x13"}]
    assert len(handshakes) > 5
    assert {frame.security[2] for frame in handshakes} == {secure.KEY_IS_OWN}
    assert not bus.readers[0].in_session
    assert Command.KEYSET not in {frame.code for frame in frames if frame}


def test_a_row_of_busy_replies_does_not_hold_a_swipe_back_for_longer_than_the_attempts_last() -> None:
    class Holds(Tap):
        def reply(self, now_us: int, data: bytes) -> Delivery:
            busy = framing.encode(0x81, 0, Reply.BUSY)
            return [*((at * 100 * MS_US, busy) for at in range(50)), (5 * SECOND_US, data)]

    bus = VirtualBus(make_panel(), [make_reader()]).online()
    bus.tap = Holds()
    bus.readers[0].show_card(*card(1))
    assert bus.run_until(lambda: bool(bus.lost), SECOND_US)
    assert bus.lost == ["busy"]
    bus.tap = Tap()
    bus.run(8 * SECOND_US)
    assert bus.cards == []


def test_two_sessions_of_one_panel_share_no_challenge() -> None:
    bus = VirtualBus(make_panel(), [make_reader()]).online()
    for _ in range(5):
        bus.readers[0].power_cycle()
        bus.run(2 * SECOND_US)
    challenges = []
    for _, data in bus.sent:
        frame = framing.parse(data[1:])
        assert frame is not None
        if frame.security[1:2] == b"\x11":
            challenges.append(frame.payload)
    assert len(challenges) == len(set(challenges)) == 6
