"""Badge shown to lock pulsed: one agent process, real baud rates over ptys, a real broker.

    python -m benchmarks.badge_to_lock [--taps N]

Prints median and p99 over the taps beside the time that the frames need on their wires, and the agent's own
share from its histogram. Needs mosquitto. A tap takes two seconds: the door has to be shut again.
"""

import argparse
import asyncio
import re
import statistics
import tempfile
import urllib.request
from pathlib import Path

from simulator.network.model import CALYPSO, Card
from simulator.network.wiring import LOCK_BAUD, READER_BAUD
from simulator.world.record import What
from tests.wire.station import Station, running

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))
BITS_PER_BYTE = 10  # start bit, eight data bits, stop bit
POLL_BYTES = 14  # SOM, address, length, control, security block, command, MAC, CRC
CARD_REPLY_BYTES = 30  # the same, and 12 bytes of card padded to one block of 16
PULSE_BYTES = 8  # function 5
MODBUS_GAP_BYTES = 3.5  # silence that ends the frame before


def wire_ms(byte_count: float, baud_rate: int) -> float:
    return byte_count * BITS_PER_BYTE * 1000 / baud_rate


async def run(taps: int, folder: Path) -> list[float]:
    """Milliseconds from card to pulse, tap by tap; then prints the agent's own histogram."""
    took_ms = []
    async with running(folder, BADGE) as (station, _):
        for _tap in range(taps):
            await station.show(BADGE)
            await station.until_open(1)
            took_ms.append(_last_tap_ms(station))
            await station.shut(1)
        print(await asyncio.to_thread(_own_share, station.metrics_url))
    return took_ms


def _last_tap_ms(station: Station) -> float:
    facts = station.record.of(station.cabinet)
    shown = next(fact for fact in reversed(facts) if fact.deed.what is What.BADGE_SHOWN)
    pulsed = next(fact for fact in facts if fact.deed.what is What.LOCK_PULSED and fact.number > shown.number)
    return (pulsed.moment.line_us - shown.moment.line_us) / 1000


def _own_share(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # the agent's own page, on loopback
        text = answer.read().decode()
    buckets = re.findall(r'station_agent_release_seconds_bucket\{le="([^"]+)"\} (\S+)', text)
    counts = ", ".join(f"<= {bound} s: {float(count):.0f}" for bound, count in buckets)
    return f"agent's own share, card event to order at the lock line (cumulative): {counts}"


def main() -> None:
    parser = argparse.ArgumentParser(description="badge shown to lock pulsed, over ptys at real baud rates")
    parser.add_argument("--taps", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="carshare-bench-") as folder:
        took_ms = sorted(asyncio.run(run(options.taps, Path(folder))))
    osdp_ms = wire_ms(POLL_BYTES + CARD_REPLY_BYTES, READER_BAUD)
    modbus_ms = wire_ms(PULSE_BYTES + MODBUS_GAP_BYTES, LOCK_BAUD)
    p99 = took_ms[min(len(took_ms) - 1, round(0.99 * len(took_ms)))]
    print(
        f"badge shown to lock pulsed, {len(took_ms)} taps: median {statistics.median(took_ms):.1f} ms, "
        f"p99 {p99:.1f} ms, max {took_ms[-1]:.1f} ms\n"
        f"of which on the wire: {osdp_ms:.1f} ms poll and card at {READER_BAUD} baud, "
        f"{modbus_ms:.1f} ms gap and pulse at {LOCK_BAUD} baud; "
        "waiting for the reader's next poll 0 to 50 ms, for the lock bus to be free 0 to 19 ms"
    )


if __name__ == "__main__":
    main()
