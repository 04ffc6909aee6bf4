"""The panel on a bad line and with readers that misbehave."""

import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.osdp_reader import OsdpReader
from station_agent.core.device_events import DeviceEvent, ReaderLost, ReaderSeen
from station_agent.drivers.osdp import framing
from station_agent.drivers.osdp.link import RECONNECT_US
from station_agent.drivers.osdp.messages import Command, Refusal, Reply
from tests.station_agent.drivers.osdp.virtual_bus import (
    MS_US,
    OTHER_KEY,
    SECOND_US,
    Delivery,
    Tap,
    VirtualBus,
    card,
    make_panel,
    make_reader,
    seeded,
)

BUSY = framing.encode(0x81, 0, Reply.BUSY)


class NoisyReplies(Tap):
    """Spoils one reply in `every`."""

    def __init__(self, spoil: Callable[[random.Random, bytes], bytes], every: int = 20) -> None:
        self.rng = random.Random("noise")
        self.spoil = spoil
        self.every = every

    def reply(self, now_us: int, data: bytes) -> Delivery:
        return [(0, self.spoil(self.rng, data) if self.rng.randrange(self.every) == 0 else data)]


def flip_a_bit(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) * 8)
    return bytes(byte ^ (1 << at % 8 if i == at // 8 else 0) for i, byte in enumerate(data))


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def swallow(_rng: random.Random, _data: bytes) -> bytes:
    return b""


def precede_with_noise(rng: random.Random, data: bytes) -> bytes:
    return rng.randbytes(rng.randrange(1, 12)) + data


class Mute(Tap):
    """Lets no reply through between two times."""

    def __init__(self) -> None:
        self.until_us = 0

    def reply(self, now_us: int, data: bytes) -> Delivery:
        return [] if now_us < self.until_us else [(0, data)]


class Changes(Tap):
    """Does something to each reply, once it is on."""

    def __init__(self, change: Callable[[bytes], Delivery]) -> None:
        self.change = change
        self.is_on = False

    def reply(self, now_us: int, data: bytes) -> Delivery:
        return self.change(data) if self.is_on else [(0, data)]


class Says(Tap):
    """Puts something else in the place of replies, from a time on."""

    def __init__(self, instead: bytes) -> None:
        self.instead = instead
        self.is_on = False

    def reply(self, now_us: int, data: bytes) -> Delivery:
        return [(0, self.instead if self.is_on else data)]


def is_seen_twice(bus: VirtualBus) -> bool:
    return len(bus.seen) == 2


@pytest.mark.parametrize("by_byte", [False, True])
@pytest.mark.parametrize("spoil", [flip_a_bit, cut, swallow, precede_with_noise])
def test_of_150_swipes_at_one_bad_reply_in_twenty_at_least_145_arrive_and_none_twice(
    spoil: Callable[[random.Random, bytes], bytes], *, by_byte: bool
) -> None:
    bus = VirtualBus(make_panel(), [make_reader()], NoisyReplies(spoil), by_byte=by_byte)
    bus.online()
    for number in range(150):
        bus.readers[0].show_card(*card(number))
        bus.run(200 * MS_US)
    bus.run(2 * SECOND_US)
    assert bus.cards == sorted(set(bus.cards))
    assert len(bus.cards) >= 145


@pytest.mark.parametrize("mute_s", [3, 12])
@pytest.mark.parametrize("baud_rate", [9600, 38400])
def test_a_reader_that_was_mute_is_back_within_two_seconds(baud_rate: int, mute_s: int) -> None:
    for offset_ms in range(0, 1300, 130):  # wherever in the panel's rhythm the mute ends
        tap = Mute()
        bus = VirtualBus(make_panel(baud_rate=baud_rate), [make_reader()], tap, baud_rate).online()
        tap.until_us = bus.now_us + mute_s * SECOND_US + offset_ms * MS_US
        bus.run(mute_s * SECOND_US + offset_ms * MS_US)
        assert bus.lost == ["no_answer"]
        assert bus.run_until(partial(is_seen_twice, bus), 2 * SECOND_US)
        bus.readers[0].show_card(*card(1))
        bus.run(200 * MS_US)
        assert bus.cards == [1]


def test_a_reader_that_fell_silent_is_lost_within_a_second() -> None:
    tap = Mute()
    bus = VirtualBus(make_panel(), [make_reader()], tap).online()
    tap.until_us = 60 * SECOND_US
    assert bus.run_until(lambda: bus.lost == ["no_answer"], SECOND_US)
    bus.run(30 * SECOND_US)
    assert bus.lost == ["no_answer"]  # told once


def test_a_swipe_during_a_mute_opens_nothing_later_and_the_reader_invites_again() -> None:
    tap = Mute()
    bus = VirtualBus(make_panel(), [make_reader()], tap).online()
    tap.until_us = bus.now_us + 3 * SECOND_US
    bus.run(2 * SECOND_US)
    bus.readers[0].show_card(*card(1))
    bus.run(3 * SECOND_US)
    assert len(bus.seen) == 2
    assert bus.cards == []
    assert bus.readers[0].last_beeps is not None
    assert bus.readers[0].last_beeps.count == 3


def test_a_restarted_reader_is_back_within_a_second() -> None:
    bus = VirtualBus(make_panel(), [make_reader()]).online()
    bus.run(330 * MS_US)
    bus.readers[0].power_cycle()
    assert bus.run_until(lambda: len(bus.seen) == 2, SECOND_US)
    assert bus.lost == ["session_refused"]
    bus.readers[0].show_card(*card(5))
    bus.run(100 * MS_US)
    assert bus.cards == [5]


def test_a_reader_with_another_key_gives_no_card_and_is_called_replaced() -> None:
    stranger = OsdpReader(1, OTHER_KEY, seeded("stranger"))
    bus = VirtualBus(make_panel(), [stranger])
    bus.open()
    stranger.show_card(*card(1))
    bus.run(10 * SECOND_US)
    assert [event for _, event in bus.events] == [ReaderLost("reader 1", "reader_replaced")]


def test_a_reader_in_install_mode_gives_no_card_and_gets_no_session() -> None:
    bus = VirtualBus(make_panel(), [make_reader(install_mode=True)])
    bus.open()
    bus.readers[0].show_card(*card(1))
    bus.run(10 * SECOND_US)
    assert [event for _, event in bus.events] == [ReaderLost("reader 1", "reader_replaced")]
    assert not bus.readers[0].in_session


def test_a_reader_that_speaks_in_clear_gives_no_card() -> None:
    open_reader = OsdpReader(1, OTHER_KEY, seeded("open"), secure_only=False)
    bus = VirtualBus(make_panel(), [open_reader])
    bus.open()
    open_reader.show_card(*card(1))
    bus.run(5 * SECOND_US)
    assert bus.cards == []
    assert bus.lost == ["reader_replaced"]


def test_a_reader_that_refuses_the_secure_channel_is_called_so() -> None:
    class Refuses(Tap):
        def reply(self, now_us: int, data: bytes) -> Delivery:
            frame = framing.parse(data)
            assert frame is not None
            if frame.code != Reply.CCRYPT:
                return [(0, data)]
            refusal = bytes((Refusal.NO_SECURE_CHANNEL,))
            return [(0, framing.encode(0x81, frame.sequence, Reply.NAK, refusal))]

    bus = VirtualBus(make_panel(), [make_reader()], Refuses())
    bus.open()
    bus.run(5 * SECOND_US)
    assert [event for _, event in bus.events] == [ReaderLost("reader 1", "no_secure_channel")]


def test_the_own_reader_put_back_in_place_of_a_stranger_comes_online() -> None:
    bus = VirtualBus(make_panel(), [OsdpReader(1, OTHER_KEY, seeded("stranger"))])
    bus.open()
    bus.run(3 * SECOND_US)
    bus.readers[0] = make_reader()
    assert bus.run_until(lambda: bool(bus.seen), 2 * SECOND_US)


def test_a_stranger_put_in_place_of_a_reader_in_session_is_noticed() -> None:
    bus = VirtualBus(make_panel(), [make_reader()]).online()
    bus.readers[0] = OsdpReader(1, OTHER_KEY, seeded("stranger"))
    bus.readers[0].show_card(*card(1))
    bus.run(3 * SECOND_US)
    assert bus.cards == []
    assert bus.lost == ["session_refused", "reader_replaced"]


def test_a_busy_reader_is_asked_again_and_a_swipe_waits() -> None:
    tap = Says(BUSY)
    bus = VirtualBus(make_panel(), [make_reader()], tap).online()
    bus.readers[0].show_card(*card(1))
    tap.is_on = True
    bus.run(500 * MS_US)
    assert bus.cards == []
    tap.is_on = False
    bus.run(300 * MS_US)
    assert bus.cards == [1]
    assert bus.lost == []


def test_a_reader_that_stays_busy_is_lost() -> None:
    tap = Says(BUSY)
    bus = VirtualBus(make_panel(), [make_reader()], tap).online()
    tap.is_on = True
    bus.run(3 * SECOND_US)
    assert bus.lost == ["busy"]


def test_two_readers_at_one_address_give_no_card_and_are_called_garbled() -> None:
    class BothAtOnce(Tap):
        """Two answers on one pair of wires at a time: neither is readable."""

        def reply(self, now_us: int, data: bytes) -> Delivery:
            return [(0, bytes(byte & 0x5A for byte in data))]

    twins = [make_reader(seed="one"), make_reader(seed="other")]
    bus = VirtualBus(make_panel(), twins, BothAtOnce())
    bus.open()
    twins[0].show_card(*card(1))
    bus.run(10 * SECOND_US)
    assert bus.cards == []
    assert bus.lost == ["garbled"]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: [(0, framing.encode(0x82, data[4] & 3, Reply.ACK)), (0, data)],  # a neighbour speaks first
        lambda data: [(0, b"\x53\x81\x40\x00" + data)],  # what looks like the beginning of a longer frame
        lambda data: [(150 * MS_US, data)],  # slow, and still in time
    ],
)
def test_what_is_not_the_answer_causes_no_second_question(change: Callable[[bytes], Delivery]) -> None:
    tap = Changes(change)
    bus = VirtualBus(make_panel(), [make_reader()], tap, by_byte=True, echo=True).online()
    tap.is_on = True
    bus.sent.clear()
    for number in range(10):
        bus.readers[0].show_card(*card(number))
        bus.run(500 * MS_US)
    assert bus.cards == list(range(10))
    assert len({data for _, data in bus.sent}) == len(bus.sent)
    assert bus.panel.statistics.timeouts == 0


@pytest.mark.parametrize("later_ms", [1, 20, 45, 48, 51, 100])
def test_a_reply_that_comes_twice_counts_once_and_is_no_noise(later_ms: int) -> None:
    """Some of the second copies come when the next command is unanswered."""
    tap = Changes(lambda data: [(0, data), (later_ms * MS_US, data)])
    bus = VirtualBus(make_panel(), [make_reader()], tap).online()
    tap.is_on = True
    for number in range(10):
        bus.readers[0].show_card(*card(number))
        bus.run(200 * MS_US)
    assert bus.cards == list(range(10))
    assert (bus.panel.statistics.timeouts, bus.panel.statistics.garbled) == (0, 0)


def test_a_second_panel_on_the_bus_causes_no_wrong_card() -> None:
    bus = VirtualBus(make_panel(), [make_reader()]).online()
    intruder = make_panel(seed="intruder")
    command = intruder.opened(0).send
    for number in range(20):
        bus.readers[0].show_card(*card(number))
        bus._take(bus.panel.received(bus.now_us, command))  # heard by the panel
        bus.readers[0].receive(bus.now_us, command)  # and taken by the reader, which starts anew
        bus.run(3 * SECOND_US)
    assert bus.cards == sorted(set(bus.cards))
    assert len(bus.seen) == 21


def test_a_line_that_never_falls_silent_does_not_hold_the_panel() -> None:
    panel = make_panel()
    panel.opened(0)
    events: list[DeviceEvent] = []
    for now_us in range(0, 4 * SECOND_US, 5 * MS_US):
        events += panel.received(now_us, b"\x53\x81\x20").events
        if now_us >= (panel.wake_at_us or 0):
            events += panel.elapsed(now_us).events
    assert events == [ReaderLost("reader 1", "garbled")]
    assert panel.statistics.frames_sent > 4


def test_a_silent_reader_is_sought_once_a_second() -> None:
    bus = VirtualBus(make_panel(), [])
    bus.open()
    bus.run(10 * SECOND_US)
    pauses = {after - before for (before, _), (after, _) in pairwise(bus.sent)}
    assert all(RECONNECT_US < pause < 1.3 * RECONNECT_US for pause in pauses)
    assert len(bus.sent) - bus.panel.statistics.timeouts in {0, 1}


def test_a_reader_that_never_comes_to_rest_is_not_taken_for_online() -> None:
    bus = VirtualBus(make_panel(), [make_reader()])
    bus.readers[0]._commands[Command.POLL] = lambda *_: (Reply.RAW, b"\x00\x00\x08\x00\xaa")
    bus.open()
    bus.run(5 * SECOND_US)
    assert bus.cards == []
    assert bus.lost == ["session_refused"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.booleans())
def test_no_bytes_raise_or_make_an_event_that_only_a_session_can(portions: list[bytes], online: bool) -> None:
    bus = VirtualBus(make_panel(), [make_reader()])
    if online:
        bus.online()
    else:
        bus.open()
    events: list[DeviceEvent] = []
    for portion in portions:
        events += bus.panel.received(bus.now_us, portion).events
        events += bus.panel.elapsed(bus.now_us).events
        bus.now_us += 30 * MS_US
    assert not [event for event in events if not isinstance(event, ReaderLost)]
    assert bus.panel._decoder.pending < framing.FRAME_BYTES_MAX
    bus.run(3 * SECOND_US)
    assert isinstance(bus.events[-1][1], ReaderSeen)
