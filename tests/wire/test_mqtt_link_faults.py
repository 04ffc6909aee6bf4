"""MqttLink against brokers that misbehave. The traps are numbered as in `runtime.mqtt_connection`."""

import asyncio
import socket
from dataclasses import replace

import aiomqtt
import pytest
from paho.mqtt import client as paho

from runtime.link import (
    PAYLOAD_BYTES_MAX,
    LinkDown,
    LinkEnd,
    LinkState,
    Publication,
    PublishRefused,
    PublishUnconfirmed,
)
from runtime.mqtt_connection import IN_FLIGHT_MAX
from runtime.mqtt_inbox import INBOX_MAX
from tests.runtime.links import QUICK, Peer
from tests.runtime.waiting import eventually
from tests.wire.brokers import CONNECT, DISCONNECT, HOST, PUBACK, PUBLISH, SUBSCRIBE, fake_broker, free_port


async def test_the_private_names_that_the_link_stands_on_exist() -> None:
    client = aiomqtt.Client("nowhere")
    assert isinstance(client._client, paho.Client)
    assert isinstance(client._disconnected, asyncio.Future)
    callbacks = ("_on_connect", "_on_disconnect", "_on_message", "_on_publish", "_on_subscribe")
    assert all(getattr(client._client, name.removeprefix("_")) == getattr(client, name) for name in callbacks)
    assert callable(client._client._create_socket)
    assert callable(client._client._sock_close)


async def test_trap_6_a_connack_that_never_comes_leaves_no_connection() -> None:
    async with fake_broker(connack=None) as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, answer_s=0.05)
        peer.start()
        await eventually(lambda: peer.link.statistics.ends[LinkEnd.NO_ANSWER] >= 2)
        assert peer.link.status.text == "no CONNACK within 0.05 s"
        await peer.cancel()
        await eventually(lambda: broker.closed == broker.opened)
        assert not peer.connected


async def test_trap_6_a_cancel_while_waiting_for_connack_leaves_no_connection() -> None:
    async with fake_broker(connack=None) as broker:
        peer = Peer(broker.port)
        peer.start()
        await eventually(lambda: broker.count(CONNECT) == 1)
        await peer.cancel()
        await eventually(lambda: broker.closed == broker.opened == 1)


async def test_a_broker_that_hangs_up_instead_of_connack_is_noticed_at_once() -> None:
    async with fake_broker(hang_up_on=CONNECT) as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, answer_s=60)
        peer.start()
        await eventually(lambda: peer.link.statistics.ends[LinkEnd.LOST] >= 2)
        assert "hung up" in peer.link.status.text
        await peer.cancel()


async def test_a_refused_connection_is_shown_and_tried_again() -> None:
    async with fake_broker(connack=0x86) as broker:
        peer = Peer(broker.port)
        peer.start()
        await eventually(lambda: peer.link.statistics.ends[LinkEnd.REFUSED] >= 2)
        assert peer.link.status.state is LinkState.WAITING
        assert "Bad user name or password (0x86): check username" in peer.link.status.text
        broker.manners.connack = 0
        await peer.wait_connected()
        await peer.cancel()


async def test_trap_7_a_publication_that_times_out_is_unconfirmed_and_may_have_arrived() -> None:
    async with fake_broker(puback=None) as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, publish_s=0.05)
        async with peer.running():
            with pytest.raises(PublishUnconfirmed, match="no PUBACK within"):
                await peer.link.publish(Publication("fact", b"number 1"))
            assert broker.packets[-1] == (PUBLISH, b"\0\x04fact\0\x01\0number 1")  # it did arrive
            assert peer.link.statistics.unconfirmed == 1


async def test_trap_7_a_connection_that_ends_before_puback_leaves_it_unconfirmed() -> None:
    async with fake_broker(hang_up_on=PUBLISH) as broker, Peer(broker.port).running() as peer:
        with pytest.raises(PublishUnconfirmed, match="the connection broke before PUBACK"):
            await peer.link.publish(Publication("fact", b""))
        with pytest.raises(LinkDown):
            await peer.link.publish(Publication("fact", b""))


async def test_trap_1_a_refused_puback_is_an_error() -> None:
    async with fake_broker(puback=0x97) as broker, Peer(broker.port).running() as peer:
        with pytest.raises(PublishRefused, match="Quota exceeded") as refused:
            await peer.link.publish(Publication("t", b""))
        assert refused.value.reason_code == 0x97


@pytest.mark.parametrize("code", [0x80, 0x87])
async def test_trap_8_a_refused_subscription_is_shown_and_tried_again(code: int) -> None:
    async with fake_broker(suback=code) as broker:
        peer = Peer(broker.port, "peer", "mine/#", "yours/#")
        peer.start()
        await eventually(lambda: peer.link.statistics.ends[LinkEnd.SUBSCRIBE_REFUSED] >= 2)
        assert "mine/#" in peer.link.status.text
        assert "yours/#" in peer.link.status.text
        assert not peer.connected
        broker.manners.suback = 0
        await peer.wait_connected()
        await peer.cancel()


async def test_trap_8_a_suback_that_never_comes_ends_the_connection() -> None:
    async with fake_broker(suback=None) as broker:
        peer = Peer(broker.port, "peer", "mine/#")
        peer.limits = replace(QUICK, answer_s=0.05)
        peer.start()
        await eventually(lambda: broker.count(SUBSCRIBE) >= 2)
        assert peer.link.status.text == "no SUBACK within 0.05 s"
        await peer.cancel()
        await eventually(lambda: broker.closed == broker.opened)


async def test_a_silent_broker_is_noticed_by_the_keepalive() -> None:
    async with fake_broker(pong=False) as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, keepalive_s=1)
        async with peer.running():
            await eventually(lambda: peer.disconnected)
            assert peer.disconnected == [LinkEnd.KEEPALIVE]
            await peer.wait_connected(times=2)


async def test_a_second_client_with_our_id_is_named_as_what_it_is() -> None:
    async with fake_broker() as broker, Peer(broker.port).running() as peer:
        broker.say(DISCONNECT, b"\x8e\0")
        await eventually(lambda: peer.disconnected)
        assert peer.disconnected == [LinkEnd.TAKEN_OVER]
        assert "under our client id" in peer.link.status.text


async def test_what_is_not_mqtt_ends_the_connection_and_nothing_else() -> None:
    async with fake_broker() as broker, Peer(broker.port).running() as peer:
        broker.say(0xF0, b"")  # AUTH, which nobody asked for
        await eventually(lambda: peer.disconnected)
        assert peer.disconnected == [LinkEnd.PROTOCOL_ERROR]
        await peer.wait_connected(times=2)
        broker.say(PUBLISH | 2, b"\0\x09")  # a topic of nine bytes that are not there
        await eventually(lambda: len(peer.disconnected) == 2)
        assert peer.disconnected[1] is LinkEnd.PROTOCOL_ERROR


async def test_a_topic_that_is_not_utf_8_is_counted_and_dropped() -> None:
    async with fake_broker() as broker, Peer(broker.port).running() as peer:
        broker.say(PUBLISH | 2, b"\0\x01\xff\0\x07\0payload")
        broker.say(PUBLISH, b"\0\x01t\0payload")
        await eventually(lambda: peer.messages and broker.count(PUBACK) == 1)
        assert peer.link.statistics.dropped == 1
        assert [message.topic for message in peer.messages] == ["t"]


async def test_an_exception_inside_paho_ends_the_connection_and_nothing_else() -> None:
    def fail() -> None:
        raise IndexError("inside paho")

    async with fake_broker() as broker, Peer(broker.port).running() as peer:
        assert peer.link._connection is not None
        peer.link._connection._client.loop_read = fail  # type: ignore[assignment]  # as a bug of it would
        broker.say(PUBLISH, b"\0\x01t\0payload")
        await eventually(lambda: peer.disconnected)
        assert peer.disconnected == [LinkEnd.PROTOCOL_ERROR]
        assert peer.link.status.text == "IndexError: inside paho"
        await peer.wait_connected(times=2)


async def test_a_suback_with_too_few_answers_is_not_mqtt() -> None:
    async with fake_broker(suback_for_each=False) as broker:
        peer = Peer(broker.port, "peer", "mine/#", "yours/#")
        peer.start()
        await eventually(lambda: peer.link.statistics.ends[LinkEnd.PROTOCOL_ERROR] >= 2)
        await peer.cancel()


async def test_the_largest_payload_is_1_mib() -> None:
    async with fake_broker() as broker, Peer(broker.port).running() as peer:
        await peer.link.publish(Publication("t", bytes(PAYLOAD_BYTES_MAX)))
        with pytest.raises(PublishRefused, match="t: 1048577 bytes, at most 1048576 are allowed") as refused:
            await peer.link.publish(Publication("t", bytes(PAYLOAD_BYTES_MAX + 1)))
        assert refused.value.reason_code == 0x95
        assert broker.count(PUBLISH) == 1


async def test_a_broker_that_allows_less_is_obeyed() -> None:
    maximum_packet_size = b"\x27" + (100_000).to_bytes(4, "big")
    async with fake_broker(connack_properties=maximum_packet_size) as broker, Peer(broker.port).running() as peer:
        with pytest.raises(PublishRefused, match="at most 91808 are allowed"):
            await peer.link.publish(Publication("t", bytes(100_000)))
        assert broker.count(PUBLISH) == 0


async def test_no_more_publications_are_under_way_than_the_broker_allows() -> None:
    receive_maximum = b"\x21\0\x03"
    async with fake_broker(connack_properties=receive_maximum, puback=None) as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, publish_s=0.05)
        async with peer.running():
            publishing = [peer.link.publish(Publication("t", b"")) for _ in range(5)]
            outcomes = await asyncio.gather(*publishing, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [PublishUnconfirmed] * 3 + [LinkDown] * 2
            assert broker.count(PUBLISH) == 3


async def test_those_who_wait_for_a_place_hear_when_the_connection_ends() -> None:
    async with fake_broker(puback=None) as broker, Peer(broker.port).running() as peer:
        publishing = [
            asyncio.create_task(peer.link.publish(Publication("t", b""))) for _ in range(IN_FLIGHT_MAX + 9)
        ]
        await eventually(lambda: broker.count(PUBLISH) == IN_FLIGHT_MAX)
        broker.writers[-1].close()
        async with asyncio.timeout(QUICK.publish_s / 2):
            outcomes = await asyncio.gather(*publishing, return_exceptions=True)
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [PublishUnconfirmed] * IN_FLIGHT_MAX + [LinkDown] * 9


async def test_a_topic_that_cannot_be_published_takes_no_place() -> None:
    async with fake_broker(connack_properties=b"\x21\0\x01") as broker, Peer(broker.port).running() as peer:
        for _ in range(3):
            with pytest.raises(ValueError, match="wildcards"):
                await peer.link.publish(Publication("t/#", b""))
        await peer.link.publish(Publication("t", b""))
        assert broker.count(PUBLISH) == 1


async def test_a_packet_id_still_in_use_is_not_used_again() -> None:
    async with fake_broker(puback=None) as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, publish_s=0.05)
        async with peer.running():
            with pytest.raises(PublishUnconfirmed):
                await peer.link.publish(Publication("t", b""))
            assert peer.link._connection is not None
            peer.link._connection._client._last_mid = 0  # as after 65,535 others
            with pytest.raises(LinkDown):
                await peer.link.publish(Publication("t", b""))
            assert broker.count(PUBLISH) == 1


async def test_a_cancelled_publication_gives_its_place_back_only_with_its_puback() -> None:
    async with fake_broker(connack_properties=b"\x21\0\x01", puback=None) as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, publish_s=0.05)
        async with peer.running():
            first = asyncio.create_task(peer.link.publish(Publication("t", b"")))
            await eventually(lambda: broker.count(PUBLISH) == 1)
            first.cancel()
            with pytest.raises(LinkDown, match="unconfirmed"):
                await peer.link.publish(Publication("t", b""))
            broker.say(0x40, b"\0\x01\0\0")
            with pytest.raises(PublishUnconfirmed):
                await peer.link.publish(Publication("t", b""))
            assert broker.count(PUBLISH) == 2


async def test_a_broker_that_ignores_our_window_is_cut_off_before_it_fills_the_memory() -> None:
    async with fake_broker() as broker:
        peer = Peer(broker.port)
        peer.handler = lambda _message: asyncio.Event().wait()
        async with peer.running():
            for number in range(INBOX_MAX + 2):
                broker.say(PUBLISH | 2, b"\0\x01t" + number.to_bytes(2, "big") + b"\0payload")
            await eventually(lambda: peer.disconnected)
            assert peer.disconnected == [LinkEnd.OVERFLOW]
            assert broker.count(PUBACK) == 0
            assert peer.link.statistics.received == INBOX_MAX + 1, "one is with the handler"


async def test_qos_0_beyond_a_full_inbox_is_dropped_and_counted() -> None:
    async with fake_broker() as broker:
        peer = Peer(broker.port)
        peer.handler = lambda _message: asyncio.Event().wait()
        async with peer.running():
            for _ in range(INBOX_MAX + 9):
                broker.say(PUBLISH, b"\0\x01t\0payload")
            await eventually(lambda: peer.link.statistics.dropped == 8)
            assert peer.link.connected


async def test_a_message_is_acknowledged_when_its_handler_is_done() -> None:
    done = asyncio.Event()
    async with fake_broker() as broker:
        peer = Peer(broker.port)
        peer.handler = lambda _message: done.wait()
        async with peer.running():
            broker.say(PUBLISH | 2, b"\0\x01t\0\x07\0payload")
            await eventually(lambda: peer.link.statistics.received == 1)
            await peer.link.publish(
                Publication("t", b"", qos=0)
            )  # had an acknowledgement been sent, it came before
            await eventually(lambda: broker.count(PUBLISH) == 1)
            assert broker.count(PUBACK) == 0
            done.set()
            await eventually(lambda: broker.count(PUBACK) == 1)
            assert broker.packets[-1][1][:2] == b"\0\x07"


async def test_an_owner_that_never_finishes_connecting_does_not_hold_up_the_stop() -> None:
    async with fake_broker() as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, goodbye_s=0.05)
        peer.on_connected = lambda _count: asyncio.Event().wait()
        task = peer.start()
        await eventually(lambda: peer.link.connected)
        async with asyncio.timeout(5):
            await peer.link.stop()
            await task
        assert broker.count(DISCONNECT) == 1


async def test_a_mistake_of_the_owner_while_connecting_ends_the_link() -> None:
    async def mistaken(_count: int) -> None:
        raise ZeroDivisionError

    async with fake_broker() as broker:
        peer = Peer(broker.port)
        peer.on_connected = mistaken
        with pytest.raises(ZeroDivisionError):
            await peer.start()
        await eventually(lambda: broker.closed == broker.opened == 1)


async def test_stopping_a_link_that_does_not_run_does_nothing() -> None:
    link = Peer(free_port()).make()
    await link.stop()
    assert link.status.state is LinkState.IDLE
    with pytest.raises(LinkDown, match="not started"):
        await link.publish(Publication("t", b""))


async def test_an_absent_broker_is_tried_soon_and_then_less_often() -> None:
    peer = Peer(free_port())
    peer.limits = replace(QUICK, backoff_first_s=0.001, backoff_longest_s=0.004)
    peer.start()
    await eventually(lambda: peer.link.statistics.ends[LinkEnd.UNREACHABLE] >= 5)
    assert peer.link.status.text == "the broker cannot be reached: 127.0.0.1: Connection refused"
    assert [name for name, _ in peer.logged] == ["link_down"], "the same end again is no news"
    with pytest.raises(LinkDown, match="cannot be reached"):
        await peer.link.publish(Publication("t", b""))
    await peer.cancel()


async def test_after_a_stable_connection_the_first_retry_is_a_quick_one_again() -> None:
    async with fake_broker() as broker:
        peer = Peer(broker.port)
        peer.limits = replace(QUICK, backoff_first_s=0.001, backoff_longest_s=3600, stable_s=0)
        async with peer.running():
            for times in range(1, 21):  # the twentieth delay in a row would be 9 minutes
                await peer.wait_connected(times)
                broker.writers[-1].close()


async def test_a_port_that_accepts_and_never_reads_is_no_broker() -> None:
    with socket.create_server((HOST, 0)) as mute:
        peer = Peer(mute.getsockname()[1])
        peer.limits = replace(QUICK, answer_s=0.05)
        peer.start()
        await eventually(lambda: peer.link.status.why is LinkEnd.NO_ANSWER)
        await peer.cancel()


async def test_a_password_file_that_vanished_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    password = tmp_path_factory.mktemp("secrets") / "password"
    password.write_text("pw")
    async with fake_broker() as broker:
        peer = Peer(broker.port, username="box", password_file=password)
        password.unlink()
        peer.start()
        await eventually(lambda: peer.link.status.why is LinkEnd.CREDENTIALS_UNREADABLE)
        assert str(password) in peer.link.status.text
        password.write_text("pw")
        await peer.wait_connected()
        await peer.cancel()
