"""A leap second: the kernel shows the last second of a day twice, or a server smears it over a day."""

from contract.facts import AccessGranted
from tests.station_agent.core.box import HOUR_MS, Box
from tests.station_agent.core.test_clock import Watch

SECOND_MS = 1_000


def test_a_second_that_comes_twice_costs_no_trust_and_moves_no_mark_back() -> None:
    watch = Watch()
    assert watch.pass_time(HOUR_MS) == "kernel"
    mark_ms = watch.trust.mark_ms
    assert watch.step(-SECOND_MS) == "kernel"
    assert watch.trust.mark_ms == mark_ms
    assert watch.pass_time(HOUR_MS) == "kernel"
    assert watch.reboot() == "kernel"


def test_all_leap_seconds_of_a_century_in_one_boot_cost_no_trust() -> None:
    watch = Watch()
    watch.source()
    for _ in range(27):  # so many there were between 1972 and 2016
        watch.pass_time(24 * HOUR_MS)
        assert watch.step(-SECOND_MS) == "kernel"


def test_a_smeared_second_costs_no_trust() -> None:
    watch = Watch()
    watch.source()
    for _ in range(24):
        watch.pass_time(HOUR_MS)
        assert watch.step(-SECOND_MS // 24) == "kernel"


def test_a_right_opens_in_the_second_that_comes_again_and_facts_keep_their_order() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", hours=2)
    box.badge("ann")
    first = box.last(AccessGranted)
    box.opens(1)
    box.shut(1)
    box.now_ms -= SECOND_MS
    box.badge("ann")
    again = box.last(AccessGranted)
    assert again.seq > first.seq
    assert again.clock_trusted
    assert "clock_trust_changed" not in box.kinds()
