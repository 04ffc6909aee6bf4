"""The hunt itself: seeds that hold, bugs that are found, and what its commands say."""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from simulator.cli import main
from simulator.hunt.commands import add_replay, options_of, replay_command
from simulator.hunt.planted import BUGS
from simulator.hunt.scenario import MENU, Options, live
from simulator.hunt.seeds import SeedResult, cores, hunt_one
from simulator.virtual.premises import premises

pytestmark = pytest.mark.xdist_group("hunt")  # it takes both cores by itself

HUNTED = Options(hours=6, stations=4)
SEEDS = tuple(range(1, 21))
BROKEN_ONCE = {
    Options(4, 8, drawn=False): (24, 53, 56),
    Options(6, 8, drawn=False): (67, 113, 147, 161),
    Options(6, 8): (229, 484, 649),
}
"""The seeds that found a mistake (docs/hunt.md) with all that was wrong around it."""
ECHOES = {"ledger_restored_echo", "box_restored_echo", "facts_lost"}  # what follows a fault
FOUND_AT = json.loads((Path(__file__).parent / "planted.json").read_text())
"""By bug: the seed that finds it, and the promise that it breaks. Written by `benchmarks.planted_bugs`."""


def hunt_all(seeds: Iterable[int], options: Options) -> list[SeedResult]:
    premises(options.stations)
    with ProcessPoolExecutor(cores()) as pool:
        return list(pool.map(partial(hunt_one, options=options), seeds))


@pytest.mark.parametrize("seeds", [SEEDS[:1], pytest.param(SEEDS[1:], marks=pytest.mark.long)], ids=["one", "more"])
def test_every_promise_holds_under_all_faults(seeds: tuple[int, ...]) -> None:
    results = hunt_all(seeds, HUNTED)
    broken = {result.seed: [one.what for one in result.broken] for result in results if result.broken}
    assert broken == {}
    assert all(result.faults > 30 and result.facts > 100 for result in results), "something happened in each"


@pytest.mark.long
@pytest.mark.parametrize(("options", "seeds"), BROKEN_ONCE.items())
def test_what_was_found_once_holds(options: Options, seeds: tuple[int, ...]) -> None:
    results = hunt_all(seeds, options)
    assert {result.seed: [one.what for one in result.broken] for result in results if result.broken} == {}


def test_a_run_without_faults_opens_no_incident_that_nothing_explains() -> None:
    (result,) = hunt_all(range(1, 2), Options(hours=2, stations=4, faults=()))
    assert result.broken == ()
    assert result.faults == 0


def still_finds(bug: str) -> bool:
    """Whether the seed on record breaks the promise on record."""
    found = FOUND_AT[bug]
    result = hunt_one(found["seed"], Options(found["hours"], found["stations"]), bug)
    return found["promise"] in {one.promise for one in result.broken}


@pytest.mark.long
def test_each_planted_bug_is_found_with_the_seed_that_is_on_record() -> None:
    bugs = sorted(FOUND_AT)
    for stations in {found["stations"] for found in FOUND_AT.values()}:
        premises(stations)
    with ProcessPoolExecutor(cores()) as pool:
        finds = dict(zip(bugs, pool.map(still_finds, bugs), strict=True))
    assert [bug for bug in bugs if not finds[bug]] == []


def test_what_is_on_record_are_planted_bugs_found_within_fifty_seeds() -> None:
    assert FOUND_AT
    assert set(FOUND_AT) <= set(BUGS)
    assert all(1 <= found["seed"] <= 50 for found in FOUND_AT.values())
    assert len(FOUND_AT) >= 20


def test_hunt_says_which_seed_broke_which_promise_and_how_to_replay_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hunt.json"
    words = ["--hours", "2", "--stations", "3", "--faults", "none", "--plant", "window_off_by_the_grace"]
    assert main(["hunt", "--seeds", "2", "--jobs", "1", "--json", str(file), *words]) == 1
    said = capsys.readouterr().out
    assert "no_key_leaves_without_a_right" in said
    assert "python -m simulator replay --seed 1 --hours 2 --stations 3 --faults none --plant" in said
    document = json.loads(file.read_text())
    assert document["seeds"] == [1, 2]
    assert document["virtual_hours"] == 4
    assert document["broken_by_promise"]["no_key_leaves_without_a_right"] > 0
    assert document["broken"][0]["replay"] in said


def test_hunt_ends_well_where_nothing_broke(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hunt", "--seeds", "1", "--jobs", "1", "--hours", "1", "--stations", "2", "--faults", "none"]) == 0
    assert "every promise held" in capsys.readouterr().out


def test_replay_tells_the_story_of_one_station_and_its_hash_alone(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["replay", "--seed", "1", "--hours", "1", "--stations", "2", "--faults", "loss,partition"]
    assert main([*words, "--station", "lille-republique"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 10
    assert all("lille-republique" in line or "fault" in line for line in lines)
    assert main([*words, "--hash"]) == 0
    first = capsys.readouterr().out
    assert main([*words, "--hash"]) == 0
    assert capsys.readouterr().out == first
    assert len(first.strip()) == 64


@pytest.mark.long
def test_a_story_that_nobody_reads_ends_without_a_word() -> None:
    command = [sys.executable, "-m", "simulator", "replay", "--seed", "1", "--hours", "1", "--stations", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before its first word: what fits into the pipe would be written all the same
        assert process.stderr.read() == ""
        assert process.wait(60) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hunt", "--faults", "rain"], "expected all, every, none, or of"),
        (["hunt", "--hours", "0"], "expected hours, 0.1 to"),
        (["hunt", "--stations", "31"], "expected 1 to 30"),
        (["replay", "--seed", "one"], "invalid int value"),
        (["hunt", "--seeds", "0"], "expected a whole number from 1"),
    ],
)
def test_wrong_words_are_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


def faults_of(seed: int, options: Options) -> Counter[str]:
    return Counter(spell.fault for spell in live(seed, options).spells)


@pytest.mark.long
def test_each_seed_draws_its_faults_and_how_often_they_come() -> None:
    drawn = [faults_of(seed, Options(hours=2, stations=3)) for seed in range(1, 5)]
    every = [faults_of(seed, Options(hours=2, stations=3, drawn=False)) for seed in range(1, 5)]
    assert all(set(ones) < set(MENU) | ECHOES for ones in (*drawn, *every))
    assert sum(len(ones) for ones in drawn) < 0.8 * sum(len(ones) for ones in every)
    in_some = {name for ones in drawn for name in ones}
    in_all = set.intersection(*(set(ones) for ones in drawn))
    assert len(in_some) > 2 * len(in_all)


@pytest.mark.long
def test_what_is_named_comes_as_often_as_the_menu_says() -> None:
    alone = faults_of(3, Options(hours=2, stations=3, faults=("loss", "order"), drawn=False))
    among_all = faults_of(3, Options(hours=2, stations=3, drawn=False))
    assert {name: among_all[name] for name in alone} == alone
    assert set(alone) == {"loss", "order"}


@pytest.mark.parametrize("faults", ["all", "every", "none", "loss,order"])
def test_the_command_that_replays_a_seed_says_which_faults_it_has(faults: str) -> None:
    parser = argparse.ArgumentParser()
    add_replay(parser.add_subparsers())
    options = options_of(parser.parse_args(["replay", "--seed", "7", "--hours", "2", "--faults", faults]))
    words = replay_command(7, options).split()[3:]
    assert options_of(parser.parse_args(words)) == options


def test_the_menu_has_a_reason_for_each_entry() -> None:
    assert len(MENU) >= 30
    assert all(fault.every_h > 0 and fault.lasts_s[0] <= fault.lasts_s[1] for fault in MENU.values())
