"""What one OSDP poll exchange costs in processor time, for the panel and for the simulated reader.

    python -m benchmarks.osdp_exchange [EXCHANGES]

Everything is in memory and inside the secure channel, so the figures are the two codecs alone. Beside them
stands what the wire itself allows: 8N1, two idle characters before each side sends, a reader that takes 3 ms.
"""

import secrets
import sys
from time import process_time_ns

from simulator.devices.osdp_reader import OsdpReader
from station_agent.core.device_events import CardRead, ReaderSeen
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.framing import FRAME_BYTES_MAX
from station_agent.drivers.osdp.panel import OsdpPanel

EXCHANGES = 20_000  # about a second
RUNS = 5  # the best one counts: the machine has other work
POLL_US = 50_000
REPLY_DELAY_US = 3_000
READERS_OF_THE_DEMO = 60  # 30 stations with two readers each
KEY = bytes(range(16))


class Pair:
    """A panel and a reader, online, exchanging polls as fast as the processor can."""

    def __init__(self) -> None:
        self.panel = OsdpPanel((OsdpReaderConfig("reader", 1, KEY),), 38400, secrets.token_bytes)
        self.reader = OsdpReader(1, KEY, secrets.token_bytes)
        self.now_us = 0
        command = self.panel.opened(0).send
        for _ in range(20):
            output = self.panel.received(self.now_us, self.reader.receive(self.now_us, command))
            if any(isinstance(event, ReaderSeen) for event in output.events):
                return
            self.now_us = self.panel.wake_at_us or 0
            command = self.panel.elapsed(self.now_us).send
        raise SystemExit("the reader did not come online")

    def poll(self, exchanges: int, *, with_cards: bool) -> tuple[float, float, int, int]:
        """Microseconds for panel and reader, and the bytes of a command and its reply."""
        panel_ns = reader_ns = cards = 0
        command_bytes = reply_bytes = FRAME_BYTES_MAX  # the least: now and then a poll asks for the status
        for _ in range(exchanges):
            if with_cards:
                self.reader.show_card(26, b"\x12\x34\x56\x40")
            self.now_us += POLL_US
            start = process_time_ns()
            command = self.panel.elapsed(self.now_us).send
            between = process_time_ns()
            reply = self.reader.receive(self.now_us, command)
            back = process_time_ns()
            output = self.panel.received(self.now_us, reply)
            panel_ns += process_time_ns() - back + between - start
            reader_ns += back - between
            cards += sum(isinstance(event, CardRead) for event in output.events)
            command_bytes, reply_bytes = min(command_bytes, len(command)), min(reply_bytes, len(reply))
        if with_cards and cards < exchanges * 0.99:
            raise SystemExit(f"{cards} cards in {exchanges} exchanges")
        return panel_ns / exchanges / 1000, reader_ns / exchanges / 1000, command_bytes, reply_bytes


def wire_us(command_bytes: int, reply_bytes: int, baud_rate: int) -> float:
    characters = command_bytes + reply_bytes + 2 * 2
    return characters * 10 / baud_rate * 1_000_000 + REPLY_DELAY_US


def main() -> None:
    exchanges = int(sys.argv[1]) if len(sys.argv) > 1 else EXCHANGES
    pair = Pair()
    for what, with_cards in (("poll, nothing to say", False), ("poll, a card of 26 bits", True)):
        runs = [pair.poll(exchanges // RUNS, with_cards=with_cards) for _ in range(RUNS)]
        panel_us, reader_us, command_bytes, reply_bytes = min(runs)
        both_us = panel_us + reader_us
        print(f"{what}: panel {panel_us:.1f} us, reader {reader_us:.1f} us, {2e6 / both_us:,.0f} frames/s")
        for baud_rate in (9600, 38400):
            on_wire_us = wire_us(command_bytes, reply_bytes, baud_rate)
            print(
                f"  {command_bytes} + {reply_bytes} bytes at {baud_rate} baud: {on_wire_us / 1000:.1f} ms,"
                f" {2e6 / on_wire_us:.0f} frames/s"
            )
        if not with_cards:
            share = READERS_OF_THE_DEMO * both_us / POLL_US
            print(f"  {READERS_OF_THE_DEMO} pairs polled every 50 ms: {share:.1%} of a core")


if __name__ == "__main__":
    main()
