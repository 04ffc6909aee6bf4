"""Who vouches for the clock, and what a clock that was stepped is still worth."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import AccessRefused, ClockTrustChanged
from contract.messages import TimeReply
from contract.reasons import Reason
from station_agent.core import model
from station_agent.core.clock import (
    ASK_AGAIN_MS,
    ASK_UNLIKE_MS,
    BACK_MAX_MS,
    OFFSET_MAX_MS,
    ROUND_TRIP_MAX_MS,
    SET_MIN_MS,
    STEP_MAX_MS,
    WORD_LASTS_MS,
    ClockTrust,
    Source,
)
from station_agent.core.model import Now
from station_agent.core.picture import Picture
from station_agent.core.station import MARK_EVERY_MS
from tests.station_agent.core.box import HOUR_MS, MINUTE_MS, Box

TRUE_MS = 1_800_000_000_000
NONCE, OTHER = "a" * 32, "b" * 32


@dataclass
class Watch:
    """A box's clock beside the true time; the test passes time, steps the clock and plays the dispatcher."""

    trust: ClockTrust = field(default_factory=ClockTrust)
    true_ms: int = TRUE_MS
    line_ms: int = 1_000
    error_ms: int = 0
    synchronised: bool = True

    @property
    def now(self) -> Now:
        return Now(self.true_ms + self.error_ms, self.line_ms)

    def pass_time(self, ms: int) -> Source:
        self.true_ms += ms
        self.line_ms += ms
        return self.source()

    def source(self) -> Source:
        self.trust.kernel_says(synchronised=self.synchronised)
        return self.trust.judge(self.now)

    def step(self, ms: int) -> Source:
        self.error_ms += ms
        return self.source()

    def ask(self, *, round_trip_ms: int = 50, nonce: str = NONCE, dispatcher_error_ms: int = 0) -> Source:
        """A question, and the dispatcher's answer to `nonce`."""
        self.trust.asks(self.line_ms, NONCE)
        self.true_ms += round_trip_ms
        self.line_ms += round_trip_ms
        at_ms = self.true_ms + dispatcher_error_ms
        self.trust.answered(self.now, TimeReply(cabinet="gare-1", nonce=nonce, at_ms=at_ms))
        return self.source()

    def reboot(self, *, off_ms: int = 0) -> Source:
        """What is left of before is the mark."""
        mark_ms, self.trust = self.trust.mark_ms, ClockTrust()
        self.trust.mark_ms = mark_ms
        self.true_ms += off_ms
        self.line_ms = 1_000
        return self.source()


def test_the_kernels_word_is_enough_and_its_silence_is_not() -> None:
    assert Watch().source() == "kernel"
    assert Watch(synchronised=False).source() == "none"


def test_an_answer_that_agrees_vouches_for_a_day() -> None:
    watch = Watch(synchronised=False)
    assert watch.ask() == "dispatcher"
    assert watch.pass_time(WORD_LASTS_MS - 1) == "dispatcher"
    assert watch.pass_time(1) == "none"


@pytest.mark.parametrize("offset_ms", [OFFSET_MAX_MS + 1, -OFFSET_MAX_MS - 1, 3_600_000])
def test_a_clock_that_the_dispatcher_contradicts_is_not_trusted(offset_ms: int) -> None:
    watch = Watch(synchronised=False, error_ms=-offset_ms)
    assert watch.ask() == "none"
    assert watch.trust.offset_ms == offset_ms


def test_an_answer_to_another_question_or_a_late_one_says_nothing() -> None:
    assert Watch(synchronised=False).ask(nonce=OTHER) == "none"
    assert Watch(synchronised=False).ask(round_trip_ms=ROUND_TRIP_MAX_MS + 1) == "none"


def test_an_answer_counts_once() -> None:
    watch = Watch(synchronised=False, error_ms=HOUR_MS)
    assert watch.ask() == "none"
    watch.trust.answered(watch.now, TimeReply(cabinet="gare-1", nonce=NONCE, at_ms=watch.now.wall_ms))
    assert watch.source() == "none"


def test_it_asks_until_answered_then_once_an_hour_and_at_once_when_it_is_not_trusted() -> None:
    watch = Watch()
    watch.source()
    assert watch.trust.wants_to_ask(watch.now)
    watch.ask()
    watch.pass_time(ASK_AGAIN_MS - 1)
    assert not watch.trust.wants_to_ask(watch.now)
    watch.step(HOUR_MS)
    assert watch.trust.wants_to_ask(watch.now)
    watch.step(-HOUR_MS)
    watch.pass_time(1)
    assert watch.trust.wants_to_ask(watch.now)


def test_an_answer_that_contradicts_is_asked_for_again_after_half_a_minute_or_once_the_clock_is_set() -> None:
    watch = Watch(synchronised=False, error_ms=HOUR_MS)
    watch.ask()
    assert not watch.trust.wants_to_ask(watch.now)
    watch.pass_time(ASK_UNLIKE_MS - 1)
    assert not watch.trust.wants_to_ask(watch.now)
    watch.step(-SET_MIN_MS - 1)
    assert watch.trust.wants_to_ask(watch.now)
    watch.step(SET_MIN_MS + 1)
    watch.pass_time(1)
    assert watch.trust.wants_to_ask(watch.now)


def test_a_question_that_nobody_answered_is_asked_again_at_the_next_look() -> None:
    watch = Watch(synchronised=False, error_ms=HOUR_MS)
    watch.ask(round_trip_ms=ROUND_TRIP_MAX_MS + 1)
    assert watch.trust.wants_to_ask(watch.now)


@pytest.mark.parametrize("step_ms", [STEP_MAX_MS + 1, -STEP_MAX_MS - 1, 12 * HOUR_MS, -12 * HOUR_MS])
def test_a_step_is_not_believed_on_the_kernels_word_alone(step_ms: int) -> None:
    watch = Watch()
    watch.source()
    watch.pass_time(HOUR_MS)
    assert watch.step(step_ms) == "none"
    assert watch.pass_time(24 * HOUR_MS) == "none", "and does not become true by waiting"
    assert watch.step(-step_ms) == "kernel", "back where it was it is trusted again"


def test_a_step_that_the_dispatcher_agrees_with_is_right() -> None:
    watch = Watch(error_ms=-HOUR_MS)
    assert watch.source() == "kernel", "nothing tells yet that it is an hour slow"
    assert watch.step(HOUR_MS) == "none"
    assert watch.ask() == "kernel"
    assert watch.pass_time(HOUR_MS) == "kernel"


def test_small_steps_in_one_direction_add_up() -> None:
    watch = Watch()
    watch.source()
    sources = []
    for _ in range(10):
        watch.pass_time(10_000)
        sources.append(watch.step(MINUTE_MS))
    assert sources == ["kernel"] * 5 + ["none"] * 5


def test_the_dispatchers_word_does_not_cover_a_step_after_it() -> None:
    watch = Watch(synchronised=False)
    watch.ask()
    watch.pass_time(MINUTE_MS)
    assert watch.step(STEP_MAX_MS + 1) == "none"
    assert watch.step(-STEP_MAX_MS - 1) == "dispatcher"
    assert watch.step(-BACK_MAX_MS - 1) == "none"


def test_after_a_boot_a_clock_that_reads_earlier_than_it_ever_did_is_not_trusted() -> None:
    watch = Watch()
    watch.pass_time(HOUR_MS)
    watch.error_ms = -BACK_MAX_MS
    assert watch.reboot() == "kernel"
    watch.error_ms = -BACK_MAX_MS - 1
    assert watch.reboot() == "none"
    watch.error_ms = 0
    assert watch.reboot(off_ms=90 * 24 * HOUR_MS) == "kernel", "how long a box was off, nothing tells"


def test_only_what_somebody_vouched_for_moves_the_mark() -> None:
    watch = Watch(synchronised=False, error_ms=HOUR_MS)
    watch.source()
    assert watch.trust.mark_ms == 0
    watch = Watch()
    watch.source()
    mark_ms = watch.trust.mark_ms
    watch.step(HOUR_MS)
    assert watch.trust.mark_ms == mark_ms == TRUE_MS


def test_a_signed_answer_lowers_a_mark_that_a_spoofed_clock_had_raised() -> None:
    watch = Watch(error_ms=12 * HOUR_MS)
    assert watch.source() == "kernel"
    watch.error_ms = 0
    assert watch.reboot() == "none"
    assert watch.ask() == "kernel"
    assert watch.trust.mark_ms == watch.now.wall_ms
    assert watch.reboot() == "kernel"


def test_the_dispatcher_overrules_a_kernel_that_was_spoofed_before_the_boot() -> None:
    watch = Watch(error_ms=2 * HOUR_MS)
    assert watch.source() == "kernel"
    assert watch.ask() == "none"
    assert watch.pass_time(HOUR_MS) == "none", "its time runs on with the line clock"
    assert watch.step(-2 * HOUR_MS) == "kernel", "set right, it needs no further answer"


def test_a_dispatcher_that_is_a_little_off_does_not_stop_a_synchronised_box() -> None:
    for error_ms in (4 * MINUTE_MS, -4 * MINUTE_MS):
        assert Watch().ask(dispatcher_error_ms=error_ms) == "kernel"


def test_a_faster_clock_is_judged_by_its_own_pace() -> None:
    speed = 600
    trust = ClockTrust(speed=speed)
    trust.kernel_says(synchronised=True)
    for line_ms in range(0, 600_000, 10_000):
        assert trust.judge(Now(TRUE_MS + line_ms * speed, line_ms)) == "kernel"
    assert trust.judge(Now(TRUE_MS + 600_000 * speed + (STEP_MAX_MS + 1) * speed, 600_000)) == "none"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("pass"), st.integers(0, 2 * HOUR_MS)),
            st.tuples(st.just("step"), st.integers(-24 * HOUR_MS, 24 * HOUR_MS)),
            st.tuples(st.just("creep"), st.integers(-MINUTE_MS, MINUTE_MS)),
            st.tuples(st.just("kernel"), st.integers(0, 1)),
            st.tuples(st.just("ask"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_once_the_dispatcher_has_spoken_no_trusted_clock_is_far_from_the_truth(acts: list[tuple[str, int]]) -> None:
    watch = Watch()
    watch.ask()
    for act, value in acts:
        match act:
            case "pass":
                watch.pass_time(value)
            case "kernel":
                watch.synchronised = bool(value)
            case "ask":
                watch.ask()
            case _:
                watch.step(value)
        assert watch.source() == "none" or abs(watch.error_ms) <= STEP_MAX_MS


def test_a_step_between_two_looks_at_the_clock_counts_at_the_very_next_badge() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", start_ms=6 * HOUR_MS)
    box.now_ms += 6 * HOUR_MS
    box.forget()
    box.badge("ann")
    assert box.kinds() == ["clock_trust_changed", "access_refused"]
    assert (box.last(ClockTrustChanged).source, box.last(AccessRefused).reason) == (
        "none",
        Reason.CLOCK_NOT_TRUSTED,
    )
    assert not box.last(AccessRefused).clock_trusted


def test_the_mark_survives_a_reboot_with_the_picture() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", hours=48)
    box.pass_time(HOUR_MS)
    box.badge("ann")
    assert Picture.model_validate_json(box.picture).clock_mark_ms == box.now_ms
    box.now_ms -= 2 * HOUR_MS
    box.reboot()
    box.see()
    box.forget()
    box.badge("ann")
    assert box.last(AccessRefused).reason is Reason.CLOCK_NOT_TRUSTED


def test_without_facts_the_mark_is_written_every_five_minutes() -> None:
    box = Box()
    written: list[model.Effect] = []
    for _ in range(180):
        box.pass_time(10_000)
        box.station.clock.judge(box.now)
        if not box.station.has_clock_news(box.now):
            continue
        written += box.handle(model.ClockRead(synchronised=True))
    assert [type(effect) for effect in written] == [model.Journal] * (1_800_000 // MARK_EVERY_MS)
    assert box.kinds() == []
    assert Picture.model_validate_json(box.picture).clock_mark_ms == box.now_ms
