"""A seed is a history: the same on every machine and in every process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def history_hash(seed: int, hours: float, python_hash_seed: int) -> str:
    """As a person gets it, with every fault of the hunt. The exit status tells of promises, not of the hash."""
    command = [sys.executable, "-m", "simulator", "replay", "--hash", "--stations", "2", "--hours", f"{hours:g}"]
    told = subprocess.run(
        [*command, "--seed", str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(python_hash_seed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode in {0, 1}, told.stderr
    return told.stdout.strip()


@pytest.mark.parametrize("hours", [0.25, pytest.param(3, marks=pytest.mark.long)])
def test_two_processes_write_the_same_history_whatever_their_hash_seed(hours: float) -> None:
    first = history_hash(7, hours, python_hash_seed=1)
    assert len(first) == 64
    assert history_hash(7, hours, python_hash_seed=2) == first


@pytest.mark.long
def test_another_seed_has_another_history() -> None:
    assert history_hash(8, 1, python_hash_seed=1) != history_hash(7, 1, python_hash_seed=1)
