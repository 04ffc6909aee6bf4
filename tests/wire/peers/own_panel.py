"""Our own panel as a process of its own: PORT KEY. Says each event; its randomness is the system's."""

import secrets
import sys
import time

from station_agent.core.device_events import CardRead, ReaderLost, ReaderSeen
from station_agent.drivers.base import Output
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel
from tests.wire.peers.talk import Port, say, ticks

ADDRESS = 1
BAUD_RATE = 38400
TICK_S = 0.005


def now_us() -> int:
    return time.monotonic_ns() // 1000


def main() -> None:
    port = Port(sys.argv[1])
    reader = OsdpReaderConfig("reader", ADDRESS, bytes.fromhex(sys.argv[2]))
    panel = OsdpPanel((reader,), BAUD_RATE, secrets.token_bytes)

    def take(output: Output) -> None:
        if output.send:
            port.write(output.send)
        for event in output.events:
            if isinstance(event, CardRead):
                say(card=event.data.hex())
            elif isinstance(event, ReaderLost):
                say(lost=event.why)
            elif isinstance(event, ReaderSeen):
                say(seen=event.reader)

    take(panel.opened(now_us()))
    for _ in ticks(TICK_S, port.fd):
        if data := port.read(4096):
            take(panel.received(now_us(), data))
        wake_us = panel.wake_at_us
        if wake_us is not None and now_us() >= wake_us:
            take(panel.elapsed(now_us()))


main()
