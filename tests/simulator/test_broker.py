import socket

import pytest

from runtime.link import PAYLOAD_BYTES_MAX, Incoming, Publication
from simulator.broker import HOST, BrokerNotStarted, config_text, embedded_broker
from tests.runtime.links import Peer
from tests.runtime.waiting import eventually


async def test_a_link_works_with_the_embedded_broker() -> None:
    async with embedded_broker() as port, Peer(port, "a", "t/#").running() as peer:
        await peer.link.publish(Publication("t/1", b"x", expiry_s=60, user_properties=(("k", "v"),)))
        await eventually(lambda: peer.messages)
        await peer.link.stop(Publication("t/last", b""))
    assert peer.messages[0] == Incoming("t/1", b"x", 1, retained=False, user_properties=(("k", "v"),))


async def test_the_largest_payload_of_a_link_passes_and_is_retained() -> None:
    async with embedded_broker() as port, Peer(port, "writer").running() as writer:
        await writer.link.publish(Publication("t/large", bytes(PAYLOAD_BYTES_MAX), retain=True))
        async with Peer(port, "reader", "t/#").running() as reader:
            await eventually(lambda: reader.messages)
    assert reader.messages[0].retained
    assert len(reader.messages[0].payload) == PAYLOAD_BYTES_MAX


async def test_a_link_that_dies_has_its_will_published() -> None:
    async with embedded_broker() as port, Peer(port, "observer", "presence").running() as observer:
        peer = Peer(port, "mortal")
        peer.will = lambda count: Publication("presence", b"%d" % count)
        async with peer.running():
            pass
        await eventually(lambda: observer.payloads == [b"1"])


async def test_a_flood_arrives_whole() -> None:
    flood = [b"%d" % n for n in range(1000)]
    async with (
        embedded_broker() as port,
        Peer(port, "reader", "t/#").running() as reader,
        Peer(port, "writer").running() as writer,
    ):
        for payload in flood:
            await writer.link.publish(Publication("t/1", payload))
        await eventually(lambda: len(reader.messages) == len(flood))
    assert reader.payloads == flood


async def test_it_listens_on_loopback_alone() -> None:
    listeners = [line for line in config_text(1884).splitlines() if line.startswith("listen")]
    assert listeners == ['listen = "127.0.0.1:1884"']


async def test_a_port_in_use_is_a_sentence() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerNotStarted, match=f"no broker on 127.0.0.1 port {port}"):
            async with embedded_broker(port):
                raise AssertionError("not reached")


async def test_the_port_is_free_again_afterwards() -> None:
    async with embedded_broker() as port:
        pass
    async with embedded_broker(port) as again:
        assert again == port
