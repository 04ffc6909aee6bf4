"""Which facts are sent when; a model of ledger and link that loses, delays and repeats."""

import itertools
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from station_agent.core.uplink import IN_FLIGHT_MAX, RESEND_FIRST_MS, RESEND_MAX_MS, Uplink

BATCH = 10


def send_all(uplink: Uplink, now_ms: int) -> list[tuple[int, int]]:
    sent = []
    while (first := uplink.next_first(now_ms)) is not None:
        last = min(first + BATCH - 1, uplink.last_seq)
        uplink.sent(now_ms, first, last)
        sent.append((first, last))
    return sent


def test_nothing_is_due_without_a_connection() -> None:
    uplink = Uplink(acknowledged_seq=0, last_seq=5)
    assert send_all(uplink, 0) == []
    uplink.connected()
    assert send_all(uplink, 0) == [(1, 5)]
    assert send_all(uplink, 1) == []


def test_only_so_many_batches_are_under_way() -> None:
    uplink = Uplink(acknowledged_seq=0, last_seq=1000)
    uplink.connected()
    assert len(send_all(uplink, 0)) == IN_FLIGHT_MAX
    uplink.acknowledged(BATCH)
    assert send_all(uplink, 1) == [(4 * BATCH + 1, 5 * BATCH)]


def test_what_is_not_acknowledged_is_sent_again_ever_less_often() -> None:
    uplink = Uplink(acknowledged_seq=0, last_seq=5)
    uplink.connected()
    send_all(uplink, 0)
    waits, now_ms = [], 0
    for _ in range(6):
        wake_ms = uplink.wake_at_line_ms
        assert wake_ms is not None
        waits.append(wake_ms - now_ms)
        now_ms = wake_ms
        assert send_all(uplink, now_ms - 1) == []
        assert send_all(uplink, now_ms) == [(1, 5)]
    assert waits == [RESEND_FIRST_MS * factor for factor in (1, 2, 4, 8)] + [RESEND_MAX_MS] * 2


def test_a_new_connection_sends_again_at_once() -> None:
    uplink = Uplink(acknowledged_seq=0, last_seq=5)
    uplink.connected()
    send_all(uplink, 0)
    uplink.disconnected()
    uplink.connected()
    assert send_all(uplink, 1) == [(1, 5)]


def test_a_restored_ledger_lowers_the_watermark() -> None:
    uplink = Uplink(acknowledged_seq=5, last_seq=5)
    uplink.connected()
    assert send_all(uplink, 0) == []
    uplink.acknowledged(2)
    assert send_all(uplink, 0) == [(3, 5)]


def test_a_centre_that_comes_back_is_not_waited_for_a_minute() -> None:
    uplink = Uplink(acknowledged_seq=0, last_seq=20)
    uplink.connected()
    now_ms = 0
    for _ in range(6):
        send_all(uplink, now_ms)
        now_ms = uplink.wake_at_line_ms or 0
    send_all(uplink, now_ms)
    assert uplink.wake_at_line_ms == now_ms + RESEND_MAX_MS
    uplink.acknowledged(0)
    assert uplink.wake_at_line_ms == now_ms + RESEND_FIRST_MS
    assert send_all(uplink, now_ms + RESEND_FIRST_MS) == [(1, 10), (11, 20)]


def test_a_ledger_that_never_gets_on_is_not_flooded() -> None:
    uplink = Uplink(acknowledged_seq=0, last_seq=20)
    uplink.connected()
    now_ms, times = 0, []
    while now_ms < 400_000:
        if send_all(uplink, now_ms):
            times.append(now_ms)
            uplink.acknowledged(0)
        now_ms += 100
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert set(waits[5:]) == {RESEND_MAX_MS}


@given(st.integers(0, 2**32), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_every_fact_arrives_whatever_the_link_does(seed: int, facts: int) -> None:
    rng = Random(seed)
    uplink = Uplink(acknowledged_seq=0, last_seq=0)
    ledger, now_ms, written = 0, 0, 0
    for step in range(400):
        now_ms += rng.randint(1, 3000)
        if written < facts and rng.random() < 0.5:
            written += 1
            uplink.appended(written)
        if rng.random() < 0.1 or step == 0:
            uplink.disconnected()
            uplink.connected()
        for first, last in send_all(uplink, now_ms):
            lost = step < 200 and rng.random() < 0.3
            if not lost and first <= ledger + 1:
                ledger = max(ledger, last)
        if step >= 200 or rng.random() > 0.3:
            uplink.acknowledged(ledger)
    assert ledger == written == uplink.acknowledged_seq
