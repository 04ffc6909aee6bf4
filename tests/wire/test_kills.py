"""Kills of real agents, and some of dispatcher and broker; hundreds by hand (docs/kills.md)."""

from pathlib import Path

import pytest

from tests.wire.test_demo import PROMISES, refusal, verdict_of

NEVER = (
    "lost",
    "doubled",
    "epochs_restarted",
    "done_later",
    "opened_without_right",
    "still_energised",
    "untimed_pulses",
)


@pytest.mark.parametrize("count", [3, pytest.param(40, marks=pytest.mark.long)])
def test_agents_killed_at_random_instants_lose_and_double_nothing(tmp_path: Path, count: int) -> None:
    arguments = ["--stations", "4", "--speed", "120", "--seed", "2", "--processes", "--kills", str(count)]
    verdict = verdict_of(tmp_path, [*arguments, "--broker", "mosquitto", "--kill-centre"])
    assert list(verdict["promises"]) == PROMISES
    assert [text for promise in verdict["promises"].values() for text in promise["counterexamples"]] == []
    kills = verdict["kills"]
    by_moment = kills["kills"]
    assert sum(by_moment.values()) - by_moment.get("dispatcher", 0) - by_moment.get("broker", 0) == count
    if count > 3:  # few may all find their agents at rest
        assert by_moment["while starting"] + by_moment["in a handover"] > 0
    assert {name: kills[name] for name in NEVER} == dict.fromkeys(NEVER, 0)
    assert kills["noted"] == kills["in_ledger"] >= 2 * count
    assert kills["decided"] == kills["carried_out"] + kills["never_done"]
    assert kills["carried_out"] >= 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--kills", "5"], "--kills: expected --processes beside it"),
        (["--kills", "0", "--processes"], "--kills: 0: expected 1 to 10000"),
        (
            ["--processes", "--kills", "5", "--kill-centre"],
            "--kill-centre: expected --kills and --broker mosquitto",
        ),
        (["--kill-centre", "--broker", "mosquitto"], "--kill-centre: expected --kills and --broker mosquitto"),
    ],
)
def test_kills_that_cannot_be_are_named(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refusal(capsys, "--stations", "1", "--for", "5", *arguments)
