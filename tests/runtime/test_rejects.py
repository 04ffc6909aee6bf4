"""Of a message that was not accepted stays what helps to find its sender, and nothing of its content."""

from structlog.testing import capture_logs

from contract.envelope import BadMessage, EnvelopeFault
from runtime.rejects import KEPT_MAX, KEPT_US, TOPIC_CHARACTERS_MAX, Rejects
from tests.dispatcher.fake_link import HandClock


def garbage(rejects: Rejects, times: int = 1) -> None:
    for _ in range(times):
        rejects.add("t" * 60_000, 7, BadMessage(EnvelopeFault.MALFORMED, "expected a JWS"))


def test_what_is_logged_of_a_rejected_message_is_bounded() -> None:
    with capture_logs() as logs:
        garbage(Rejects(HandClock()))
    assert len(logs[0]["topic"]) == TOPIC_CHARACTERS_MAX


def test_garbage_is_logged_once_per_fault_and_minute() -> None:
    clock = HandClock()
    rejects = Rejects(clock)
    with capture_logs() as logs:
        garbage(rejects, 50)
        rejects.add("t", 1, BadMessage(EnvelopeFault.BAD_SIGNATURE, "by 'agent/cab-a'"))
        clock.pass_s(60)
        garbage(rejects, 50)
    assert [(log["fault"], log["so_far"]) for log in logs] == [
        ("malformed", 1),
        ("bad_signature", 1),
        ("malformed", 51),
    ]


def test_the_last_ones_are_kept_and_no_more() -> None:
    rejects = Rejects(HandClock())
    garbage(rejects, 3 * KEPT_MAX)
    rejects.add("t", 1, BadMessage(EnvelopeFault.BAD_SIGNATURE, "by 'agent/cab-a'"))
    kept = rejects.kept()
    assert len(kept) == KEPT_MAX
    assert (kept[-1].topic, kept[-1].size_bytes, kept[-1].fault) == ("t", 1, EnvelopeFault.BAD_SIGNATURE)
    assert len(kept[0].topic) == TOPIC_CHARACTERS_MAX


def test_a_week_later_nothing_of_them_is_known_but_their_number() -> None:
    clock = HandClock()
    rejects = Rejects(clock)
    garbage(rejects, 3)
    clock.pass_s(KEPT_US / 1e6)
    assert len(rejects.kept()) == 3
    clock.pass_s(1)
    assert rejects.kept() == ()
    assert rejects.counts[EnvelopeFault.MALFORMED] == 3
