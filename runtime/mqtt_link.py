"""The link to the broker: connects, subscribes, tells its owner, and starts again when anything fails.

Each connection starts clean (session expiry 0): nothing of record rests in a broker. Whole states are
published again by their owner on every connection, facts and commands are repeated by theirs until they are
answered. So an acknowledgement of MQTT's own proves nothing here and is never waited for by a fact: it only
tells that the broker has the message now (`publish`) and paces what the broker sends (`runtime.mqtt_inbox`).
"""

import asyncio
import ssl
from dataclasses import dataclass
from random import Random

from structlog.typing import FilteringBoundLogger

from runtime.backoff import Backoff
from runtime.clocks import LineClock
from runtime.link import (
    LinkDown,
    LinkEnd,
    LinkError,
    LinkOwner,
    LinkState,
    LinkStatistics,
    LinkStatus,
    Publication,
    PublishRefused,
    PublishUnconfirmed,
    SubscribeRefused,
)
from runtime.mqtt_connection import Account, AttemptFailed, Connection
from runtime.mqtt_inbox import Inbox
from runtime.mqtt_settings import MqttSettings
from runtime.mqtt_terms import Ended
from runtime.sockets import TlsFailed, open_socket


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """How long a link waits for what, in seconds. The defaults suit a mobile line."""

    keepalive_s: int = 20  # a dead line is noticed within 41 s: 20 without news, 20 without PINGRESP, a tick
    connect_s: float = 5  # for TCP, and again for TLS; the worst link delay simulated is 2 s each way
    answer_s: float = 10  # CONNACK, SUBACK: the same, behind a broker busy with everybody's return
    publish_s: float = 20  # a batch of 64 KiB needs 8 s on a 64 kbit/s uplink; twice that, and some
    goodbye_s: float = 2  # systemd gives a service 90 s to stop; a user at a terminal gives it less
    backoff_first_s: float = 0.5  # a broker that restarts is back within this (mosquitto: 10 ms)
    backoff_longest_s: float = 15  # one of the bounds that let the picture converge within two minutes
    stable_s: float = 15  # two programs with one client id throw each other out: not every 0.5 s


class MqttLink:
    """`runtime.link.Link` over MQTT 5. Cheap enough for many in one process: no thread, one timer a second each."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        owner: LinkOwner,
        *,
        line_clock: LineClock,
        random: Random,
        log: FilteringBoundLogger,
        limits: LinkLimits | None = None,
    ) -> None:
        self.statistics = LinkStatistics()
        self._settings = settings
        self._client_id = client_id
        self._owner = owner
        self._line_clock = line_clock
        self._log = log.bind(client_id=client_id, broker=f"{settings.host}:{settings.effective_port}")
        self._limits = limits or LinkLimits()
        self._backoff = Backoff(self._limits.backoff_first_s, self._limits.backoff_longest_s, random)
        self._inbox = Inbox(self.statistics)
        self._status = LinkStatus(LinkState.IDLE, "not started")
        self._connection_count = 0
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._finished = asyncio.Event()

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def connection_count(self) -> int:
        return self._connection_count

    @property
    def status(self) -> LinkStatus:
        return self._status

    async def publish(self, publication: Publication) -> None:
        if self._connection is None:
            raise LinkDown(self._status.text)
        try:
            await self._connection.send(publication, self._limits.publish_s)
        except PublishRefused:
            self.statistics.refused += 1
            raise
        except PublishUnconfirmed:
            self.statistics.unconfirmed += 1
            raise
        self.statistics.published += 1

    async def run(self) -> None:
        assert self._connecting is None, "a link runs once"
        if self._finished.is_set():  # stopped before it had begun
            self._status = LinkStatus(LinkState.STOPPED, "stopped")
            return
        self._connecting = asyncio.create_task(self._keep_connected(), name=f"mqtt {self._client_id}")
        delivering = asyncio.create_task(self._inbox.deliver(self._owner.on_message))
        tasks = (self._connecting, delivering)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._status = LinkStatus(LinkState.STOPPED, "stopped")
            self._finished.set()
        for task in tasks:
            if not task.cancelled():
                task.result()  # raises what a callback of the owner raised

    async def stop(self, last: Publication | None = None) -> None:
        if self._connecting is None:
            self._finished.set()
            return
        connection = self._connection
        if connection is not None:
            if last is not None:
                await self._publish_last(connection, last)
            await connection.goodbye(self._limits.goodbye_s)
            await asyncio.wait([self._connecting], timeout=self._limits.goodbye_s)
        self._connecting.cancel()  # it was in the middle of an attempt, or its owner does not come back
        await self._finished.wait()

    async def _publish_last(self, connection: Connection, last: Publication) -> None:
        try:
            await connection.send(last, self._limits.goodbye_s)
        except LinkError as error:
            self._log.warning("last_message_not_published", reason=str(error))

    async def _keep_connected(self) -> None:
        while True:
            self._connection_count += 1
            began_us = self._line_clock.now_us()
            ended = await self._attempt(self._connection_count)
            self.statistics.ends[ended.why] += 1
            if ended.why is LinkEnd.STOPPED:
                return
            if self._line_clock.now_us() - began_us >= self._limits.stable_s * 1_000_000:
                self._backoff.reset()
            self._show_end(ended)
            await asyncio.sleep(self._backoff.next_s())

    async def _attempt(self, count: int) -> Ended:
        """One attempt and, where it succeeds, the whole life of the connection."""
        if self._status.state is LinkState.IDLE:
            self._status = LinkStatus(LinkState.CONNECTING, "connecting for the first time")
        try:
            connection = await self._open(count)
        except AttemptFailed as failure:
            return failure.ended
        try:
            await connection.subscribe_all(self._owner.subscriptions, self._limits.answer_s)
            return await self._serve(connection, count)
        except AttemptFailed as failure:
            return failure.ended
        except SubscribeRefused as refusal:
            return Ended(LinkEnd.SUBSCRIBE_REFUSED, str(refusal))
        finally:
            connection.abort()

    async def _open(self, count: int) -> Connection:
        settings, limits = self._settings, self._limits
        tls, account = await self._credentials()
        connection = Connection(account, self._owner.will(count), self._inbox, limits.keepalive_s)
        try:
            sock = await open_socket(settings.host, settings.effective_port, tls, limits.connect_s)
        except TlsFailed as error:
            raise AttemptFailed(Ended(LinkEnd.TLS_FAILED, str(error))) from None
        except OSError as error:
            raise AttemptFailed(Ended(LinkEnd.UNREACHABLE, f"the broker cannot be reached: {error}")) from None
        try:
            await connection.open(sock, limits.answer_s)
        except BaseException:  # a cancel too: no live connection may stay behind under our client id
            connection.abort()
            sock.close()
            raise
        return connection

    async def _credentials(self) -> tuple[ssl.SSLContext | None, Account]:
        """Reads the files anew, so that they can be replaced under a running program."""
        settings = self._settings
        try:
            # in a thread: to read the system's authorities takes a small box longer than a lock may wait
            tls = await asyncio.to_thread(settings.tls.context) if settings.tls is not None else None
            return tls, Account(self._client_id, settings.username, settings.password())
        except (OSError, UnicodeDecodeError) as error:
            text = f"a password or certificate file cannot be used: {error}"
            raise AttemptFailed(Ended(LinkEnd.CREDENTIALS_UNREADABLE, text)) from None

    async def _serve(self, connection: Connection, count: int) -> Ended:
        """From the last SUBACK to the end of the connection."""
        self._connection = connection
        self.statistics.connects += 1
        self._status = LinkStatus(LinkState.CONNECTED, "connected")
        self._log.info("link_up", connection_count=count)
        ended = Ended(LinkEnd.STOPPED, "stopped")
        try:
            await self._owner.on_connected(count)
            ended = await asyncio.shield(connection.ended)
        except LinkError as error:  # states that nobody can see are not "connected": start again
            failed = Ended(LinkEnd.PUBLISH_FAILED, f"our states could not be published: {error}")
            ended = connection.ended.result() if connection.ended.done() else failed
        finally:
            self._connection = None
            self._owner.on_disconnected(ended.why)
        return ended

    def _show_end(self, ended: Ended) -> None:
        """In the log when it is news: a broker may be away for days."""
        status = LinkStatus(LinkState.WAITING, ended.text, ended.why)
        if status != self._status:
            self._log.warning("link_down", reason=ended.why, text=ended.text)
        self._status = status
