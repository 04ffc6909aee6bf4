"""The open data of a demo that runs, as MobilityData's schemas judge it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.runtime.waiting import eventually
from tests.wire.osdp_bench import python_of

VALIDATOR = Path(python_of(".venv-api")).with_name("gbfs-validator")
STATIONS = 2
START_S = 60  # broker, dispatcher and agents on a busy machine
FILES = {
    "3.0": {
        "gbfs.json",
        "gbfs_versions.json",
        "station_information.json",
        "station_status.json",
        "system_alerts.json",
        "system_information.json",
        "system_regions.json",
        "vehicle_status.json",
        "vehicle_types.json",
    }
}
FILES["3.1-RC3"] = FILES["3.0"] | {"vehicle_availability.json"}


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The address that a demo says its open data has. It is one process: who kills it leaves nothing behind."""
    options = ("--stations", str(STATIONS), "--speed", "1", "--http-port", "0", "--directory", str(folder / "run"))
    command = [sys.executable, "-m", "simulator", "demo", *options]
    with (folder / "demo.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        yield next(line.split()[2] for line in lines if line.startswith("open data"))
    finally:
        process.kill()
        process.communicate()


def judged(url: str) -> dict[str, Any]:
    """The validator's report."""
    command = [str(VALIDATOR), "-u", url, "--docked", "--fail-on-error"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_S)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def read(url: str) -> Any:
    return httpx.get(url).json()["data"]


async def test_every_file_of_a_running_network_fits_its_schema_in_both_versions(tmp_path: Path) -> None:
    with demo(tmp_path) as url:
        base = url.removesuffix("gbfs.json")

        def all_rent() -> bool:
            stations = read(f"{base}v3/station_status.json")["stations"]
            return [station["is_renting"] for station in stations] == [True] * STATIONS

        await eventually(all_rent, within_s=START_S)
        assert read(f"{base}v3/vehicle_status.json")["vehicles"], "there is something to judge"
        for version, address in (("3.0", url), ("3.1-RC3", f"{base}v3.1-RC3/gbfs.json")):
            report = judged(address)
            summary = report["summary"]
            assert "versionUnimplemented" not in summary, "a version that it does not know it passes"
            assert summary["version"] == {"detected": version, "validated": version}
            assert (summary["hasErrors"], summary["errorsCount"]) == (False, 0)
            assert {file["file"] for file in report["files"] if file["exists"]} == FILES[version]
