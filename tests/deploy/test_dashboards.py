"""Grafana's dashboards: generated from the one readable file, and put together as Grafana asks."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(GRAFANA.glob("*.json"))}
UNITS = {"none", "s", "ops", "reqps", "percentunit", "bool_yes_no"}
"""Of Grafana's own ids, those that are used here."""


def test_the_files_are_what_the_source_says_and_the_check_for_it_can_fail(tmp_path: Path) -> None:
    for name in ("generate.py", "dashboards.yml"):
        (tmp_path / name).write_bytes((GRAFANA / name).read_bytes())
    for name, document in DASHBOARDS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    assert check(GRAFANA) == (0, "")
    (tmp_path / "carshare-station.json").write_text("{}")
    (tmp_path / "of-nobody.json").write_text("{}")
    status, said = check(tmp_path)
    assert (status, re.findall(r"grafana/([\w-]+)\.json", said)) == (1, ["carshare-station", "of-nobody"])


def check(folder: Path) -> tuple[int, str]:
    command = [sys.executable, str(folder / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_put_together_as_grafana_asks(name: str) -> None:
    board = DASHBOARDS[name]
    panels: list[dict[str, Any]] = board["panels"]
    assert board["uid"] == name
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert "datasource" in variables
    for panel in panels:
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["description"]
        assert panel["targets"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in (panel, *panel["targets"]))
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        used = {word for target in panel["targets"] for word in re.findall(r"\$(\w+)", target["expr"])}
        assert used <= variables | {"__rate_interval"}
    cells = [(x, panel["gridPos"]["y"]) for panel in panels for x in columns(panel)]
    assert len(set(cells)) == len(cells), "two panels lie on one another"


def columns(panel: dict[str, Any]) -> range:
    return range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])


def test_there_are_the_four_that_the_manual_names() -> None:
    assert list(DASHBOARDS) == [f"carshare-{name}" for name in ("incidents", "ingest", "network", "station")]
