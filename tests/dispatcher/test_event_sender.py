"""What an independent receiver gets: signed CloudEvents, at least once, in order, whatever becomes of either."""

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio
from sqlalchemy import update

from dispatcher.core.deliveries import GIVE_UP_MS, RETRIES_S, Outcome
from dispatcher.core.windows import HOUR_MS, to_utc
from dispatcher.events.sender import GIVE_UP_EVERY_US, LANES, LEASE_MS
from dispatcher.store.delivery_desk import from_sequence, queue_test, replay
from dispatcher.store.event_figures import event_figures
from dispatcher.store.schema import webhooks
from dispatcher.store.telling import tell_booking
from dispatcher.store.webhook_secrets import secret_text
from dispatcher.store.webhooks import change_webhook, rotate_secret, webhook_by_id
from tests.dispatcher.events_bench import Sending, sending
from tests.dispatcher.receiver import OK, Answer, Receiver, listening
from tests.dispatcher.small_fleet import book
from tests.runtime.waiting import eventually

LONG_S = 25 * 3600
"""Longer than any delay of the schedule."""


@pytest_asyncio.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sending]:
    async with sending(monkeypatch) as bench:
        yield bench


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
def other() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


async def test_a_receiver_gets_what_happened_as_a_signed_cloudevent(bench: Sending, receiver: Receiver) -> None:
    webhook = bench.subscribe(receiver)
    bench.say("key-1")
    sender = bench.start()
    await bench.settle(sender)
    (event,) = receiver.taken
    assert (event.get_type(), event.get_source()) == ("org.carshare.key.taken", "urn:carshare:test")
    assert (event.get_subject(), event.get_time()) == ("keys/key-1", to_utc(bench.clock.now_ms()))
    assert event.get_dataschema() == "urn:carshare:event:key.taken"
    assert event.get_extension("sequence") == f"{1:019}"
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["key_id"] == "key-1"
    assert receiver.headers["webhook-id"] == event.get_id()
    assert receiver.headers["content-type"] == "application/cloudevents+json"
    assert bench.states(webhook) == ["delivered"]
    assert (receiver.refused, sender.outcomes) == (0, {Outcome.DELIVERED: 1})


async def test_a_subscription_gets_the_kinds_it_asked_for(bench: Sending, receiver: Receiver) -> None:
    webhook = bench.subscribe(receiver, kinds=("key.returned", "booking.created"))
    bench.say("key-1", "key.taken")
    bench.say("key-1", "key.returned")
    await bench.settle(bench.start())
    assert [event.get_type() for event in receiver.taken] == ["org.carshare.key.returned"]
    assert len(bench.deliveries(webhook)) == 1


async def test_what_happened_before_a_subscription_is_not_sent_to_it(bench: Sending, receiver: Receiver) -> None:
    bench.say()
    bench.subscribe(receiver)
    await bench.settle(bench.start())
    assert receiver.taken == []


async def test_a_receiver_that_was_down_gets_everything_in_order(bench: Sending, receiver: Receiver) -> None:
    webhook = bench.subscribe(receiver)
    receiver.down()
    sender = bench.start()
    for _ in range(3):
        bench.say("key-1", "key.taken")
        bench.say("key-1", "key.returned")
        await bench.settle(sender)
        bench.clock.pass_s(301)
    assert set(bench.states(webhook)) == {"waiting"}
    assert sender.outcomes[Outcome.UNREACHABLE] >= 3
    receiver.up()
    bench.clock.pass_s(LONG_S)
    await bench.settle(sender)
    assert receiver.ids == [delivery.event_id for delivery in reversed(bench.deliveries(webhook))]
    assert set(bench.states(webhook)) == {"delivered"}


async def test_an_event_that_is_refused_holds_up_its_own_subject_alone(bench: Sending, receiver: Receiver) -> None:
    bench.subscribe(receiver)
    receiver.answers = [Answer(400), OK]
    sender = bench.start()
    bench.say("key-1")
    await bench.settle(sender)
    bench.say("key-1")
    bench.say("key-2")
    bench.clock.ms += 3_000  # the receiver's rest may be over, the delay of the first event is not
    await bench.settle(sender)
    bench.clock.ms += 100
    assert "keys/key-1" not in receiver.subjects
    bench.clock.pass_s(LONG_S)
    await bench.settle(sender)
    assert sorted(receiver.subjects) == ["keys/key-1", "keys/key-1", "keys/key-2"]
    first, second = (event for event in receiver.taken if event.get_subject() == "keys/key-1")
    assert str(first.get_extension("sequence")) < str(second.get_extension("sequence"))


async def test_a_receiver_with_errors_is_asked_ever_more_seldom_and_then_it_is_a_dead_letter(
    bench: Sending, receiver: Receiver
) -> None:
    webhook = bench.subscribe(receiver)
    receiver.answers = [Answer(500)]
    bench.say()
    sender = bench.start()
    started_ms = bench.clock.now_ms()
    for _ in range(len(RETRIES_S) + 1):
        await bench.settle(sender)
        (delivery,) = bench.deliveries(webhook)
        bench.clock.ms = max(delivery.next_ms, bench.read(webhook).rests_until_ms)
        bench.clock.us += 60_000_000
    assert bench.states(webhook) == ["dead"]
    gaps = [later["at_ms"] - sooner["at_ms"] for sooner, later in zip(delivery.log, delivery.log[1:], strict=False)]
    assert len(gaps) == len(RETRIES_S)
    assert all(gap >= 500 * delay_s for gap, delay_s in zip(gaps, RETRIES_S, strict=True))
    assert 24 * HOUR_MS <= delivery.log[-1]["at_ms"] - started_ms <= 53 * HOUR_MS
    assert {entry["outcome"] for entry in delivery.log} == {"failed"}
    assert {entry["status"] for entry in delivery.log} == {500}
    receiver.answers = [OK]
    bench.say()
    bench.clock.pass_s(301)
    await bench.settle(sender)
    assert bench.states(webhook) == ["dead", "delivered"], "a dead letter holds up nothing"


async def test_what_waits_for_days_behind_a_receiver_that_is_gone_becomes_a_dead_letter(
    bench: Sending, receiver: Receiver
) -> None:
    webhook = bench.subscribe(receiver)
    receiver.answers = [Answer(503, {"retry-after": "86400"})]
    sender = bench.start()
    for _ in range(3):
        bench.say()
    await bench.settle(sender)
    bench.clock.ms += GIVE_UP_MS
    bench.clock.us += GIVE_UP_EVERY_US
    await bench.settle(sender)
    assert bench.states(webhook) == ["dead"] * 3
    assert len(receiver.seen) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_that_names_a_time_is_left_alone_until_then(
    bench: Sending, receiver: Receiver, status: int
) -> None:
    webhook = bench.subscribe(receiver)
    receiver.answers = [Answer(status, {"retry-after": "1000"}), OK]
    sender = bench.start()
    bench.say("key-1")
    await bench.settle(sender)
    bench.say("key-2")
    bench.clock.pass_s(999)
    await bench.settle(sender)
    assert (receiver.taken, len(receiver.seen)) == ([], 1)
    bench.clock.pass_s(1)
    await bench.settle(sender)
    assert bench.states(webhook) == ["delivered", "delivered"]


async def test_a_receiver_that_is_gone_gets_nothing_more(bench: Sending, receiver: Receiver) -> None:
    webhook = bench.subscribe(receiver)
    receiver.answers = [Answer(410), OK]
    sender = bench.start()
    bench.say("key-1")
    bench.say("key-2")
    await bench.settle(sender)
    bench.say("key-3")
    bench.clock.pass_s(LONG_S)
    await bench.settle(sender)
    assert len(receiver.seen) == 1
    found = bench.read(webhook)
    assert (found.state, found.why_disabled) == ("disabled", "gone")
    assert bench.states(webhook) == ["dead", "waiting"], "none is queued for it any more"


async def test_a_redirect_is_not_followed(bench: Sending, receiver: Receiver, other: Receiver) -> None:
    webhook = bench.subscribe(receiver)
    other.secret = receiver.secret
    receiver.answers = [Answer(307, {"location": other.url})]
    bench.say()
    sender = bench.start()
    await bench.settle(sender)
    assert (other.seen, sender.outcomes) == ([], {Outcome.REDIRECTED: 1})
    assert bench.states(webhook) == ["waiting"]


async def test_an_answer_without_end_is_not_read(bench: Sending, receiver: Receiver) -> None:
    webhook = bench.subscribe(receiver)
    receiver.answers = [Answer(200, body=b"x" * 5_000_000)]
    bench.say("key-1")
    bench.say("key-2")
    await bench.settle(bench.start())
    assert bench.states(webhook) == ["delivered", "delivered"]


async def test_a_receiver_that_keeps_waiting_holds_up_no_other(
    bench: Sending, receiver: Receiver, other: Receiver
) -> None:
    release = threading.Event()
    slow, quick = bench.subscribe(receiver), bench.subscribe(other)
    receiver.answers = [Answer(204, until=release)]
    sender = bench.start()
    for _ in range(5):
        bench.say()
    sender.wake()
    await eventually(lambda: receiver.seen and bench.states(quick) == ["delivered"] * 5)
    assert set(bench.states(slow)) == {"waiting"}
    release.set()
    await bench.settle(sender)
    assert set(bench.states(slow)) == {"delivered"}


async def test_one_that_never_answers_is_given_up_for_now(
    bench: Sending, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.events.post.SEND_S", 0.05)
    release = threading.Event()
    webhook = bench.subscribe(receiver)
    receiver.answers = [Answer(204, until=release)]
    bench.say()
    sender = bench.start()
    await bench.settle(sender)
    release.set()
    assert (sender.outcomes, bench.states(webhook)) == ({Outcome.TIMED_OUT: 1}, ["waiting"])


async def test_a_receiver_with_another_secret_takes_it_once_it_has_the_right_one(
    bench: Sending, receiver: Receiver
) -> None:
    webhook = bench.subscribe(receiver)
    right, receiver.secret = receiver.secret, secret_text(b"another secret of 24 byte")
    bench.say()
    sender = bench.start()
    await bench.settle(sender)
    assert (receiver.refused, receiver.seen, sender.outcomes) == (1, [], {Outcome.REFUSED: 1})
    receiver.secret = right
    bench.clock.pass_s(LONG_S)
    await bench.settle(sender)
    assert bench.states(webhook) == ["delivered"]


async def test_after_a_rotation_both_secrets_are_good_for_a_while(bench: Sending, receiver: Receiver) -> None:
    webhook = bench.subscribe(receiver)
    old, new = receiver.secret, b"the second secret, 32 bytes long"
    until_ms = bench.clock.now_ms() + HOUR_MS
    bench.database.write_now(lambda c: rotate_secret(c, webhook, new, until_ms))
    sender = bench.start()
    for secret in (old, secret_text(new)):
        receiver.secret = secret
        bench.say()
        await bench.settle(sender)
    assert (len(receiver.taken), receiver.refused) == (2, 0)
    bench.clock.pass_s(3600)
    receiver.secret = old
    bench.say()
    await bench.settle(sender)
    assert (len(receiver.taken), receiver.refused) == (2, 1)


async def test_what_was_delivered_and_what_was_not_is_sent_again_when_asked(
    bench: Sending, receiver: Receiver
) -> None:
    bench.say("key-0")  # before the subscription
    webhook = bench.subscribe(receiver)
    sender = bench.start()
    for key in ("key-1", "key-2"):
        bench.say(key)
    await bench.settle(sender)
    first = list(receiver.ids)
    now_ms = bench.clock.now_ms()
    count = bench.database.write_now(lambda c: replay(c, webhook, from_sequence(1), now_ms, only_dead=False))
    await bench.settle(sender)
    assert (count, receiver.subjects[2:]) == (3, ["keys/key-0", "keys/key-1", "keys/key-2"])
    assert receiver.ids[3:] == first, "the same events have the same ids"


async def test_of_the_dead_letters_alone_a_replay_sends_nothing_twice(bench: Sending, receiver: Receiver) -> None:
    webhook = bench.subscribe(receiver)
    receiver.answers = [OK, Answer(500)]
    sender = bench.start()
    bench.say("key-1")
    bench.say("key-2")
    await bench.settle(sender)
    bench.clock.ms += GIVE_UP_MS
    bench.clock.us += GIVE_UP_EVERY_US
    await bench.settle(sender)
    assert bench.states(webhook) == ["delivered", "dead"]
    receiver.answers = [OK]
    now_ms = bench.clock.now_ms()
    again = bench.database.write_now(lambda c: replay(c, webhook, from_sequence(1), now_ms, only_dead=True))
    await bench.settle(sender)
    assert (again, receiver.subjects) == (1, ["keys/key-1", "keys/key-2"])


async def test_a_sender_that_is_killed_while_it_sends_loses_nothing_and_doubles_only_the_same_id(
    bench: Sending, receiver: Receiver
) -> None:
    release = threading.Event()
    webhook = bench.subscribe(receiver)
    receiver.answers = [OK, Answer(204, until=release), OK]
    for key in ("key-1", "key-2", "key-3"):
        bench.say(key)
    killed = bench.start()
    killed.wake()
    await eventually(lambda: len(receiver.seen) == 2)
    await bench.kill(killed)  # it will never hear the answer to the second
    release.set()
    heir = bench.start()
    await bench.settle(heir)
    assert len(receiver.seen) == 2, "until the time of who had claimed it is over"
    bench.clock.ms += LEASE_MS
    await bench.settle(heir)
    assert receiver.subjects == ["keys/key-1", "keys/key-2", "keys/key-2", "keys/key-3"]
    assert receiver.ids[1] == receiver.ids[2]
    assert bench.states(webhook) == ["delivered"] * 3


async def test_two_senders_share_the_work_and_send_nothing_twice(
    bench: Sending, receiver: Receiver, other: Receiver
) -> None:
    hooks = [bench.subscribe(receiver), bench.subscribe(other)]
    one, two = bench.start(), bench.start()
    for number in range(30):
        bench.say(f"key-{number % 3}")
        one.wake()
        two.wake()
    await bench.settle(one, two)
    assert [len(receiver.taken), len(other.taken)] == [30, 30]
    assert all(bench.states(webhook) == ["delivered"] * 30 for webhook in hooks)


async def test_ids_of_members_go_to_who_may_have_them_alone(
    bench: Sending, receiver: Receiver, other: Receiver
) -> None:
    bench.subscribe(receiver, personal=True)
    plain = bench.subscribe(other)
    book_and_tell(bench)
    await bench.settle(bench.start())
    (with_member,), (without,) = receiver.taken, other.taken
    assert with_member.get_data()["member_id"] == "member-1"  # type: ignore[index, call-overload]
    assert "member" not in str(without.get_data())
    assert "member" not in str(bench.deliveries(plain))


async def test_a_row_that_somebody_changed_past_the_program_gets_nothing(
    bench: Sending, receiver: Receiver, other: Receiver
) -> None:
    webhook = bench.subscribe(receiver)
    change = update(webhooks).where(webhooks.c.id == webhook.id)
    bench.database.write_now(lambda c: c.execute(change.values(url=other.url, personal=True)))
    bench.say()
    await bench.settle(bench.start())
    await eventually(lambda: bench.read(webhook).state == "disabled")
    assert (receiver.seen, other.seen, other.refused) == ([], [], 0)
    assert bench.read(webhook).why_disabled == "secret_unreadable"


async def test_while_it_is_paused_events_wait(bench: Sending, receiver: Receiver) -> None:
    webhook = bench.subscribe(receiver, state="paused")
    sender = bench.start()
    bench.say("key-1")
    await bench.settle(sender)
    assert (receiver.seen, bench.states(webhook)) == ([], ["waiting"])
    bench.clock.pass_s(GIVE_UP_MS / 1000 + 1)
    bench.clock.us += GIVE_UP_EVERY_US

    def resume(connection: object) -> None:
        paused = webhook_by_id(connection, webhook.id, lock=True)  # type: ignore[arg-type]
        assert paused is not None
        active = replace(paused, state="active", changed_ms=bench.clock.now_ms())
        change_webhook(connection, paused, active)  # type: ignore[arg-type]

    bench.database.write_now(resume)
    await bench.settle(sender)
    assert bench.states(webhook) == ["delivered"]


async def test_a_test_is_told_to_the_subscription_that_asked(
    bench: Sending, receiver: Receiver, other: Receiver
) -> None:
    asked = bench.subscribe(receiver, kinds=("booking.created",))
    bench.subscribe(other)
    event_id = bench.database.write_now(lambda c: queue_test(c, asked.id, bench.clock.now_ms()))
    await bench.settle(bench.start())
    assert (receiver.ids, other.seen) == ([event_id], [])
    assert receiver.taken[0].get_type() == "org.carshare.webhook.test"


async def test_the_figures_tell_lag_and_dead_letters(bench: Sending, receiver: Receiver) -> None:
    bench.subscribe(receiver)
    bench.subscribe(receiver, state="paused")
    receiver.answers = [Answer(500)]
    sender = bench.start()
    bench.say()
    await bench.settle(sender)
    bench.clock.pass_s(90)
    found = bench.database.read_now(lambda c: event_figures(c, bench.clock.now_ms()))
    assert (found.lag_s, found.waiting, found.dead) == (90, 2, 0)
    assert found.webhooks == {"active": 1, "paused": 1, "disabled": 0}


async def test_more_receivers_than_lanes_that_do_not_answer_leave_room_for_one_that_does(
    bench: Sending, receiver: Receiver, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.events.post.SEND_S", 0.5)
    release = threading.Event()
    for _ in range(2 * LANES):
        bench.subscribe(receiver)
    receiver.answers = [Answer(204, until=release)]
    quick = bench.subscribe(other)
    bench.say()
    await bench.settle(bench.start())
    release.set()
    assert bench.states(quick) == ["delivered"]


def book_and_tell(bench: Sending) -> None:
    """A booking of member 1, as the desk would tell of it."""
    booking = book(bench.database)
    bench.database.write_now(lambda c: tell_booking(c, None, booking, "created"))
