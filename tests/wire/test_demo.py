"""The demo as a person runs it: a command, its words, its verdict, its exit status."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from simulator.cli import main

PROMISES = [
    "no_key_leaves_without_a_right",
    "a_right_opens",
    "no_fact_lost_or_doubled",
    "no_vehicle_booked_twice",
    "picture_converges",
]


def demo(*arguments: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulator", "demo", "--http-port", "0", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said of a wish that cannot be fulfilled, in this process: nothing of it has begun."""
    try:
        status: object = main(["demo", "--http-port", "0", *arguments])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    return capsys.readouterr().err


def verdict_of(folder: Path, arguments: Sequence[str]) -> dict[str, Any]:
    file = folder / "verdict.json"
    done = demo(*arguments, "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(file.read_text())
    return document


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--stations", "6", "--for", "30", "--broker", "mosquitto"], id="one process, mosquitto"),
        pytest.param(
            ["--stations", "3", "--for", "90", "--processes"],
            id="processes, embedded broker",
            marks=pytest.mark.long,  # test_kills has one of processes
        ),
        pytest.param(
            ["--stations", "3", "--for", "90", "--processes", "--database", "postgresql"],
            id="processes, PostgreSQL",
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_network_runs_and_every_promise_holds(tmp_path: Path, arguments: list[str]) -> None:
    speed = 20 if "--processes" in arguments else 60  # a door is left open after 180 s: 3 s of a busy machine at 60
    verdict = verdict_of(tmp_path, [*arguments, "--speed", str(speed), "--seed", "3"])
    assert list(verdict["promises"]) == PROMISES
    assert all(promise == {"held": True, "counterexamples": []} for promise in verdict["promises"].values())
    facts = verdict["facts"]
    assert facts["physical"] == facts["ledger"] >= 20
    assert (facts["missing"], facts["doubled"], facts["out_of_order"]) == (0, 0, 0)
    assert verdict["handovers"]["taken"] >= 4
    assert all(isinstance(value, int) for value in (*facts.values(), *verdict["handovers"].values()))
    assert verdict["simulated_s"] == pytest.approx(verdict["wall_s"] * speed, rel=0.1)


@pytest.mark.long
def test_at_speed_one_the_programs_run_by_their_own_scripts_on_the_systems_clock(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, ["--stations", "1", "--for", "20", "--processes", "--speed", "1"])
    assert all(promise["held"] for promise in verdict["promises"].values())
    assert verdict["simulated_s"] == pytest.approx(verdict["wall_s"], rel=0.1)


def test_control_c_ends_it_with_a_verdict_and_leaves_nothing_behind() -> None:
    command = [sys.executable, "-m", "simulator", "demo", "--http-port", "0", "--stations", "2", "--processes"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    while "Ctrl-C ends it" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 4, "a broker, a dispatcher and two agents"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, out + err
    assert "held   picture converges" in out
    assert not psutil.wait_procs(children, timeout=5)[1]


@pytest.mark.parametrize("option", [pytest.param("--http-port", marks=pytest.mark.long), "--page-port"])
def test_a_port_in_use_is_a_sentence(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo("--stations", "1", option, str(port))
    assert done.returncode == 2
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--stations", "31"], "--stations: 31: expected 1 to 30"),
        (["--speed", "fast"], "--speed: 'fast': expected 0.1 to 600"),
        (["--broker", "rabbit"], "--broker: 'rabbit': expected embedded, mosquitto or mqtt://host:port"),
        (["--broker", "mqtt://broker.example:1883"], "can be reached from other machines"),
    ],
)
def test_a_wrong_wish_is_named(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refusal(capsys, "--for", "5", *arguments)


def test_a_broker_that_is_not_there_is_a_sentence() -> None:
    done = demo("--for", "5", "--broker", "mqtt://127.0.0.1:1")
    assert done.returncode == 2
    assert "nobody answers at 127.0.0.1 port 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_with_something_in_it_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("keep me")
    assert "expected an empty folder" in refusal(capsys, "--stations", "1", "--directory", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
