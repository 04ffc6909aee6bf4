"""The rules for Prometheus: by its own tools, every alert fires when it should and not before, and ends."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.series import SERIES as DISPATCHER_SERIES
from station_agent.series import SERIES as AGENT_SERIES
from tests.deploy.alert_cases import CASES, Case

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = PROMETHEUS / "alertmanager.yml"
FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
OF_PROMETHEUS = {"up"}


def rules() -> Iterator[dict[str, Any]]:
    for file in FILES:
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def firing(name: str, minute: int, count: int) -> dict[str, Any]:
    """So many alerts of a name fire at a minute."""
    samples = [{"labels": "{}", "value": count}] if count else []
    expr = f'count(ALERTS{{alertname="{name}", alertstate="firing"}})'
    return {"expr": expr, "eval_time": f"{minute}m", "exp_samples": samples}


def test_every_alert_fires_when_it_was_wrong_for_long_and_ends_when_it_is_mended(tmp_path: Path) -> None:
    networks = [{name: case} for name, case in CASES.items() if case.alone]
    networks.append({name: case for name, case in CASES.items() if not case.alone})
    tests = []
    for cases in networks:
        series = {series: values for case in cases.values() for series, values in case.series.items()}
        rows = [{"series": name, "values": values} for name, values in series.items()]
        looks = [look for name, case in cases.items() for look in looks_at(name, case)]
        tests.append({"interval": "1m", "input_series": rows, "promql_expr_test": looks})
    document = {
        "rule_files": [str(file) for file in FILES],
        "evaluation_interval": "1m",
        "group_eval_order": ["carshare-recording"],
        "tests": tests,
    }
    file = tmp_path / "alerts.test.yml"
    file.write_text(yaml.safe_dump(document))
    run("promtool", "test", "rules", str(file))


def looks_at(name: str, case: Case) -> list[dict[str, Any]]:
    looks = [firing(name, case.quiet_m, 0), firing(name, case.fires_m, case.count), firing(name, case.end_m, 0)]
    return looks + [firing(other, case.fires_m, 0) for other in case.silent_too]


def test_no_alert_is_without_such_a_test() -> None:
    assert CASES.keys() == ALERTS.keys()
    assert len(ALERTS) >= 15


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_what_to_do_first_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["for"], "nothing fires at its first sight"
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert "First: " in notes["description"]
    assert (ROOT / notes["runbook_url"]).is_file()


def test_each_page_for_alerts_is_of_an_alert_and_has_what_a_person_who_is_called_looks_for() -> None:
    pages = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "docs" / "alerts").glob("*.md")}
    named = {rule["annotations"]["runbook_url"] for rule in ALERTS.values()}
    assert {url for url in named if url.startswith("docs/alerts/")} == pages.keys()
    for url, path in pages.items():
        text = path.read_text(encoding="utf-8")
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert headings == ["What it means", "What people see", "Check first", "What to do", "When it ends"], url
        alerts = {name for name, rule in ALERTS.items() if rule["annotations"]["runbook_url"] == url}
        assert set(re.findall(r"`([A-Z]\w+)`", text.splitlines()[2])) == alerts, url


def test_rules_speak_of_series_that_are_exported_or_recorded() -> None:
    known = OF_PROMETHEUS | {rule["record"] for rule in rules() if "record" in rule}
    for one in (*DISPATCHER_SERIES, *AGENT_SERIES):
        ends = ("_bucket", "_count", "_sum") if one.kind == "histogram" else ("",)
        known |= {f"{one.name}{end}" for end in ends}
    used = {name for rule in rules() for name in series_in(rule["expr"])}
    assert used - known == set()
    assert {rule["record"] for rule in rules() if "record" in rule} & used, "there are recorded ones among them"


def series_in(expression: str) -> set[str]:
    """Names of series in an expression."""
    return set(re.findall(r"\b(?:dispatcher_\w+|station_agent_\w+|up(?=\{)|\w+(?::\w+)+)", expression))


def test_prometheus_takes_the_configuration_as_it_lies_here() -> None:
    said = run("promtool", "check", "config", "prometheus.yml", cwd=PROMETHEUS)
    assert "WARNING" not in said, said


# --- who is told


def told(**labels: str) -> str:
    arguments = [f"{label}={value}" for label, value in labels.items()]
    return run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *arguments).splitlines()[0]


def test_alertmanager_takes_its_example() -> None:
    run("amtool", "check-config", str(ALERTMANAGER))


@pytest.mark.parametrize(("severity", "receivers"), [("critical", "on-duty,behind-duty"), ("warning", "operators")])
def test_who_is_on_duty_is_told_of_what_is_critical_and_the_operators_of_the_rest(
    severity: str, receivers: str
) -> None:
    names = [name for name, rule in ALERTS.items() if rule["labels"]["severity"] == severity]
    assert told(alertname=names[0], severity=severity, cabinet="gare-1") == receivers


def test_whoever_stands_behind_is_told_ten_minutes_later_unless_it_was_silenced() -> None:
    route = yaml.safe_load(ALERTMANAGER.read_text())["route"]
    waits = {child["receiver"]: child["group_wait"] for child in route["routes"]}
    assert waits == {"on-duty": "10s", "behind-duty": "10m"}
    assert json.dumps(route).count('"continue": true') == 1


def test_what_is_not_said_beside_something_else_is_an_alert_of_ours() -> None:
    matchers = [
        matcher.partition("=")[2].strip('~"')
        for rule in yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
    ]
    for pattern in "|".join(matchers).split("|"):
        assert any(re.fullmatch(pattern, name) for name in ALERTS), pattern
