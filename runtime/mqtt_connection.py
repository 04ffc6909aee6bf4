"""One MQTT 5 connection over aiomqtt and paho: one attempt, one object, with the traps of both closed.

| aiomqtt 2.5, paho 2.2 as they are | here |
|---|---|
| 1 a refused PUBACK passes for success | `send` looks at the reason code |
| 2 a bounded incoming queue drops what is already acknowledged | our own inbox, acknowledged after handling |
| 3 manual acknowledgement is reachable in paho only | used as flow control, see `runtime.mqtt_inbox` |
| 4 cancelling the message iterator loses messages | no iterator: paho's callback fills the inbox |
| 5 entering a client again returns before CONNACK | each attempt is a new object |
| 6 giving up on CONNACK leaves a live connection | whoever gives up calls `abort`; no thread is left behind |
| 7 a publication that timed out may still arrive | `PublishUnconfirmed`; its identity is the caller's |
| 8 SUBACK failures are returned, not raised | `SubscribeRefused` |
| 9 `wait_for` (Python 3.11) swallows a cancel that meets the answer | `asyncio.timeout`, futures of our own |

aiomqtt connects in a thread, which nobody can cancel. Here the socket is opened on the loop and handed to
paho, whose `connect` then does not block; what remains of aiomqtt is the bridge between paho and the loop. That
takes aiomqtt's private `_client` and `_disconnected`, and paho's `_create_socket` and `_sock_close`: a test
fails when one of them goes.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiomqtt
from paho.mqtt import client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from runtime.link import (
    PAYLOAD_BYTES_MAX,
    LinkDown,
    LinkEnd,
    Publication,
    PublishRefused,
    PublishUnconfirmed,
    SubscribeRefused,
    Subscription,
)
from runtime.mqtt_inbox import Inbox, Received
from runtime.mqtt_terms import (
    HEADER_BYTES_MAX,
    PACKET_TOO_LARGE,
    Ended,
    connect_properties,
    end_of,
    incoming_of,
    publish_properties,
    refusal_of,
    subscribe_options,
    will_of,
)

IN_FLIGHT_MAX = 100  # unconfirmed publications; with 50 ms to the broker and back that carries 2,000 a second

# with TLS 1.3 a broker that misses or mistrusts our certificate says so after the handshake, by hanging up
CLOSED_EARLY = Ended(
    LinkEnd.LOST, "the broker hung up instead of answering CONNECT: does it trust our certificate?"
)


class AttemptFailed(Exception):
    """There is no connection, and this object will never be one."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.text)
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Account:
    """As whom to connect."""

    client_id: str
    username: str | None = None
    password: str | None = None


class Connection(aiomqtt.Client):
    """Use: `open`, `subscribe_all`, any number of `send`, then `goodbye` or `abort`. Not used again."""

    def __init__(self, account: Account, will: Publication | None, inbox: Inbox, keepalive_s: int) -> None:
        super().__init__(
            hostname="opened by runtime.sockets",
            identifier=account.client_id,
            username=account.username,
            password=account.password,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=will_of(will),
            keepalive=keepalive_s,
            max_inflight_messages=IN_FLIGHT_MAX,
        )
        self.ended: asyncio.Future[Ended] = self._loop.create_future()
        self._accepted: asyncio.Future[bool] = self._loop.create_future()
        self._granted: asyncio.Future[list[ReasonCode] | None] = self._loop.create_future()
        self._inbox = inbox
        self._confirmations: dict[int, asyncio.Future[ReasonCode | None]] = {}
        self._window = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._payload_bytes_max = PAYLOAD_BYTES_MAX
        self._disconnected.add_done_callback(self._on_exception)
        self._client.manual_ack_set(True)

    async def open(self, sock: socket.socket, timeout_s: float) -> None:
        """CONNECT and CONNACK over a connected, non-blocking socket. Raises `AttemptFailed`."""
        self._client._create_socket = lambda: sock  # type: ignore[method-assign]  # noqa: SLF001  # see above
        self._client.connect(
            self._hostname, self._port, self._keepalive, clean_start=True, properties=connect_properties()
        )
        try:
            async with asyncio.timeout(timeout_s):
                accepted = await self._accepted
        except TimeoutError:
            raise AttemptFailed(Ended(LinkEnd.NO_ANSWER, f"no CONNACK within {timeout_s} s")) from None
        if not accepted:
            raise AttemptFailed(CLOSED_EARLY if self._end_so_far.why is LinkEnd.LOST else self._end_so_far)

    async def subscribe_all(self, subscriptions: Sequence[Subscription], timeout_s: float) -> None:
        """SUBSCRIBE and SUBACK, all in one. Raises `SubscribeRefused` and `AttemptFailed`."""
        if not subscriptions:
            return
        wanted = [(each.topic_filter, subscribe_options(each)) for each in subscriptions]
        result, _ = self._client.subscribe(wanted)
        try:
            async with asyncio.timeout(timeout_s):
                codes = await self._granted if result == paho.MQTT_ERR_SUCCESS else None
        except TimeoutError:
            raise AttemptFailed(Ended(LinkEnd.NO_ANSWER, f"no SUBACK within {timeout_s} s")) from None
        if codes is None:
            raise AttemptFailed(self._end_so_far)
        if len(codes) != len(subscriptions):
            raise AttemptFailed(Ended(LinkEnd.PROTOCOL_ERROR, "SUBACK does not answer SUBSCRIBE"))
        answers = zip(subscriptions, codes, strict=True)
        refused = [f"{each.topic_filter} ({code})" for each, code in answers if code.is_failure]
        if refused:
            raise SubscribeRefused(f"the broker refused to subscribe us to {', '.join(refused)}")

    async def send(self, publication: Publication, timeout_s: float) -> None:
        """Returns once the broker has confirmed; with QoS 0, once the packet is in the socket."""
        if len(publication.payload) > self._payload_bytes_max:
            size = f"{len(publication.payload)} bytes, at most {self._payload_bytes_max} are allowed"
            raise PublishRefused(PACKET_TOO_LARGE, f"{publication.topic}: {size}")
        await self._enter_window(timeout_s)
        confirmation = self._hand_over(publication)
        try:
            async with asyncio.timeout(timeout_s):
                reason = await confirmation
        except TimeoutError:
            raise PublishUnconfirmed(f"{publication.topic}: no PUBACK within {timeout_s} s") from None
        if reason is None:
            raise PublishUnconfirmed(f"{publication.topic}: {self._end_so_far.text} before PUBACK")
        if reason.is_failure:
            text = f"{publication.topic}: the broker refused it: {reason} (0x{reason.value:02x})"
            raise PublishRefused(reason.value, text)

    async def goodbye(self, timeout_s: float) -> None:
        """DISCONNECT, after what is still to be written: the broker publishes no will. Then `abort`."""
        self._client.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self.ended)
        self.abort()

    def abort(self) -> None:
        """Closes the socket at once, whatever the state; the broker publishes the will. May be repeated."""
        self._end(Ended(LinkEnd.STOPPED, "we closed the connection"))
        self._client._sock_close()  # noqa: SLF001  # see above

    @property
    def _end_so_far(self) -> Ended:
        """Asked when paho says that there is no connection, which it may know before it tells us why."""
        return self.ended.result() if self.ended.done() else Ended(LinkEnd.LOST, "the connection broke")

    async def _enter_window(self, timeout_s: float) -> None:
        """Waits for one of the broker's places for unconfirmed publications, which PUBACK gives back."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._window.acquire()
        except TimeoutError:
            raise LinkDown("the broker leaves too many publications unconfirmed") from None
        if self.ended.done():
            self._window.release()  # wakes the next in line, who finds the same
            raise LinkDown(self._end_so_far.text)

    def _hand_over(self, publication: Publication) -> "asyncio.Future[ReasonCode | None]":
        with self._place_returned_on_failure():
            info = self._client.publish(
                publication.topic,
                publication.payload,
                publication.qos,
                publication.retain,
                publish_properties(publication),
            )
            if info.rc != paho.MQTT_ERR_SUCCESS:
                raise LinkDown(paho.error_string(info.rc))
        confirmation = self._confirmations[info.mid] = self._loop.create_future()
        return confirmation

    @contextlib.contextmanager
    def _place_returned_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._window.release()
            raise

    def _end(self, ended: Ended) -> None:
        """The one place where a connection ends, for whoever waits for anything of it. The first end counts."""
        if self.ended.done():
            return
        self.ended.set_result(ended)
        if not self._accepted.done():
            self._accepted.set_result(False)
        if not self._granted.done():
            self._granted.set_result(None)
        for confirmation in self._confirmations.values():
            if not confirmation.done():
                confirmation.set_result(None)
        self._confirmations.clear()
        self._window.release()

    # The callbacks of paho, all on our loop, in the place of aiomqtt's.

    def _on_connect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self._accepted.done():
            return
        if reason_code.is_failure:
            self._end(refusal_of(reason_code))
            return
        window = getattr(properties, "ReceiveMaximum", IN_FLIGHT_MAX)
        self._window = asyncio.Semaphore(min(window, IN_FLIGHT_MAX))  # nobody waits for it before CONNACK
        packet_bytes_max = getattr(properties, "MaximumPacketSize", PAYLOAD_BYTES_MAX + HEADER_BYTES_MAX)
        self._payload_bytes_max = min(packet_bytes_max - HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX)
        self._accepted.set_result(True)

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self._end(end_of(flags, reason_code))

    def _on_exception(self, disconnected: "asyncio.Future[None]") -> None:
        """Reading or writing raised, and aiomqtt caught it: paho cannot go on."""
        if not disconnected.cancelled() and (error := disconnected.exception()) is not None:
            why = LinkEnd.LOST if isinstance(error, OSError) else LinkEnd.PROTOCOL_ERROR
            self._end(Ended(why, f"{type(error).__name__}: {error}"))

    def _on_subscribe(
        self,
        client: paho.Client,
        userdata: Any,
        mid: int,
        reason_codes: list[ReasonCode],
        properties: Properties | None = None,
    ) -> None:
        if not self._granted.done():
            self._granted.set_result(reason_codes)

    def _on_publish(
        self,
        client: paho.Client,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        confirmation = self._confirmations.pop(mid, None)
        if confirmation is not None:
            self._window.release()  # also when nobody waits any more: the place was taken until now
            if not confirmation.done():
                confirmation.set_result(reason_code)

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        def acknowledge() -> None:
            self._client.ack(message.mid, message.qos)  # does nothing once the connection has ended

        try:
            received = Received(incoming_of(message), acknowledge)
        except UnicodeDecodeError:
            self._inbox.drop()
            acknowledge()
            return
        if not self._inbox.offer(received) and message.qos > 0:
            self._end(Ended(LinkEnd.OVERFLOW, "more messages came than our handler takes"))
