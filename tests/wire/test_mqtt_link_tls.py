"""MqttLink over TLS, with a certificate on either side, against mosquitto."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.link import LinkEnd, Publication
from runtime.mqtt_settings import TlsSettings
from tests.runtime.certificates import Authority
from tests.runtime.links import Peer
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto

MIB = 1024 * 1024


@asynccontextmanager
async def tls_broker(folder: Path, authority: Authority, more: str = "") -> AsyncIterator[Mosquitto]:
    certificate, key = authority.issue("broker")
    lines = f"cafile {authority.ca_file}\ncertfile {certificate}\nkeyfile {key}\n{more}"
    async with mosquitto(folder, more=lines) as broker:
        yield broker


async def test_a_broker_with_a_known_authority_is_trusted_and_carries_the_largest_payload(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    async with (
        tls_broker(tmp_path, authority) as broker,
        Peer(broker.port, "a", "t/#", tls=TlsSettings(ca_file=authority.ca_file)).running() as peer,
    ):
        await peer.link.publish(Publication("t/1", bytes(MIB)))
        await eventually(lambda: peer.messages)
        assert len(peer.messages[0].payload) == MIB


async def test_a_broker_with_another_authority_is_not_trusted(tmp_path: Path) -> None:
    async with tls_broker(tmp_path, Authority(tmp_path, "theirs")) as broker:
        peer = Peer(broker.port, tls=TlsSettings(ca_file=Authority(tmp_path, "ours").ca_file))
        peer.start()
        await eventually(lambda: peer.link.statistics.ends[LinkEnd.TLS_FAILED] >= 2)
        assert "certificate verify failed" in peer.link.status.text
        await peer.cancel()


async def test_our_certificate_is_our_identity(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    certificate_file, key_file = authority.issue("cabinet-7")
    tls = TlsSettings(ca_file=authority.ca_file, certificate_file=certificate_file, key_file=key_file)
    demands = "require_certificate true\nuse_identity_as_username true\n"
    async with tls_broker(tmp_path, authority, demands) as broker:
        async with Peer(broker.port, "a", tls=tls).running():
            pass
        assert "u'cabinet-7'" in broker.log_text()


async def test_a_missing_certificate_of_ours_is_hinted_at(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    async with tls_broker(tmp_path, authority, "require_certificate true\n") as broker:
        peer = Peer(broker.port, tls=TlsSettings(ca_file=authority.ca_file))
        peer.start()
        await eventually(lambda: peer.link.statistics.ends.total() >= 2)
        assert "certificate" in peer.link.status.text
        await peer.cancel()


async def test_trap_6_cancelling_at_any_instant_of_tls_leaves_no_connection_behind(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    async with tls_broker(tmp_path, authority) as broker:
        turns, came_through = 0, False
        while not came_through:
            tls = TlsSettings(ca_file=authority.ca_file)
            peer = Peer(broker.port, f"cancelled-{turns}", "t/#", tls=tls)
            peer.start()
            for _ in range(turns):
                await asyncio.sleep(0)
            await peer.cancel()
            came_through = bool(peer.connected)
            turns += 1 + turns // 10
        await eventually(lambda: broker.clients() == 0)


async def test_a_port_without_tls_is_named_as_such(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        peer = Peer(broker.port, tls=TlsSettings(ca_file=Authority(tmp_path, "ours").ca_file))
        peer.start()
        await eventually(lambda: peer.link.status.why is LinkEnd.TLS_FAILED)
        await peer.cancel()
