"""The panel and simulated readers on a clean line."""

from itertools import pairwise

import pytest

from simulator.devices.osdp_values import Beeps
from station_agent.core.device_events import CardRead, KeypadPressed, ReaderLost, ReaderSeen, ReaderSignal
from station_agent.drivers.base import Codec, LineStatistics, Output
from station_agent.drivers.osdp.link import STATUS_EVERY_US
from station_agent.drivers.osdp.signals import LOOKS
from tests.station_agent.drivers.osdp.virtual_bus import (
    MS_US,
    SECOND_US,
    VirtualBus,
    card,
    make_panel,
    make_reader,
)


def test_the_panel_is_a_codec() -> None:
    codec: Codec = make_panel()
    assert codec.wake_at_us is None
    assert codec.statistics == LineStatistics()


def one_reader(*, echo: bool = False, by_byte: bool = False) -> VirtualBus:
    return VirtualBus(make_panel(), [make_reader()], echo=echo, by_byte=by_byte)


@pytest.mark.parametrize("by_byte", [False, True])
@pytest.mark.parametrize("baud_rate", [9600, 38400, 230400])
def test_a_reader_comes_online_over_its_own_key_and_each_swipe_arrives_once(
    baud_rate: int, *, by_byte: bool
) -> None:
    bus = VirtualBus(make_panel(baud_rate=baud_rate), [make_reader()], baud_rate=baud_rate, by_byte=by_byte)
    bus.online()
    for number in range(50):
        bus.readers[0].show_card(*card(number))
        bus.run(100 * MS_US)
    assert bus.seen == [ReaderSeen("reader 1", tampered=False, power_failed=False)]
    assert bus.cards == list(range(50))
    assert bus.lost == []
    assert (bus.panel.statistics.timeouts, bus.panel.statistics.garbled) == (0, 0)


def test_a_card_comes_as_its_bits() -> None:
    bus = one_reader().online()
    bus.readers[0].show_card(26, b"\x12\x34\x56\x40")
    bus.run(100 * MS_US)
    assert bus.events[-1][1] == CardRead("reader 1", 26, b"\x12\x34\x56\x40")


def test_a_swipe_is_an_event_within_a_poll_time_and_an_exchange() -> None:
    bus = one_reader().online()
    delays: list[int] = []
    for number in range(40):
        bus.run(173 * MS_US)  # no multiple of the poll time
        shown_us = bus.now_us
        bus.readers[0].show_card(*card(number))
        assert bus.run_until(lambda: len(bus.cards) > len(delays), SECOND_US)
        delays.append(bus.now_us - shown_us)
    assert max(delays) < 50 * MS_US + 16 * MS_US
    assert sorted(delays)[len(delays) // 2] < 45 * MS_US


def test_keys_arrive_as_digits_star_and_hash() -> None:
    bus = one_reader().online()
    bus.readers[0].press("1")
    bus.readers[0].press("234*#")
    bus.run(200 * MS_US)
    assert [event for _, event in bus.events[1:]] == [
        KeypadPressed("reader 1", "1"),
        KeypadPressed("reader 1", "234*#"),
    ]


def test_tamper_and_power_are_told_when_they_change_and_when_the_reader_comes_online() -> None:
    bus = one_reader()
    reader = bus.readers[0]
    reader.set_tamper(True)
    bus.online()
    reader.set_tamper(False)
    bus.run(100 * MS_US)
    reader.set_power_failed(True)
    bus.run(100 * MS_US)
    assert [(seen.tampered, seen.power_failed) for seen in bus.seen] == [
        (True, False),
        (False, False),
        (False, True),
    ]


def test_the_status_is_asked_for_though_a_reader_does_not_tell_it_by_itself() -> None:
    bus = one_reader().online()
    bus.readers[0]._tampered = True  # and nothing queued
    bus.run(STATUS_EVERY_US + 100 * MS_US)
    assert bus.seen[-1].tampered


@pytest.mark.parametrize("signal", ReaderSignal)
def test_a_signal_lights_the_led_and_sounds_the_buzzer_at_once(signal: ReaderSignal) -> None:
    bus = one_reader().online()
    reader = bus.readers[0]
    bus.panel.indicate("reader 1", signal)
    bus.order()
    bus.run(50 * MS_US)
    look = LOOKS[signal]
    light = reader.light(bus.now_us)
    assert (light.on_colour, light.on_ds, light.off_ds) == (look.colour, look.on_ds, look.off_ds)
    assert reader.last_beeps == Beeps(2, look.beep_ds, look.pause_ds, look.beeps)
    bus.run(look.shown_ds * 100 * MS_US)
    assert reader.light(bus.now_us) == reader.permanent_light


def test_of_signals_given_at_once_the_last_is_shown() -> None:
    bus = one_reader().online()
    for signal in ReaderSignal:
        bus.panel.indicate("reader 1", signal)
    bus.order()
    bus.run(200 * MS_US)
    assert bus.readers[0].buzzes == 1
    assert bus.readers[0].light(bus.now_us).on_colour == LOOKS[list(ReaderSignal)[-1]].colour


def test_a_signal_for_a_reader_that_is_away_is_not_shown_when_it_is_back() -> None:
    bus = one_reader()
    bus.open()
    bus.panel.indicate("reader 1", ReaderSignal.TAKEN)
    bus.order()
    bus.run(SECOND_US)
    assert bus.seen
    assert bus.readers[0].buzzes == 0


def test_what_a_reader_lacks_is_not_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.devices.osdp_reader._CAPABILITIES", {4: (1, 1)})
    bus = one_reader().online()
    bus.panel.indicate("reader 1", ReaderSignal.TAKEN)
    bus.order()
    bus.run(200 * MS_US)
    assert bus.readers[0].temporary_light is not None
    assert bus.readers[0].buzzes == 0


def test_polls_come_every_50_ms_and_an_idle_panel_sleeps_between_them() -> None:
    bus = one_reader().online()
    bus.sent.clear()
    bus.run(5 * SECOND_US)
    times = [at for at, _ in bus.sent]
    assert len(times) == 100
    assert {after - before for before, after in pairwise(times)} == {50 * MS_US}


def test_two_readers_share_a_bus_and_neither_says_the_others_cards() -> None:
    bus = VirtualBus(make_panel(1, 2), [make_reader(1), make_reader(2)]).online()
    for number in range(20):
        bus.readers[number % 2].show_card(*card(number))
        bus.run(100 * MS_US)
    cards = [event for _, event in bus.events if isinstance(event, CardRead)]
    assert bus.cards == list(range(20))
    assert [event.reader for event in cards] == ["reader 1", "reader 2"] * 10


def test_two_readers_at_9600_baud_take_turns() -> None:
    bus = VirtualBus(make_panel(1, 2, baud_rate=9600), [make_reader(1), make_reader(2)], baud_rate=9600).online()
    bus.sent.clear()
    bus.run(5 * SECOND_US)
    addresses = [data[2] for _, data in bus.sent]
    assert abs(addresses.count(1) - addresses.count(2)) <= 1
    assert len(addresses) > 120  # 37 ms an exchange: the bus is full and goes on


def test_a_reader_that_is_not_there_slows_the_other_one_and_no_more() -> None:
    bus = VirtualBus(make_panel(1, 2), [make_reader(1)])
    bus.open()
    bus.run(SECOND_US)
    for number in range(40):
        bus.readers[0].show_card(*card(number))
        bus.run(500 * MS_US)
    assert bus.cards == list(range(40))
    assert bus.lost == ["no_answer"]


def test_a_closed_line_loses_each_reader_and_an_opened_one_finds_them_again() -> None:
    bus = VirtualBus(make_panel(1, 2), [make_reader(1), make_reader(2)]).online()
    output = bus.panel.closed(bus.now_us)
    assert output.events == (ReaderLost("reader 1", "line_closed"), ReaderLost("reader 2", "line_closed"))
    assert bus.panel.wake_at_us is None
    assert bus.panel.closed(bus.now_us) == Output()
    assert bus.panel.received(bus.now_us, b"\x53late") == Output()
    bus.events.clear()
    bus.online()


def test_a_line_opened_anew_begins_new_sessions() -> None:
    bus = one_reader().online()
    bus.events.clear()
    bus.online()
    assert bus.lost == ["line_closed"]


@pytest.mark.parametrize("by_byte", [False, True])
def test_an_adapter_that_hears_itself_disturbs_nothing(*, by_byte: bool) -> None:
    bus = one_reader(echo=True, by_byte=by_byte).online()
    for number in range(10):
        bus.readers[0].show_card(*card(number))
        bus.run(100 * MS_US)
    assert bus.cards == list(range(10))
    assert (bus.panel.statistics.timeouts, bus.panel.statistics.garbled) == (0, 0)
