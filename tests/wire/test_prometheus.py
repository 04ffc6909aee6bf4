"""A real Prometheus watches a running network: every series is there, every panel has data, a fault fires."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from dispatcher.series import SERIES as DISPATCHER_SERIES
from runtime.series import Series
from station_agent.series import SERIES as AGENT_SERIES
from tests.runtime.waiting import eventually
from tests.wire.prometheus import Prometheus

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
SCRAPES_S = 60  # of thirty agents and a Prometheus that share two cores with other tests

MEMBER_S = 120  # four hours of the network: somebody takes a key by then


@dataclass(frozen=True, slots=True)
class Watched:
    """A demo of agents as processes, and a Prometheus that scrapes all of them."""

    demo: subprocess.Popen[str]
    prometheus: Prometheus
    agents: dict[str, str]
    """Host and port by cabinet."""
    dispatcher: str
    folder: Path
    """With the logs of all programs."""

    def agent(self, cabinet: str) -> psutil.Process:
        children = psutil.Process(self.demo.pid).children(recursive=True)
        return next(child for child in children if f"/stations/{cabinet}/" in " ".join(child.cmdline()))

    def cabinets(self, series: str) -> set[str]:
        """Those that a series speaks of."""
        return {row["metric"]["cabinet"] for row in self.prometheus.query(series)}


@contextmanager
def watched(stations: int, folder: Path) -> Iterator[Watched]:
    run, place = folder / "run", folder / "prometheus"
    options = ["--stations", str(stations), "--speed", "120", "--processes", "--http-port", "0"]
    command = [sys.executable, "-m", "simulator", "demo", *options, "--directory", str(run)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert demo.stdout is not None
    try:
        assert any("Ctrl-C ends it" in line for line in demo.stdout), "it says so once all programs answer"
        dispatcher = served_at(run / "dispatcher" / "dispatcher.toml")
        agents = {path.parent.name: served_at(path) for path in (run / "stations").glob("*/station.toml")}
        assert len(agents) == stations
        place.mkdir()
        prometheus = Prometheus(place, {"dispatcher": [dispatcher], "station-agent": list(agents.values())})
        prometheus.start()
        try:
            yield Watched(demo, prometheus, agents, dispatcher, run)
        finally:
            prometheus.stop()
    finally:
        end(demo)


def served_at(config: Path) -> str:
    with config.open("rb") as file:
        return f"127.0.0.1:{tomllib.load(file)['http']['port']}"


def end(demo: subprocess.Popen[str]) -> None:
    """Without a verdict, which a killed agent would not pass: the whole family at once."""
    children = psutil.Process(demo.pid).children(recursive=True) if demo.poll() is None else []
    for child in children:
        child.kill()
    demo.kill()
    demo.communicate(timeout=30)
    psutil.wait_procs(children, timeout=10)


@pytest.mark.parametrize("stations", [2, pytest.param(30, marks=pytest.mark.long)])
async def test_a_network_is_watched_and_a_killed_agent_fires_its_alerts(stations: int, tmp_path: Path) -> None:
    with watched(stations, tmp_path) as network:
        await eventually(network.prometheus.is_up, within_s=SCRAPES_S)
        await every_promised_series_is_there(network)
        await asyncio.to_thread(what_is_exported_is_as_prometheus_asks_for, network)
        await every_panel_of_every_dashboard_has_data(network)
        await a_handover_is_followed_through_both_logs_by_one_id(network)
        await a_killed_agent_fires_its_alerts_for_its_cabinet_and_no_other(network)
        rules = [rule for group in network.prometheus.ask("/api/v1/rules")["groups"] for rule in group["rules"]]
        assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


async def every_promised_series_is_there(network: Watched) -> None:
    prometheus = network.prometheus
    declared = {one.name for one in (*DISPATCHER_SERIES, *AGENT_SERIES)}
    promised = {exported(one) for one in (*DISPATCHER_SERIES, *AGENT_SERIES)}
    await eventually(lambda: not promised - prometheus.names(), within_s=SCRAPES_S)
    ours = {name for name in prometheus.names() if name.startswith(("dispatcher_", "station_agent_"))}
    assert {name for name in ours - declared if re.sub(r"_(bucket|count|sum)$", "", name) not in declared} == set()
    await eventually(lambda: network.cabinets("station_agent_info") == network.agents.keys(), within_s=SCRAPES_S)
    await eventually(lambda: network.cabinets("dispatcher_cabinet_online") == network.agents.keys())
    assert all(row["metric"]["station"] for row in prometheus.query("dispatcher_cabinet_online"))


def exported(one: Series) -> str:
    return f"{one.name}_bucket" if one.kind == "histogram" else one.name


def what_is_exported_is_as_prometheus_asks_for(network: Watched) -> None:
    for place in (network.dispatcher, next(iter(network.agents.values()))):
        with urllib.request.urlopen(f"http://{place}/metrics", timeout=10) as answer:  # on loopback
            text = answer.read()
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
        assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0), place


async def every_panel_of_every_dashboard_has_data(network: Watched) -> None:
    cabinet = min(network.agents)
    lacking = set(queries())

    def have_data() -> bool:
        for panel, expression in sorted(lacking):
            if network.prometheus.query(filled(expression, cabinet)):
                lacking.discard((panel, expression))
        return not lacking

    try:
        await eventually(have_data, within_s=SCRAPES_S)
    except AssertionError:
        pytest.fail(f"without data: {lacking}")


def queries() -> Iterator[tuple[str, str]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


def filled(expression: str, cabinet: str) -> str:
    """As Grafana fills in its variables."""
    return expression.replace("$cabinet", cabinet).replace("$__rate_interval", "1m")


async def a_handover_is_followed_through_both_logs_by_one_id(network: Watched) -> None:
    found: list[tuple[str, str]] = []

    def has_a_handover() -> bool:
        found[:] = [
            (row["cabinet"], row["decision"])
            for row in logged(network.folder / "dispatcher.log", "fact_in_ledger")
            if row["fact"] == "key_taken"
        ]
        return bool(found)

    await eventually(has_a_handover, within_s=MEMBER_S)
    cabinet, decision = found[0]
    box = [row for row in logged(network.folder / f"{cabinet}.log") if row.get("decision") == decision]
    centre = [row for row in logged(network.folder / "dispatcher.log") if row.get("decision") == decision]
    told = {row["event"]: row for row in box}
    assert {"access_granted", "slot_released", "door_opened", "key_taken"} <= told.keys()
    assert told["slot_released"]["after_ms"] < 2000
    assert len({row["slot"] for row in box if "slot" in row}) == 1
    assert {row["cabinet"] for row in (*box, *centre)} == {cabinet}
    numbers = {row["fact"]: row["seq"] for row in centre}
    assert numbers.items() <= {row["event"]: row.get("seq") for row in box}.items(), (
        "the same facts, by their numbers"
    )


def logged(file: Path, event: str | None = None) -> list[dict[str, Any]]:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    rows = [json.loads(line) for line in lines if event is None or f'"{event}"' in line]
    return [row for row in rows if event is None or row["event"] == event]


async def a_killed_agent_fires_its_alerts_for_its_cabinet_and_no_other(network: Watched) -> None:
    cabinet, prometheus = min(network.agents), network.prometheus
    await eventually(
        lambda: network.cabinets("cabinet:silent:bool == 0") == network.agents.keys(), within_s=SCRAPES_S
    )
    await eventually(lambda: not prometheus.firing("CabinetSilent"), within_s=SCRAPES_S)
    network.agent(cabinet).kill()
    await eventually(lambda: prometheus.firing("CabinetSilent"), within_s=SCRAPES_S)
    await eventually(lambda: prometheus.firing("AgentDown"), within_s=SCRAPES_S)
    assert {labels["cabinet"] for labels in prometheus.firing("CabinetSilent")} == {cabinet}
    assert [labels["instance"] for labels in prometheus.firing("AgentDown")] == [network.agents[cabinet]]
    alerts = prometheus.ask("/api/v1/alerts")["alerts"]
    alert = next(alert for alert in alerts if alert["labels"]["alertname"] == "CabinetSilent")
    summary = f"Cabinet {cabinet} at {alert['labels']['station']} says nothing"
    assert alert["annotations"]["summary"].startswith(summary)
