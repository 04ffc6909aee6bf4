"""The coverage-guided search finds planted bugs within seconds, keeps the input and says how to see it again."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
PACKAGES = ("contract", "runtime", "station_agent", "simulator", "fuzz")
SECONDS = 60  # each is found in a few
FINDINGS = Path(__file__).parent / "findings"

HAS_WHEEL = (platform.system(), platform.machine()) == ("Linux", "x86_64")
searching = pytest.mark.skipif(not HAS_WHEEL, reason="atheris has wheels for Linux on x86-64 only")

PLANTED = {
    "osdp": (
        "station_agent/drivers/osdp/framing.py",
        "    if len(body) <= code_at:\n        return None\n",
        "",
        "IndexError",
    ),
    "teltonika": (
        "station_agent/drivers/teltonika/frames.py",
        "except struct.error:",
        "except LookupError:",
        "requires a buffer",
    ),
    "modbus": (
        "station_agent/drivers/modbus/frames.py",
        "for start in range(len(buffer) - REFUSAL_SIZE + 1):",
        "for start in range(len(buffer)):",
        "IndexError",
    ),
    "kerong": (
        "station_agent/drivers/lock_bus.py",
        "            self._drop(slot)\n",
        "",
        "nobody had ordered",
    ),
    "rdm6300": (
        "station_agent/drivers/rdm6300.py",
        " or not _DIGITS.issuperset(digits)",
        "",
        "ValueError",
    ),
    "vss": (
        "station_agent/drivers/vss.py",
        "except (ValueError, OverflowError):",
        "except KeyError:",
        "ValueError|OverflowError",
    ),
}


def python() -> str:
    found = ROOT / ".venv-fuzz" / "bin" / "python"
    if not found.exists():
        pytest.fail(".venv-fuzz is missing: `make test` makes it from requirements/fuzz.txt")
    return str(found)


def copied(folder: Path, file: str, before: str, after: str) -> None:
    """The packages under test, with one bug."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / file).read_text()
    assert text.count(before) == 1, f"{file} has changed: the bug has to be planted anew"
    (folder / file).write_text(text.replace(before, after))


def run(folder: Path, *arguments: str, interpreter: str) -> subprocess.CompletedProcess[str]:
    command = [interpreter, "-m", "fuzz", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=4 * SECONDS)


SLOW = sorted(PLANTED.keys() - {"rdm6300"})  # of those that a search has to work for


@searching
@pytest.mark.parametrize("name", ["rdm6300", *(pytest.param(name, marks=pytest.mark.long) for name in SLOW)])
def test_a_planted_bug_is_found_written_down_and_seen_again(name: str, tmp_path: Path) -> None:
    file, before, after, expected = PLANTED[name]
    copied(tmp_path, file, before, after)
    found = run(tmp_path, name, "--seconds", str(SECONDS), interpreter=python())
    assert found.returncode == 1, found.stdout + found.stderr
    assert re.search(expected, found.stdout), found.stdout
    told = re.search(r"again: \.venv/bin/python -m fuzz (\S+) --replay (\S+)", found.stdout)
    assert told is not None
    again = run(tmp_path, told[1], "--replay", told[2], interpreter=sys.executable)
    assert again.returncode == 1
    assert re.search(expected, again.stderr), again.stderr
    assert run(ROOT, told[1], "--replay", str(tmp_path / told[2]), interpreter=sys.executable).returncode == 0


@searching
def test_a_search_without_a_bug_ends_by_itself_and_says_how_much_it_reached(tmp_path: Path) -> None:
    done = run(ROOT, "rdm6300", "--seconds", "3", "--folder", str(tmp_path), interpreter=python())
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(
        r"rdm6300 +(\d+) inputs in +\d+ s, +(\d+) edges, +(\d+) kept, (\d+)/(\d+) lines; 0 found", done.stdout
    )
    assert told is not None, done.stdout
    inputs, edges, kept, covered, total = map(int, told.groups())
    assert inputs > 100
    assert edges > 20
    assert kept > 5
    assert list((tmp_path / "rdm6300" / "corpus").iterdir())
    assert total / 2 < covered <= total


def test_a_codec_that_is_none_is_named_with_those_that_are() -> None:
    wrong = run(ROOT, "x25", interpreter=sys.executable)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'x25'" in wrong.stderr
    assert "osdp" in wrong.stderr


@pytest.mark.parametrize("file", sorted(FINDINGS.glob("*--*")), ids=lambda file: file.name)
def test_what_was_found_once_does_no_harm_any_more(file: Path) -> None:
    """CODEC--WHAT: the inputs that found the bugs above, and whatever a search finds in earnest."""
    TARGETS[file.name.partition("--")[0]].check(file.read_bytes())
