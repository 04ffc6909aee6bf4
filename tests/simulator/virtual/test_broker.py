"""The broker in memory keeps MQTT's promises, and only those; its links come back as the real one does."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest

from contract.topics import COMMANDS, DESIRED, FACTS, PRESENCE, REPORTED, TIME, VEHICLE_RAW, Author
from runtime.link import (
    Incoming,
    LinkDown,
    LinkEnd,
    LinkOwner,
    Publication,
    PublishRefused,
    PublishUnconfirmed,
    Subscription,
)
from runtime.steps import run_inline
from simulator.virtual.broker import Account, MemoryBroker, MemoryLink
from simulator.virtual.routes import RouteFaults
from simulator.virtual.steps import Life
from simulator.virtual.switch import KillSwitch
from simulator.virtual.timers import Heap

NAMESPACE = "test"
SECOND_US = 1_000_000
KEEPALIVE_NOTICED_S = 41
BROKER_NOTICED_S = 30


@dataclass
class Client:
    """A program that publishes its presence when it is connected, and notes what it hears."""

    bench: "Bench"
    account: Account
    subscriptions: tuple[Subscription, ...] = ()
    way: RouteFaults = field(default_factory=RouteFaults)
    heard: list[Incoming] = field(default_factory=list)
    ends: list[LinkEnd] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.life = Life(self.bench.errors.append)
        owner = LinkOwner(self.subscriptions, self.heard.append, self._connected, self.ends.append, self._will)
        self.link = MemoryLink(
            self.bench.broker,
            self.account,
            owner,
            faults=self.way,
            rng=Random(self.account.client_id),
            life=self.life,
            switch=KillSwitch(),
        )
        self.link.start()

    @property
    def texts(self) -> list[str]:
        return [incoming.payload.decode() for incoming in self.heard]

    def say(self, topic: str, text: str, *, retain: bool = False) -> None:
        run_inline(self.link.publish(Publication(topic, text.encode(), retain=retain)))

    async def _connected(self, count: int) -> None:
        self.connections.append(count)
        if self.account.author is Author.AGENT:
            await self.link.publish(self._presence(f"online {count}"))

    def _will(self, count: int) -> Publication | None:
        return self._presence(f"will of {count}") if self.account.author is Author.AGENT else None

    def _presence(self, text: str) -> Publication:
        return Publication(PRESENCE.topic(NAMESPACE, self.account.subject), text.encode(), retain=True)


class Bench:
    """A broker and its clients on a heap."""

    def __init__(self) -> None:
        self.heap = Heap()
        self.broker = MemoryBroker(self.heap, NAMESPACE)
        self.errors: list[BaseException] = []

    def box(self, cabinet: str, *subscriptions: Subscription, vehicles: Iterable[str] = ()) -> Client:
        account = Account(f"box-{cabinet}", Author.AGENT, cabinet, frozenset(vehicles))
        return Client(self, account, subscriptions)

    def centre(self, *subscriptions: Subscription, name: str = "centre") -> Client:
        return Client(self, Account(name, Author.DISPATCHER, "centre"), subscriptions)

    def wait(self, seconds: float = 1) -> None:
        self.heap.run_until(self.heap.now_us() + round(seconds * SECOND_US))
        assert not self.errors

    def wait_for(self, condition: Callable[[], object]) -> float:
        """Until it holds; how many seconds that took."""
        began_us = self.heap.now_us()
        while not condition():
            assert self.heap.now_us() - began_us < 120 * SECOND_US, "it does not come"
            self.wait(0.5)
        return (self.heap.now_us() - began_us) / SECOND_US


@pytest.fixture
def bench() -> Bench:
    return Bench()


def all_of(*rules: object) -> tuple[Subscription, ...]:
    return tuple(Subscription(rule.filter(NAMESPACE)) for rule in rules)  # type: ignore[attr-defined]


DESIRED_A, FACTS_A, TIME_A = (rule.topic(NAMESPACE, "a") for rule in (DESIRED, FACTS, TIME))


# --- messages


def test_a_message_reaches_who_subscribed_to_its_topic_and_nobody_else(bench: Bench) -> None:
    centre, other = bench.centre(*all_of(FACTS)), bench.centre(*all_of(REPORTED), name="other")
    box = bench.box("a")
    bench.wait()
    box.say(FACTS_A, "key taken")
    bench.wait()
    assert centre.heard == [Incoming(FACTS_A, b"key taken", 1, retained=False)]
    assert other.heard == []


def test_messages_of_one_sender_keep_their_order(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    bench.wait()
    for number in range(100):
        box.say(FACTS_A, str(number))
    bench.wait()
    assert centre.texts == [str(number) for number in range(100)]


def test_who_comes_later_gets_what_was_retained_and_only_the_last_of_it(bench: Bench) -> None:
    centre = bench.centre()
    bench.wait()
    for text in ("old", "new"):
        centre.say(DESIRED_A, text, retain=True)
    centre.say(COMMANDS.topic(NAMESPACE, "a"), "gone by then")
    bench.wait()
    box = bench.box("a", *all_of(DESIRED, COMMANDS))
    bench.wait()
    assert box.heard == [Incoming(DESIRED_A, b"new", 1, retained=True)]


def test_every_connection_starts_clean(bench: Bench) -> None:
    """What was said while a client was away is not kept for it."""
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    bench.wait()
    centre.link.lose(LinkEnd.LOST)
    box.say(FACTS_A, "while nobody listens")
    bench.wait(5)
    assert centre.connections == [1, 2]
    assert centre.heard == []


def test_what_was_under_way_on_an_old_connection_does_not_arrive_on_the_new_one(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    centre.way.slow_us = 10 * SECOND_US
    bench.wait()
    box.say(FACTS_A, "late")
    bench.wait()
    centre.link.lose(LinkEnd.LOST)
    bench.wait(20)
    assert centre.link.connected
    assert centre.heard == []


def test_who_wants_no_echo_gets_none_of_its_own_words(bench: Bench) -> None:
    topic = TIME.filter(NAMESPACE)
    deaf, loud = bench.centre(Subscription(topic, no_local=True)), bench.centre(Subscription(topic), name="loud")
    bench.wait()
    deaf.say(TIME_A, "of the deaf")
    bench.wait()
    loud.say(TIME_A, "of the loud")
    bench.wait()
    assert deaf.texts == ["of the loud"]
    assert loud.texts == ["of the deaf", "of the loud"]


def test_each_message_of_a_shared_subscription_goes_to_one_of_the_group(bench: Bench) -> None:
    shared = Subscription(f"$share/replicas/{FACTS.filter(NAMESPACE)}")
    replicas = [bench.centre(shared, name=f"replica-{number}") for number in range(2)]
    alone = bench.centre(*all_of(FACTS), name="alone")
    box = bench.box("a")
    bench.wait()
    for number in range(10):
        box.say(FACTS_A, str(number))
    bench.wait()
    assert sorted(replicas[0].texts + replicas[1].texts) == [str(number) for number in range(10)]
    assert all(len(replica.texts) == 5 for replica in replicas)
    assert len(alone.texts) == 10


def test_a_shared_subscription_is_given_nothing_retained(bench: Bench) -> None:
    box = bench.box("a")
    bench.wait()
    box.say(REPORTED.topic(NAMESPACE, "a"), "state", retain=True)
    bench.wait()
    replica = bench.centre(Subscription(f"$share/replicas/{REPORTED.filter(NAMESPACE)}"))
    bench.wait()
    assert replica.heard == []


# --- who may do what


def test_a_box_writes_only_its_own_topics(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    bench.wait()
    for topic in (FACTS.topic(NAMESPACE, "b"), DESIRED_A, "elsewhere", f"{NAMESPACE}/v1/cabinets/a/gossip"):
        with pytest.raises(PublishRefused) as refused:
            box.say(topic, "forged")
        assert refused.value.reason_code == 0x87
    bench.wait()
    assert centre.heard == []
    assert box.link.statistics.refused == 4


def test_a_box_reads_only_what_is_meant_for_it(bench: Bench) -> None:
    box = bench.box("a", *all_of(DESIRED, FACTS, VEHICLE_RAW), vehicles=["v-1"])
    centre = bench.centre()
    bench.wait()
    for cabinet in ("a", "b"):
        centre.say(DESIRED.topic(NAMESPACE, cabinet), f"for {cabinet}", retain=True)
    for vehicle in ("v-1", "v-2"):
        bench.broker.spread(VEHICLE_RAW.topic(NAMESPACE, vehicle), vehicle.encode())
    bench.wait()
    assert sorted(box.texts) == ["for a", "v-1"]


# --- connections that end


def test_who_dies_leaves_its_will_and_who_says_goodbye_does_not(bench: Bench) -> None:
    centre = bench.centre(*all_of(PRESENCE))
    dying, leaving = bench.box("a"), bench.box("b")
    bench.wait()
    centre.heard.clear()
    dying.life.end()
    dying.link.kill()
    farewell = Publication(PRESENCE.topic(NAMESPACE, "b"), b"goodbye", retain=True)
    run_inline(leaving.link.stop(farewell))
    bench.wait(60)
    assert sorted(centre.texts) == ["goodbye", "will of 1"]
    assert bench.broker.retained[PRESENCE.topic(NAMESPACE, "a")] == b"will of 1"


def test_who_loses_power_is_missed_only_after_the_keepalive(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(PRESENCE)), bench.box("a")
    bench.wait()
    box.link.dies_unheard = True
    box.life.end()
    box.link.kill()
    assert bench.wait_for(lambda: "will of 1" in centre.texts) >= BROKER_NOTICED_S


def test_a_client_that_returns_before_it_was_missed_leaves_no_will(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(PRESENCE)), bench.box("a")
    bench.wait()
    box.link.dies_unheard = True
    box.life.end()
    box.link.kill()
    bench.wait(10)
    again = bench.box("a")
    bench.wait(60)
    assert again.link.connected
    assert bench.broker.retained[PRESENCE.topic(NAMESPACE, "a")] == b"online 1"
    assert centre.texts == ["online 1", "will of 1", "online 1"]  # of who was taken over, before the new word


def test_two_with_one_client_id_throw_each_other_out(bench: Bench) -> None:
    first = bench.box("a")
    bench.wait()
    second = bench.box("a")
    bench.wait(0.2)
    assert first.ends == [LinkEnd.TAKEN_OVER]
    assert second.link.connected
    bench.wait(5)
    assert LinkEnd.TAKEN_OVER in second.ends


def test_a_cut_line_is_told_to_neither_end_until_the_keepalive_notices(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(PRESENCE)), bench.box("a")
    bench.wait()
    box.way.cuts = 1
    box.link.cut()
    with pytest.raises(PublishUnconfirmed):
        box.say(FACTS_A, "into the void")
    assert bench.wait_for(lambda: "will of 1" in centre.texts) >= BROKER_NOTICED_S
    assert box.ends == []
    bench.wait_for(lambda: box.ends)
    assert bench.heap.now_us() >= KEEPALIVE_NOTICED_S * SECOND_US
    assert box.ends == [LinkEnd.KEEPALIVE]
    bench.wait(30)
    assert not box.link.connected
    box.way.cuts = 0
    box.link.heal()
    assert bench.wait_for(lambda: box.link.connected) <= 15.5


def test_a_line_that_is_back_before_anybody_noticed_was_never_gone(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(PRESENCE, FACTS)), bench.box("a")
    bench.wait()
    box.way.cuts = 1
    box.link.cut()
    bench.wait(20)
    box.way.cuts = 0
    box.link.heal()
    bench.wait(60)
    assert (box.ends, box.connections) == ([], [1])
    box.say(FACTS_A, "as ever")
    bench.wait()
    assert centre.texts == ["online 1", "as ever"]


def test_a_client_that_was_given_up_by_the_broker_learns_it_when_the_line_is_back(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(PRESENCE)), bench.box("a")
    bench.wait()
    box.way.cuts = 1
    box.link.cut()
    bench.wait(35)
    box.way.cuts = 0
    box.link.heal()
    bench.wait(5)
    assert box.ends == [LinkEnd.LOST]
    assert centre.texts == ["online 1", "will of 1", "online 2"]


def test_a_restarted_broker_has_forgotten_everything_and_everybody_comes_back(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(PRESENCE)), bench.box("a", *all_of(DESIRED))
    bench.wait()
    centre.say(DESIRED_A, "before", retain=True)
    bench.wait()
    bench.broker.restart(10 * SECOND_US)
    assert (centre.ends, box.ends) == ([LinkEnd.LOST], [LinkEnd.LOST])
    with pytest.raises(LinkDown):
        box.say(FACTS_A, "to nobody")
    bench.wait(9)
    assert bench.broker.sessions == {}
    bench.wait(21)
    assert bench.broker.sessions == {"centre": centre.link, "box-a": box.link}
    assert box.texts == ["before"]
    assert DESIRED_A not in bench.broker.retained
    assert centre.texts[-1].startswith("online ")


def test_a_connection_whose_greeting_is_lost_starts_again(bench: Bench) -> None:
    centre = bench.centre(*all_of(PRESENCE))
    box = Client(bench, Account("box-a", Author.AGENT, "a"), way=RouteFaults(lost=1.0))
    bench.wait()
    assert not box.link.connected
    assert box.ends[0] is LinkEnd.PUBLISH_FAILED
    box.way.lost = 0.0
    bench.wait_for(lambda: box.link.connected)
    bench.wait()
    assert centre.texts[-1] == f"online {box.connections[-1]}"
    assert set(centre.texts[:-1]) <= {f"will of {count}" for count in box.connections}


def test_attempts_that_fail_come_ever_later_up_to_fifteen_seconds(bench: Bench) -> None:
    box = bench.box("a")
    bench.broker.is_up = False
    attempts: list[float] = []
    seen = 0
    while len(attempts) < 12:
        bench.wait(0.1)
        if box.link.connection_count > seen:
            seen = box.link.connection_count
            attempts.append(bench.heap.now_us() / SECOND_US)
    pauses = [later - earlier for earlier, later in pairwise(attempts)]
    assert pauses[0] < 1
    assert 7 < max(pauses) <= 15.5
    assert all(7 < pause <= 15.5 for pause in pauses[-4:])


# --- bad ways


def test_a_doubling_way_delivers_everything_twice(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    bench.wait()
    box.way.doubled = 1.0
    for number in range(5):
        box.say(FACTS_A, str(number))
    bench.wait(10)
    assert sorted(centre.texts) == sorted([str(number) for number in range(5)] * 2)


def test_a_losing_way_says_so_to_the_sender(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    bench.wait()
    box.way.lost = 0.5
    confirmed = 0
    for number in range(100):
        try:
            box.say(FACTS_A, str(number))
            confirmed += 1
        except PublishUnconfirmed:
            pass
    bench.wait(10)
    assert 20 < confirmed < 80
    assert len(centre.texts) == confirmed


def test_an_overtaking_way_breaks_the_order_and_loses_nothing(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    bench.wait()
    box.way.overtakes = 0.5
    numbers = [str(number) for number in range(50)]
    for number in numbers:
        box.say(FACTS_A, number)
    bench.wait(10)
    assert centre.texts != numbers
    assert sorted(centre.texts) == sorted(numbers)


def test_a_lying_broker_withholds_what_it_wants(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    bench.broker.withheld = lambda client, topic: client == "centre" and topic == FACTS_A
    bench.wait()
    box.say(FACTS_A, "never seen")
    bench.wait()
    assert centre.heard == []


def test_a_dead_program_hears_nothing(bench: Bench) -> None:
    centre, box = bench.centre(*all_of(FACTS)), bench.box("a")
    bench.wait()
    box.say(FACTS_A, "too late")
    centre.life.end()
    bench.wait()
    assert centre.heard == []
