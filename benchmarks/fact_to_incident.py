"""From a fact that a box publishes to its incident in the API: what an operator's page can know at best.

    python -m benchmarks.fact_to_incident [--times N]

A door that nobody released opens and is shut again. The dispatcher is a process on a real broker and a durable
SQLite file; the API is asked again and again. Control: the same question when nothing has to happen first.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.report import Row, quantile, spread, status_of, table
from contract.facts import DoorClosed, DoorOpened
from tests.wire.brokers import mosquitto
from tests.wire.dispatcher_bench import TOKEN, program, wire_box

LIMIT_MS = 1000.0
"""What a live page promises: within a second of the fact."""
LOOK_S = 0.02  # the token's rate allows 50 questions a second
QUESTION = "/api/v1/incidents?open=true&kind=slot_opened_without_decision"


async def until(http: httpx.AsyncClient, count: int) -> None:
    """Until the API tells of so many open incidents."""
    while True:
        found = (await http.get(QUESTION)).json()["items"]
        if len(found) == count:
            return
        await asyncio.sleep(LOOK_S)


async def measure(times: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="carshare-incident-") as name:
        folder = Path(name)
        (folder / "broker").mkdir()
        async with mosquitto(folder / "broker") as broker, program(folder, broker) as running:
            url = f"http://127.0.0.1:{running.http_port}"
            headers = {"authorization": f"Bearer {TOKEN}"}
            async with wire_box(broker.port) as cabinet, httpx.AsyncClient(base_url=url, headers=headers) as http:
                await cabinet.say(cabinet.box.presence())
                cabinet.box.now_ms = int(time.time() * 1000)
                seen, asked = [], []
                for _ in range(times):
                    for kind, expected in ((DoorOpened, 1), (DoorClosed, 0)):
                        fields = {"slot": 1, "released": False} if kind is DoorOpened else {"slot": 1}
                        seq = cabinet.box.note(kind, **fields)
                        began_s = time.perf_counter()
                        await cabinet.say(cabinet.box.batch(seq))
                        await until(http, expected)
                        seen.append((time.perf_counter() - began_s) * 1000)
                        began_s = time.perf_counter()
                        await http.get(QUESTION)
                        asked.append((time.perf_counter() - began_s) * 1000)
                        await asyncio.sleep(LOOK_S)
    beside = f"{spread(seen, 'ms')}; a question alone {spread(asked, 'ms')}"
    return Row("fact to its incident in the API, p99", quantile(seen, 0.99), LIMIT_MS, "ms", beside=beside)


def main() -> int:
    parser = argparse.ArgumentParser(description="how soon an operator can know")
    parser.add_argument("--times", type=int, default=25, help="openings, each with its closing")
    rows = [asyncio.run(measure(parser.parse_args().times))]
    sys.stdout.write(table(rows) + "\n")
    return status_of(rows)


if __name__ == "__main__":
    raise SystemExit(main())
