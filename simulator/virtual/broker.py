"""An MQTT broker in memory, with the semantics that the wire contract counts on, and the links of its clients.

Kept: retained messages, last wills, clean starts, QoS 1 (a message may come twice), no-local, shared subscriptions,
who may write and read which topic. A restart forgets everything. `MemoryLink` is a `runtime.link.Link` whose
`publish` answers at once: how the message fares on its way is drawn, what the answer says is true.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from contract.topics import ACKNOWLEDGED, COMMANDS, DESIRED, TIME, VEHICLE_RAW, Author, parse_topic
from runtime.backoff import Backoff
from runtime.link import (
    Incoming,
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
)
from simulator.virtual.routes import Route, RouteFaults
from simulator.virtual.steps import Life
from simulator.virtual.switch import KillSwitch
from simulator.virtual.timers import Call, Timers

NOT_AUTHORISED = 0x87  # MQTT 5, section 2.4
CONNECT_US = 150_000  # TCP, TLS and CONNACK over a mobile line
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 15.0  # as `runtime.mqtt_link` waits between attempts
STABLE_US = 15_000_000  # and as it takes a connection for a good one
NOTICED_US = 41_000_000  # keepalive 20 s: a dead line is noticed within this by the client
WILL_AFTER_US = 30_000_000  # and by the broker after one and a half times the keepalive
TO_BOX = (DESIRED, ACKNOWLEDGED, COMMANDS, TIME)


@dataclass(frozen=True, slots=True)
class Account:
    """Who a client is for the broker's access list."""

    client_id: str
    author: Author
    subject: str
    vehicles: frozenset[str] = frozenset()
    """Whose trackers a box may read."""


class MemoryBroker:
    """One broker. `on_message` sees everything that it takes: for faults that replay, and for the story."""

    def __init__(self, timers: Timers, namespace: str) -> None:
        self.timers = timers
        self._namespace = namespace
        self.is_up = True
        self.retained: dict[str, bytes] = {}
        self.sessions: dict[str, MemoryLink] = {}
        self.withheld: Callable[[str, str], bool] = _nothing_withheld
        """(client id, topic) -> whether a lying broker keeps this message from this client."""
        self.on_message: Callable[[str, bytes], None] = _unheard
        self._turn: dict[str, count[int]] = defaultdict(count)
        self._readers: dict[str, tuple[MemoryLink, ...]] = {}
        """By topic, for as long as the same clients are connected."""

    def take(self, client_id: str, publication: Publication) -> None:
        """A message arrived here."""
        if not self.is_up:
            return
        self.on_message(publication.topic, publication.payload)
        if publication.retain:
            self.retained[publication.topic] = publication.payload
        self.spread(publication.topic, publication.payload, sender=client_id)

    def spread(self, topic: str, payload: bytes, sender: str | None = None) -> None:
        """Hand a message to whoever subscribes to its topic; without a sender, the broker itself made it up."""
        shared: dict[str, list[MemoryLink]] = {}
        readers = self._readers.get(topic)
        if readers is None:
            readers = tuple(link for link in self.sessions.values() if link.groups_for(topic, own=False))
            self._readers[topic] = readers
        for link in readers:
            groups = link.groups_for(topic, own=link.client_id == sender)
            if None in groups:
                link.hand(Incoming(topic, payload, 1, retained=False))
            for group in groups:
                if group is not None:
                    shared.setdefault(group, []).append(link)
        for group, links in shared.items():
            links[next(self._turn[group]) % len(links)].hand(Incoming(topic, payload, 1, retained=False))

    def welcome(self, link: "MemoryLink") -> None:
        """A client is connected: it gets what is retained."""
        self.sessions[link.client_id] = link
        self._readers.clear()
        for topic, payload in tuple(self.retained.items()):
            if None in link.groups_for(topic, own=False):  # MQTT 5: none for a shared subscription
                link.hand(Incoming(topic, payload, 1, retained=True))

    def gone(self, link: "MemoryLink", will: Publication | None) -> None:
        """A connection ended without a farewell."""
        if self.sessions.get(link.client_id) is link:
            self.left(link)
            if will is not None:
                self.take(link.client_id, will)

    def left(self, link: "MemoryLink") -> None:
        """A client said goodbye."""
        if self.sessions.get(link.client_id) is link:
            del self.sessions[link.client_id]
            self._readers.clear()

    def restart(self, down_us: int) -> None:
        """Everything is forgotten; clients find the connection closed."""
        self.is_up = False
        self.retained.clear()
        links, self.sessions = list(self.sessions.values()), {}
        self._readers.clear()
        for link in links:
            link.lose(LinkEnd.LOST)
        self.timers.call_at(self.timers.now_us() + down_us, self._up)

    def _up(self) -> None:
        self.is_up = True

    def may_publish(self, account: Account, topic: str) -> bool:
        parsed = parse_topic(topic, self._namespace)
        if parsed is None or account.author not in parsed.rule.authors:
            return False
        return account.author is not Author.AGENT or parsed.subject == account.subject

    def may_read(self, account: Account, topic: str) -> bool:
        if account.author is not Author.AGENT:
            return True
        parsed = parse_topic(topic, self._namespace)
        if parsed is None:
            return False
        if parsed.rule is VEHICLE_RAW:
            return parsed.subject in account.vehicles
        return parsed.subject == account.subject and parsed.rule in TO_BOX


class MemoryLink:
    """One client's connection that keeps itself up. `life` is that of the program that owns it."""

    def __init__(
        self,
        broker: MemoryBroker,
        account: Account,
        owner: LinkOwner,
        *,
        faults: RouteFaults,
        rng: random.Random,
        life: Life,
        switch: KillSwitch,
    ) -> None:
        self.client_id = account.client_id
        self.account = account
        self.statistics = LinkStatistics()
        self._broker = broker
        self._owner = owner
        self._timers = broker.timers
        self._faults = faults
        self._life = life
        self._switch = switch
        self.dies_unheard = False
        """The machine loses power with the program: no socket is closed."""
        self._up = Route(random.Random(rng.random()), faults)
        self._down = Route(random.Random(rng.random()), faults)
        self._backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S, random.Random(rng.random()))
        self._count = 0
        self._connected = False
        self._connected_us = 0
        self._will: Publication | None = None
        self._next: Call | None = None
        self._stopped = asyncio.Event()
        self._filters = [_Filter.of(each.topic_filter, no_local=each.no_local) for each in owner.subscriptions]
        self._groups_of_topic: dict[str, tuple[tuple[str | None, bool], ...]] = {}

    # --- runtime.link.Link

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def connection_count(self) -> int:
        return self._count

    @property
    def status(self) -> LinkStatus:
        if self._connected:
            return LinkStatus(LinkState.CONNECTED, "connected")
        return LinkStatus(LinkState.WAITING, "no connection")

    async def run(self) -> None:
        """Until stopped. What a cancelled run leaves is for whoever ended the program's life (`kill`)."""
        self.start()
        await self._stopped.wait()

    async def publish(self, publication: Publication) -> None:
        self._switch.passes()
        if not self._connected:
            raise LinkDown("no connection")
        if not self._broker.may_publish(self.account, publication.topic):
            self.statistics.refused += 1
            raise PublishRefused(NOT_AUTHORISED, f"{publication.topic}: not authorised")
        arrivals = self._up.arrivals(self._timers.now_us())
        for at_us in arrivals:
            self._timers.call_at(at_us, lambda: self._broker.take(self.client_id, publication))
        if not arrivals:
            self.statistics.unconfirmed += 1
            raise PublishUnconfirmed(f"{publication.topic}: no answer")
        self.statistics.published += 1

    async def stop(self, last: Publication | None = None) -> None:
        if self._connected:
            if last is not None:
                self._broker.take(self.client_id, last)
            self._broker.left(self)
        self._end(LinkEnd.STOPPED)
        self._stopped.set()

    # --- the life of a connection

    def start(self) -> None:
        self._attempt()

    def kill(self) -> None:
        """The program is gone: the system closes its socket, the broker publishes the will."""
        if self._next is not None:
            self._next.cancel()
        if self._connected:
            self._connected = False
            if self._faults.is_cut or self.dies_unheard:
                self._will_later()
            else:
                self._broker.gone(self, self._will)

    def lose(self, why: LinkEnd) -> None:
        """The connection ends under the program, which tries again."""
        if self._connected:
            self._end(why)
            self._retry()

    def cut(self) -> None:
        """Nothing passes any more; both ends notice after a while, unless it comes back before."""
        if self._connected:
            count_now = self._count
            now_us = self._timers.now_us()
            self._will_later()
            self._timers.call_at(now_us + NOTICED_US, lambda: self._notice(count_now))

    def heal(self) -> None:
        """The way is free again: who was given up by the broker learns it at once."""
        if self._faults.is_cut:
            return
        if self._connected and self._broker.sessions.get(self.client_id) is not self:
            self.lose(LinkEnd.LOST)

    def _notice(self, of_count: int) -> None:
        if self._faults.is_cut and self._count == of_count:
            self.lose(LinkEnd.KEEPALIVE)

    def _will_later(self) -> None:
        will = self._will

        def missed() -> None:
            if (self._faults.is_cut or self.dies_unheard) and self._will is will:
                self._broker.gone(self, will)

        self._timers.call_at(self._timers.now_us() + WILL_AFTER_US, missed)

    def _attempt(self) -> None:
        self._count += 1
        self._next = self._timers.call_at(self._timers.now_us() + CONNECT_US, self._answered)

    def _answered(self) -> None:
        if not self._broker.is_up or self._faults.is_cut:
            self._retry()
            return
        self._will = self._owner.will(self._count)  # of the CONNECT; one that nobody took is never signed
        taken_over = self._broker.sessions.get(self.client_id)
        if taken_over is not None and taken_over is not self:
            self._broker.gone(taken_over, taken_over._will)  # noqa: SLF001  # one broker, two of its links
            taken_over.lose(LinkEnd.TAKEN_OVER)
        self._connected = True
        self._connected_us = self._timers.now_us()
        self.statistics.connects += 1
        self._broker.welcome(self)
        self._life.do(self._tell_connected(self._count))

    async def _tell_connected(self, of_count: int) -> None:
        """As `runtime.mqtt_link`: states that nobody can see are not "connected", so it starts again."""
        try:
            await self._owner.on_connected(of_count)
        except LinkError:
            self._broker.gone(self, self._will)
            self.lose(LinkEnd.PUBLISH_FAILED)

    def _end(self, why: LinkEnd) -> None:
        if not self._connected:
            return
        self._connected = False
        if self._timers.now_us() - self._connected_us >= STABLE_US:
            self._backoff.reset()
        self.statistics.ends[why] += 1
        self._broker.left(self)
        if self._life.is_alive:
            self._owner.on_disconnected(why)

    def _retry(self) -> None:
        self._next = self._timers.call_at(
            self._timers.now_us() + round(self._backoff.next_s() * 1e6), self._attempt
        )

    # --- what comes down

    def groups_for(self, topic: str, *, own: bool) -> list[str | None]:
        """How this client subscribes to a topic: None for itself, a name for a group that shares."""
        known = self._groups_of_topic.get(topic)
        if known is None:
            allowed = self._broker.may_read(self.account, topic)
            known = tuple((f.group, f.no_local) for f in self._filters if allowed and f.matches(topic))
            self._groups_of_topic[topic] = known
        return [group for group, no_local in known if not (own and no_local)]

    def hand(self, incoming: Incoming) -> None:
        """The broker sends a message down."""
        if self._broker.withheld(self.client_id, incoming.topic):
            return
        connection = self._count
        for at_us in self._down.arrivals(self._timers.now_us()):
            self._timers.call_at(at_us, lambda: self._arrive(connection, incoming))

    def _arrive(self, connection: int, incoming: Incoming) -> None:
        if not self._connected or self._count != connection or not self._life.is_alive:
            return
        self.statistics.received += 1
        try:
            waiting = self._owner.on_message(incoming)
        except BaseException as error:  # noqa: BLE001  # as in a step: the program is dead
            self._life.fail(error)
            return
        if waiting is not None:
            self._life.do(waiting)  # type: ignore[arg-type]  # every owner's is a coroutine


@dataclass(frozen=True, slots=True)
class _Filter:
    levels: tuple[str, ...]
    group: str | None
    no_local: bool

    @classmethod
    def of(cls, text: str, *, no_local: bool) -> "_Filter":
        group = None
        if text.startswith("$share/"):
            _, group, text = text.split("/", 2)
        return cls(tuple(text.split("/")), group, no_local)

    def matches(self, topic: str) -> bool:
        levels = topic.split("/")
        return len(levels) == len(self.levels) and all(
            mine in {"+", theirs} for mine, theirs in zip(self.levels, levels, strict=True)
        )


def _nothing_withheld(_client_id: str, _topic: str) -> bool:
    return False


def _unheard(_topic: str, _payload: bytes) -> None:
    """Nobody listens at the broker itself."""
