"""The station's benchmark runs, measures what it says and judges it; its figures here say nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report import Row, quantile, status_of, table

ROOT = Path(__file__).parents[1]
ROWS = (
    "resident memory at rest",
    "of one core at rest",
    "start to ready",
    "badge to lock within 10 ms, this disk",
    "badge to lock within 50 ms, 20 ms an fsync",
    "modbus, 16 inputs",
    "kerong, 16 locks",
    "osdp, sealed poll and reply",
    "rdm6300",
    "teltonika, codec 8",
    "codec json",
    "vss",
)
TAPS = 3


@pytest.mark.long
def test_the_stations_cost_is_measured_and_judged() -> None:
    options = ("--rest-s", "1", "--starts", "1", "--taps", str(TAPS), "--codec-seconds", "0.01")
    command = [sys.executable, "-m", "benchmarks.station_cost", *options, "--python", sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in {0, 1}, done.stderr
    for what in ROWS:
        row = rf"^{re.escape(what)} +(?:<|>=) [\d.]+ \S+ +[\d.e+]+ \S+"
        assert re.search(row, done.stdout, re.MULTILINE), (what, done.stdout, done.stderr)
    assert done.returncode == int("MISSED" in done.stdout)
    # a journal on a disk of 20 ms an fsync cannot be quicker than that, and each tap is in the histogram
    (slow,) = re.findall(r"20 ms an fsync.*% +(.*)", done.stdout)
    assert not re.search(r"\b\d+ within (?:1|2\.5|5|10) ms", slow), slow
    assert f"{TAPS} within 1000 ms" in slow


@pytest.mark.long
def test_the_reconcilers_passes_are_measured_beside_a_bare_read() -> None:
    command = [sys.executable, "-m", "benchmarks.reconciliation", "--calls", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in {0, 1}, done.stderr
    assert re.search(
        r"^a pass over everything, p99 +< 100 ms +[\d.]+ ms +54,000 bookings", done.stdout, re.MULTILINE
    )
    assert "control: median" in done.stdout
    assert done.returncode == int("MISSED" in done.stdout)


@pytest.mark.long
def test_bookings_are_measured_beside_the_bare_insert() -> None:
    command = [sys.executable, "-m", "benchmarks.booking_writes", "--bookings", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in {0, 1}, done.stderr
    assert re.search(r"^a booking, PostgreSQL +>= 0.5 times +[\d.]+ times +8 statements", done.stdout, re.MULTILINE)
    assert done.returncode == int("MISSED" in done.stdout)


@pytest.mark.long
def test_the_open_data_is_measured_beside_a_bare_read() -> None:
    command = [sys.executable, "-m", "benchmarks.open_data", "--calls", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in {0, 1}, done.stderr
    for what in ("a snapshot", "all files of both versions"):
        row = rf"^{what}, p99 of processor +< 250 ms +[\d.]+ ms +control: median"
        assert re.search(row, done.stdout, re.MULTILINE), done.stdout
    assert done.returncode == int("MISSED" in done.stdout)


@pytest.mark.long
def test_without_the_installed_packages_it_says_how_to_get_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.station_cost", "--python", str(tmp_path / "python")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "make benchmark" in done.stderr


@pytest.mark.parametrize(
    ("measured", "at_least", "holds"),
    [(9.9, False, True), (10, False, False), (10, True, True), (9.9, True, False)],
)
def test_a_row_holds_on_its_side_of_the_limit(measured: float, at_least: bool, holds: bool) -> None:
    row = Row("something", measured, 10, "ms", at_least=at_least, beside="a control")
    assert row.holds is holds
    assert status_of([row]) == int(not holds)
    assert ("MISSED" in table([row])) is not holds


def test_a_quantile_is_one_of_the_values() -> None:
    values = list(range(1, 101))
    assert [quantile(values, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert quantile([7.0], 0.99) == 7
