"""The demo's own MQTT broker: iotcore (rumqttd in a wheel) in a child process, on loopback.

For one machine and a demonstration: it has no access lists, forgets everything when it stops, and knows of
MQTT 5 neither receive maximum nor no-local nor session expiry. Tests and production use mosquitto.
"""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import iotcore

from runtime.link import PAYLOAD_BYTES_MAX

HOST = "127.0.0.1"  # iotcore's own default is all interfaces, without any authentication
PACKET_BYTES_MAX = PAYLOAD_BYTES_MAX + 16 * 1024  # its limit counts topic and properties too
START_S = 10  # it takes 120 ms here; a loaded machine may take long
CONNECTIONS_MAX = 1000  # the largest demo has 30 agents and as many observers


class BrokerNotStarted(Exception):
    """The embedded broker did not come up. The text says why."""


@contextlib.asynccontextmanager
async def embedded_broker(port: int = 0) -> AsyncIterator[int]:
    """Runs the broker while the block runs, and gives its port; 0 takes a free one.

    The child ends by itself when this process dies. Raises `BrokerNotStarted`.
    """
    port = port or _free_port()
    with tempfile.TemporaryDirectory(prefix="carshare-broker-") as folder:
        path = Path(folder) / "broker.toml"
        path.write_text(config_text(port), encoding="utf-8")
        broker = iotcore.Broker(config_path=str(path))
        try:
            await asyncio.to_thread(broker.start, START_S)
        except (OSError, RuntimeError) as error:
            raise BrokerNotStarted(f"no broker on {HOST} port {port}: {error}") from None
        try:
            yield port
        finally:
            await asyncio.to_thread(broker.stop)


def config_text(port: int) -> str:
    """The TOML of rumqttd: one MQTT 5 listener on loopback."""
    return f"""\
id = 0

[router]
id = 0
max_connections = {CONNECTIONS_MAX}
max_outgoing_packet_count = 200
max_segment_size = {100 * PACKET_BYTES_MAX}
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "{HOST}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = {PACKET_BYTES_MAX}
max_inflight_count = 100
"""


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])
