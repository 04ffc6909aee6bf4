"""The import contracts are not decoration: each of them catches what it is there for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("contract", "runtime", "station_agent", "dispatcher", "simulator")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, env=environment)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "planted", "caught"),
    [
        ("station_agent/core/slots.py", "import time", "station_agent.core.slots -> time"),
        ("contract/chain.py", "import random", "contract.chain -> random"),
        (
            "dispatcher/core/rules.py",
            "import dispatcher.store.schema",
            "dispatcher.core.rules -> dispatcher.store.schema",
        ),
        ("station_agent/agent.py", "import dispatcher.core", "station_agent.agent -> dispatcher.core"),
        ("runtime/backoff.py", "import station_agent.config", "runtime.backoff -> station_agent.config"),
        ("station_agent/journal.py", "import sqlalchemy", "station_agent.journal -> sqlalchemy"),
        (
            "station_agent/drivers/osdp/link.py",
            "import station_agent.drivers.osdp.pairing",
            "station_agent.drivers.osdp.link -> station_agent.drivers.osdp.pairing",
        ),
    ],
)
def test_a_planted_bad_import_is_caught(tree: Path, file: str, planted: str, caught: str) -> None:
    path = tree / file
    path.write_text(f"{path.read_text()}\n{planted}\n")
    done = lint(tree)
    assert done.returncode == 1
    assert caught in done.stdout, done.stdout


def test_an_agents_process_does_not_even_load_what_speaks_under_the_public_key() -> None:
    code = "import sys, station_agent.cli; sys.exit('station_agent.drivers.osdp.pairing' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("import datetime\n\nNOW = datetime.datetime.now(datetime.UTC)\n", "TID251"),
        ("import time\n\nNOW = time.time()\n", "TID251"),
    ],
)
def test_a_planted_look_at_the_real_clock_is_caught(tmp_path: Path, planted: str, rule: str) -> None:
    (tmp_path / "planted.py").write_text(planted)
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "planted.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert rule in done.stdout
