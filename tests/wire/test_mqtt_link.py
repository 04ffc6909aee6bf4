"""MqttLink against a real mosquitto. The traps are numbered as in `runtime.mqtt_connection`."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.link import Incoming, LinkDown, LinkEnd, LinkState, Publication, PublishRefused, Subscription
from runtime.mqtt_inbox import RECEIVE_MAX
from tests.runtime.links import QUICK, Peer
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with mosquitto(tmp_path) as running:
        yield running


async def test_a_message_arrives_as_it_was_published(broker: Mosquitto) -> None:
    async with Peer(broker.port, "a", "t/#").running() as peer:
        await peer.link.publish(
            Publication("t/1", b"\x00\xff", expiry_s=60, user_properties=(("k", "v"), ("k", "w")))
        )
        await eventually(lambda: peer.messages)
    assert peer.messages == [
        Incoming("t/1", b"\x00\xff", 1, retained=False, user_properties=(("k", "v"), ("k", "w")))
    ]


async def test_qos_0_is_published_and_received(broker: Mosquitto) -> None:
    async with Peer(broker.port, "a", "t/#").running() as peer:
        await peer.link.publish(Publication("t/1", b"x", qos=0))
        await eventually(lambda: peer.messages)
        assert peer.messages[0].qos == 0
        assert peer.link.statistics.published == 1


async def test_no_local_keeps_our_own_messages_away(broker: Mosquitto) -> None:
    peer = Peer(broker.port, "a")
    peer.subscriptions = (Subscription("t/#", no_local=True),)
    async with peer.running(), Peer(broker.port, "b").running() as other:
        await peer.link.publish(Publication("t/1", b"ours"))
        await other.link.publish(Publication("t/1", b"theirs"))
        await eventually(lambda: peer.messages)
    assert peer.payloads == [b"theirs"]


async def test_trap_1_a_publication_refused_by_the_access_list_is_an_error(tmp_path: Path) -> None:
    async with mosquitto(tmp_path, users={"box": "pw"}, acl="user box\ntopic readwrite mine/#\n") as broker:
        (tmp_path / "password").write_text("pw\n")
        account = {"username": "box", "password_file": tmp_path / "password"}
        async with Peer(broker.port, "a", **account).running() as peer:
            with pytest.raises(PublishRefused, match="not mine") as refused:
                await peer.link.publish(Publication("not mine", b""))
            await peer.link.publish(Publication("mine/1", b""))
            assert refused.value.reason_code == 0x87
            assert (peer.link.statistics.refused, peer.link.statistics.published) == (1, 1)


async def test_trap_2_a_flood_on_a_handler_that_stands_still_loses_nothing_and_fills_no_memory(
    broker: Mosquitto,
) -> None:
    flood = [b"%d" % n for n in range(2000)]
    gate = asyncio.Event()
    peer = Peer(broker.port, "slow", "t/#")

    async def handle(message: Incoming) -> None:
        await gate.wait()
        peer.messages.append(message)

    peer.handler = handle
    async with peer.running(), Peer(broker.port, "fast").running() as fast:
        await asyncio.gather(*(fast.link.publish(Publication("t/1", payload)) for payload in flood))
        await eventually(lambda: peer.link.statistics.received >= RECEIVE_MAX)
        await peer.link.publish(Publication("other", b""))  # a round trip: the broker would have sent more
        taken_at_most = peer.link.statistics.received
        gate.set()
        await eventually(lambda: len(peer.messages) >= len(flood))
    assert taken_at_most == RECEIVE_MAX
    assert peer.payloads == flood


async def test_trap_4_handlers_whose_waiting_is_cancelled_lose_nothing(broker: Mosquitto) -> None:
    flood = [b"%d" % n for n in range(500)]
    peer = Peer(broker.port, "impatient", "t/#")

    async def handle(message: Incoming) -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            peer.messages.append(message)

    peer.handler = handle
    async with peer.running(), Peer(broker.port, "fast").running() as fast:
        await asyncio.gather(*(fast.link.publish(Publication("t/1", payload)) for payload in flood))
        await eventually(lambda: len(peer.messages) >= len(flood))
    assert peer.payloads == flood


async def test_trap_5_a_reconnect_sees_that_the_account_was_withdrawn(tmp_path: Path) -> None:
    async with mosquitto(tmp_path, users={"box": "pw"}) as broker:
        password = tmp_path / "password"
        password.write_text("pw\n")
        async with Peer(broker.port, "a", username="box", password_file=password).running() as peer:
            broker.kill()
            password.write_text("withdrawn\n")
            await broker.start()
            await eventually(lambda: peer.link.status.why is LinkEnd.REFUSED)
            assert not peer.link.connected
            assert "check username and password_file" in peer.link.status.text
            with pytest.raises(LinkDown, match="refused the connection"):
                await peer.link.publish(Publication("t", b""))
            password.write_text("pw\n")  # the operator corrects it: no restart is needed
            await peer.wait_connected(times=2)


async def test_trap_6_cancelling_at_any_instant_leaves_no_connection_behind(broker: Mosquitto) -> None:
    turns, came_through = 0, False
    while not came_through:  # from the first turn of the loop to the one where all is up
        peer = Peer(broker.port, f"cancelled-{turns}", "t/#")
        peer.start()
        for _ in range(turns):
            await asyncio.sleep(0)
        await peer.cancel()
        came_through = bool(peer.connected)
        turns += 1 + turns // 10
    await eventually(lambda: broker.clients() == 0)


async def test_the_will_carries_the_connection_count(broker: Mosquitto) -> None:
    peer = Peer(broker.port, "mortal")
    peer.will = lambda count: Publication("presence", b"died in connection %d" % count)
    async with Peer(broker.port, "observer", "presence").running() as observer:
        async with peer.running():
            broker.kill()
            await broker.start()
            await peer.wait_connected(times=2)
            await observer.wait_connected(times=2)
        await eventually(lambda: observer.messages)
    assert observer.payloads == [b"died in connection %d" % peer.connected[-1]]


async def test_attempts_that_fail_count_too(broker: Mosquitto) -> None:
    broker.kill()
    peer = Peer(broker.port, "late")
    peer.will = lambda count: Publication("presence", b"%d" % count)
    task = peer.start()
    await eventually(lambda: peer.link.connection_count >= 3)
    await broker.start()
    await peer.wait_connected()
    async with Peer(broker.port, "observer", "presence").running() as observer:
        count = peer.link.connection_count
        task.cancel()
        await eventually(lambda: observer.payloads == [b"%d" % count])
    assert peer.connected == [count]
    assert count >= 3


async def test_states_are_published_again_to_a_broker_that_forgot_them(broker: Mosquitto) -> None:
    peer = Peer(broker.port, "owner")
    peer.states = [Publication("state/1", b"one", retain=True), Publication("state/2", b"two", retain=True)]
    async with peer.running():
        broker.kill()
        await eventually(lambda: not peer.link.connected)
        await broker.start()
        await peer.wait_connected(times=2)
        assert peer.disconnected == [LinkEnd.LOST]
        async with Peer(broker.port, "reader", "state/#").running() as reader:
            await eventually(lambda: len(reader.messages) == 2)
    assert sorted(reader.payloads) == [b"one", b"two"]
    assert all(message.retained for message in reader.messages)


async def test_a_broker_that_is_stopped_says_goodbye_and_is_found_again(broker: Mosquitto) -> None:
    async with Peer(broker.port, "a").running() as peer:
        broker.stop()
        await eventually(lambda: not peer.link.connected)
        assert peer.link.status.state is LinkState.WAITING
        assert peer.disconnected[0] in {LinkEnd.CLOSED_BY_BROKER, LinkEnd.LOST}
        await broker.start()
        await peer.wait_connected(times=2)
        assert peer.link.statistics.connects == 2


async def test_stopping_publishes_the_last_message_and_no_will(broker: Mosquitto) -> None:
    peer = Peer(broker.port, "leaving")
    peer.will = lambda _count: Publication("presence", b"died")
    async with Peer(broker.port, "observer", "presence").running() as observer:
        task = peer.start()
        await peer.wait_connected()
        await peer.link.stop(Publication("presence", b"left"))
        await task
        assert peer.link.status.state is LinkState.STOPPED
        assert peer.disconnected == [LinkEnd.STOPPED]
        await eventually(lambda: "Client leaving disconnected" in broker.log_text())
        await observer.link.publish(Publication("presence", b"after"))  # a will would have come before it
        await eventually(lambda: b"after" in observer.payloads)
    assert observer.payloads == [b"left", b"after"]


async def test_a_link_that_was_stopped_before_it_ran_ends_at_once(broker: Mosquitto) -> None:
    peer = Peer(broker.port)
    task = peer.start()
    await peer.link.stop()  # nothing was awaited since: it has not begun
    async with asyncio.timeout(5):
        await task
    assert peer.link.status.state is LinkState.STOPPED
    assert peer.link.connection_count == 0


async def test_stopping_ends_a_link_that_never_connected(broker: Mosquitto) -> None:
    broker.kill()
    peer = Peer(broker.port, "never")
    task = peer.start()
    await eventually(lambda: peer.link.status.why is LinkEnd.UNREACHABLE)
    await peer.link.stop(Publication("presence", b"left"))
    await task
    assert not peer.connected
    assert not peer.disconnected


async def test_no_message_is_lost_between_two_calls_of_the_handler(broker: Mosquitto) -> None:
    peer = Peer(broker.port, "two", "t/#")

    async def handle(message: Incoming) -> None:
        if message.payload == b"first":
            await peer.link.publish(Publication("t/2", b"second"))  # arrives while this call is under way
            await peer.link.publish(Publication("t/3", b"third"))
        peer.messages.append(message)

    peer.handler = handle
    async with peer.running():
        await peer.link.publish(Publication("t/1", b"first"))
        await eventually(lambda: len(peer.messages) == 3)
    assert peer.payloads == [b"first", b"second", b"third"]


async def test_an_exception_of_the_handler_ends_the_link_and_closes_its_connection(broker: Mosquitto) -> None:
    peer = Peer(broker.port, "broken", "t/#")

    def handle(_message: Incoming) -> None:
        raise ZeroDivisionError

    peer.handler = handle
    task = peer.start()
    await peer.wait_connected()
    async with Peer(broker.port, "other").running() as other:
        await other.link.publish(Publication("t/1", b""))
    with pytest.raises(ZeroDivisionError):
        await task
    assert peer.disconnected == [LinkEnd.STOPPED]
    await eventually(lambda: broker.clients() == 0)


async def test_states_that_cannot_be_published_mean_no_connection(tmp_path: Path) -> None:
    async with mosquitto(tmp_path, users={"box": "pw"}, acl="user box\ntopic read state/#\n") as broker:
        (tmp_path / "password").write_text("pw")
        peer = Peer(broker.port, "mute", username="box", password_file=tmp_path / "password")
        peer.states = [Publication("state/1", b"")]
        peer.start()
        await eventually(lambda: peer.link.statistics.ends[LinkEnd.PUBLISH_FAILED] >= 2)
        assert "state/1: the broker refused it" in peer.link.status.text
        await peer.cancel()


async def test_thirty_links_in_one_process_reconnect_together(broker: Mosquitto) -> None:
    peers = [Peer(broker.port, f"agent-{n}", f"cabinets/{n}/#") for n in range(30)]
    for peer in peers:
        peer.limits = replace(QUICK, answer_s=5)
        peer.start()
    for peer in peers:
        await peer.wait_connected()
    broker.kill()
    await broker.start()
    for peer in peers:
        await peer.wait_connected(times=2)
    await asyncio.gather(*(p.link.publish(Publication(f"cabinets/{n}/x", b"x")) for n, p in enumerate(peers)))
    await eventually(lambda: all(len(peer.messages) == 1 for peer in peers))
    await asyncio.gather(*(peer.link.stop() for peer in peers))
    await eventually(lambda: broker.clients() == 0)
