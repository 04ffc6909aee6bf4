"""Our panel and our simulated reader against implementations that this project did not write."""

import secrets
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import dropwhile

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from simulator.devices.osdp_reader import OsdpReader
from simulator.devices.osdp_values import Beeps, Identity
from station_agent.core.device_events import CardRead, KeypadPressed, ReaderLost, ReaderSeen
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel
from station_agent.drivers.osdp.signals import LOOKS
from tests.wire.osdp_bench import BAUD_RATE, KEY, PanelEnd, Peer, PtyLine, ReaderEnd, now_us, python_of, run_until

LIBOSDP, OSDP = ".venv-libosdp", ".venv-osdp"
OTHER_KEY = bytes(range(50, 66))
SWIPES = 20

Until = Callable[[Callable[[], bool]], bool]


@contextmanager
def panel_against_libosdp(key: bytes = KEY) -> Iterator[tuple[PanelEnd, Peer, Until]]:
    python = python_of(LIBOSDP)
    line = PtyLine()
    peer = Peer(python, "libosdp_device", line.path, KEY.hex())
    end = PanelEnd(OsdpPanel((OsdpReaderConfig("door", 1, key),), BAUD_RATE, secrets.token_bytes))
    try:
        yield end, peer, lambda condition: run_until(condition, line, end, peer)
    finally:
        peer.close()
        line.close()


@contextmanager
def reader_against(
    environment: str, program: str, reader: OsdpReader, key: bytes, *words: str
) -> Iterator[tuple[ReaderEnd, Peer, Until]]:
    python = python_of(environment)
    line = PtyLine()
    peer = Peer(python, program, line.path, key.hex(), *words)
    end = ReaderEnd(reader)
    try:
        yield end, peer, lambda condition: run_until(condition, line, end, peer)
    finally:
        peer.close()
        line.close()


def events_of(end: PanelEnd, kind: type) -> list[object]:
    return [event for _, event in end.events if isinstance(event, kind)]


def since_seen(end: PanelEnd) -> list[object]:
    """What was before, a peer that takes long to start up is to blame for."""
    return [event for _, event in dropwhile(lambda told: not isinstance(told[1], ReaderSeen), end.events)]


def test_our_panel_takes_cards_keys_and_tamper_from_libosdps_device_over_the_secure_channel() -> None:
    with panel_against_libosdp() as (end, peer, until):
        assert until(lambda: bool(events_of(end, ReaderSeen)) and peer.has_said(in_session=True))
        peer.order(card="12345640", bits="26")
        peer.order(keys="31327f0d")
        peer.order(status="0100")
        assert until(lambda: len(since_seen(end)) == 4)
    assert since_seen(end) == [
        ReaderSeen("door", tampered=False, power_failed=False),
        CardRead("door", 26, b"\x12\x34\x56\x40"),
        KeypadPressed("door", "12*#"),
        ReaderSeen("door", tampered=True, power_failed=False),
    ]


def test_libosdps_device_takes_our_signals() -> None:
    with panel_against_libosdp() as (end, peer, until):
        assert until(lambda: bool(events_of(end, ReaderSeen)))
        for signal, look in LOOKS.items():
            peer.said.clear()
            end.panel.indicate("door", signal)
            assert until(lambda: peer.has_said(command="buzzer"))
            led = {"on_color": look.colour, "on_count": look.on_ds, "off_count": look.off_ds}
            assert peer.has_said(command="led", temporary=True, timer_count=look.shown_ds, **led)
            assert peer.has_said(command="buzzer", on_count=look.beep_ds, rep_count=look.beeps)
        assert events_of(end, ReaderLost) == []


def test_libosdps_device_with_another_key_is_called_replaced() -> None:
    with panel_against_libosdp(OTHER_KEY) as (end, peer, until):
        peer.order(card="12345640", bits="26")
        assert until(lambda: bool(end.events))
        assert [event for _, event in end.events] == [ReaderLost("door", "reader_replaced")]
        assert not peer.has_said(in_session=True)


def test_a_swipe_at_libosdps_device_is_an_event_soon() -> None:
    """libosdp's own panel needs 34 ms in the median on such a line, 65 ms in the slowest of a hundred."""
    with panel_against_libosdp() as (end, peer, until):
        assert until(lambda: bool(events_of(end, ReaderSeen)))
        delays_ms = []
        for number in range(SWIPES):
            pause_until_us = now_us() + 20_000 + number * 1_300 % 50_000  # all over the poll time
            assert until(lambda until_us=pause_until_us: now_us() >= until_us)  # type: ignore[misc]  # bound here
            shown_us = now_us()
            peer.order(card=number.to_bytes(4).hex(), bits="32")
            assert until(lambda count=number + 1: len(events_of(end, CardRead)) == count)  # type: ignore[misc]  # here
            delays_ms.append((end.events[-1][0] - shown_us) / 1000)
        assert statistics.median(delays_ms) < 60
        assert [event.data for event in events_of(end, CardRead) if isinstance(event, CardRead)] == [
            number.to_bytes(4) for number in range(SWIPES)
        ]


def test_a_lost_reply_of_libosdps_device_costs_its_session_for_less_than_a_second() -> None:
    """libosdp 3.2.9 does not repeat a reply: it takes the repeated command for a new one, whose MAC is wrong."""
    with panel_against_libosdp() as (end, peer, until):
        assert until(lambda: bool(events_of(end, ReaderSeen)))
        take = end.received
        lost: list[int] = []

        def lose_one(data: bytes) -> bytes:
            if lost:
                return take(data)
            lost.append(now_us())
            return b""

        end.received = lose_one  # type: ignore[method-assign]  # the cable
        assert until(lambda: len(events_of(end, ReaderSeen)) == 2)
        assert end.events[-1][0] - lost[0] < 1_000_000
        peer.order(card="cafecafe", bits="32")
        assert until(lambda: bool(events_of(end, CardRead)))
        assert events_of(end, ReaderLost) == [ReaderLost("door", "session_refused")]


def test_libosdps_panel_takes_cards_and_keys_from_our_reader_and_its_led_and_buzzer_work() -> None:
    reader = OsdpReader(1, KEY, secrets.token_bytes)
    with reader_against(LIBOSDP, "libosdp_panel", reader, KEY) as (_, peer, until):
        assert until(lambda: peer.has_said(in_session=True))
        reader.show_card(26, b"\x12\x34\x56\x40")
        reader.press("12*#")
        assert until(lambda: peer.has_said(card="12345640", bits=26) and peer.has_said(keys="31327f0d"))
        reader.set_tamper(True)
        assert until(lambda: peer.has_said(status="0100"))
        peer.order(command="led")
        peer.order(command="buzzer")
        assert until(lambda: bool(reader.buzzes) and reader.temporary_light is not None)
        light = reader.light(now_us())
        assert (light.on_colour, light.on_ds, light.off_ds) == (2, 3, 2)
        assert reader.last_beeps == Beeps(2, 4, 1, 2)
        assert not peer.has_said(in_session=False) or peer.said[0] == {"in_session": False}  # never lost it


def test_the_panel_of_osdp_takes_cards_from_our_reader_and_its_led_works() -> None:
    identity = Identity(serial=77)
    master_key = OTHER_KEY
    scbk = key_for(master_key, identity.client_id)
    reader = OsdpReader(1, scbk, secrets.token_bytes, identity=identity)
    with reader_against(OSDP, "osdp_panel", reader, master_key) as (_, peer, until):
        assert until(lambda: peer.has_said(in_session=True))
        reader.show_card(26, b"\x12\x34\x56\x40")
        reader.press("12*#")
        assert until(lambda: peer.has_said(card="12345640", bits=26) and peer.has_said(keys="31327f0d"))
        peer.order(command="led")
        assert until(lambda: peer.has_said(order="led", taken=True))
        light = reader.light(now_us())
        assert (light.on_colour, light.on_ds, light.off_ds) == (2, 3, 2)


def key_for(master_key: bytes, client_id: bytes) -> bytes:
    """How that package makes a reader's key: AES of the client id and its inverse, under one master key."""
    inverse = bytes(byte ^ 0xFF for byte in client_id)
    encryptor = Cipher(algorithms.AES(master_key), modes.ECB()).encryptor()  # noqa: S305  # a single block
    return encryptor.update(client_id + inverse)


def test_libosdps_panel_gives_our_reader_in_install_mode_its_key() -> None:
    reader = OsdpReader(1, OTHER_KEY, secrets.token_bytes, install_mode=True)
    kept: list[bytes] = []
    reader.on_key = kept.append
    with reader_against(LIBOSDP, "libosdp_panel", reader, KEY, "install") as (_, peer, until):
        assert until(lambda: peer.has_said(in_session=True))
        peer.order(command="keyset", key=KEY.hex())
        assert until(lambda: kept == [KEY])
        assert not reader.install_mode
    reader.power_cycle()
    with reader_against(LIBOSDP, "libosdp_panel", reader, KEY) as (_, peer, until):
        assert until(lambda: peer.has_said(in_session=True))
        reader.show_card(26, b"\x12\x34\x56\x40")
        assert until(lambda: peer.has_said(card="12345640", bits=26))


def test_libosdps_panel_gives_our_reader_another_key_under_the_one_it_has() -> None:
    reader = OsdpReader(1, KEY, secrets.token_bytes)
    kept: list[bytes] = []
    reader.on_key = kept.append
    with reader_against(LIBOSDP, "libosdp_panel", reader, KEY) as (_, peer, until):
        assert until(lambda: peer.has_said(in_session=True))
        peer.order(command="keyset", key=OTHER_KEY.hex())
        assert until(lambda: kept == [OTHER_KEY])
    reader.power_cycle()
    with reader_against(LIBOSDP, "libosdp_panel", reader, OTHER_KEY) as (_, peer, until):
        assert until(lambda: peer.has_said(in_session=True))
