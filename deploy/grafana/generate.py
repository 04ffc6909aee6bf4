"""Writes the dashboards that Grafana takes from `dashboards.yml`.

python deploy/grafana/generate.py            write
python deploy/grafana/generate.py --check    exit 1, naming each file that differs
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
WIDTH = 24  # columns of Grafana's grid
HEIGHTS = {"stat": 4, "series": 8, "bars": 8}
TYPES = {"stat": "stat", "series": "timeseries", "bars": "bargauge"}
SCHEMA = 39  # of dashboards, as Grafana 10 and 11 write them; newer ones migrate it
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard(source: Mapping[str, Any]) -> dict[str, Any]:
    """One dashboard as Grafana imports it."""
    return {
        "uid": source["uid"],
        "title": f"Car-sharing: {source['title']}",
        "tags": ["carshare"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "timezone": "browser",
        "templating": {"list": _variables(has_cabinet=source.get("cabinet", False))},
        "panels": _panels(source["rows"]),
    }


def _variables(*, has_cabinet: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    ]
    if has_cabinet:
        query = "label_values(dispatcher_cabinet_online, cabinet)"
        variable = {"name": "cabinet", "label": "Cabinet", "type": "query", "datasource": SOURCE, "query": query}
        found.append({**variable, "refresh": 2, "sort": 1})
    return found


def _panels(rows: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        width, height = WIDTH // len(row), max(HEIGHTS[panel["kind"]] for panel in row)
        for index, panel in enumerate(row):
            place = {"x": index * width, "y": y, "w": width, "h": height}
            panels.append(_panel(len(panels) + 1, panel, place))
        y += height
    return panels


def _panel(number: int, panel: Mapping[str, Any], place: Mapping[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
        for index, (legend, expr) in enumerate(panel["queries"].items())
    ]
    if panel["kind"] != "series":
        targets = [{**target, "instant": True} for target in targets]
    return {
        "id": number,
        "type": TYPES[panel["kind"]],
        "title": panel["title"],
        "description": panel["says"],
        "datasource": SOURCE,
        "gridPos": dict(place),
        "fieldConfig": {"defaults": {"unit": panel["unit"], "min": 0}, "overrides": []},
        "options": {"orientation": "horizontal"} if panel["kind"] == "bars" else {},
        "targets": targets,
    }


def texts() -> dict[Path, str]:
    """Every file and its whole text."""
    found = yaml.safe_load((HERE / "dashboards.yml").read_text(encoding="utf-8"))
    return {HERE / f"{one['uid']}.json": json.dumps(dashboard(one), indent=1) + "\n" for one in found}


def stale() -> list[str]:
    wanted = texts()
    found = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    found += [path for path in HERE.glob("*.json") if path not in wanted]
    return sorted(path.name for path in found)


def main() -> int:
    parser = argparse.ArgumentParser(description="writes Grafana's dashboards")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args().check:
        for name in stale():
            sys.stderr.write(f"deploy/grafana/{name}: is not what dashboards.yml says; run `make dashboards`\n")
        return 1 if stale() else 0
    for path in HERE.glob("*.json"):
        path.unlink()
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
