"""A real Prometheus on loopback, with the rules of deploy/ and targets of a test."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.wire.brokers import HOST, free_port

DEPLOY = Path(__file__).parents[2] / "deploy" / "prometheus"
STOP_S = 10


class Prometheus:
    """Scrapes and evaluates once a second; alerts wait a second instead of minutes. `stop` ends it."""

    def __init__(self, folder: Path, targets: dict[str, list[str]]) -> None:
        """`targets`: by the job's name in the configuration that is shipped."""
        self._url = f"http://{HOST}:{free_port()}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        del config["alerting"]
        assert {job["job_name"] for job in config["scrape_configs"]} == targets.keys()
        for job in config["scrape_configs"]:
            job.pop("file_sd_configs", None)
            job["static_configs"] = [{"targets": targets[job["job_name"]]}]
        (folder / "rules").mkdir()
        for file in (DEPLOY / "rules").glob("*.yml"):
            rules = yaml.safe_load(file.read_text(encoding="utf-8"))
            for rule in (rule for group in rules["groups"] for rule in group["rules"] if "for" in rule):
                rule["for"] = "1s"
            (folder / "rules" / file.name).write_text(yaml.safe_dump(rules))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def start(self) -> None:
        command = [
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self._url.removeprefix('http://')}",
            "--log.level=warn",
        ]
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_S)

    def is_up(self) -> bool:
        try:
            self.ask("/api/v1/status/buildinfo")
        except OSError:
            return False
        return True

    def names(self) -> set[str]:
        """Of every series that it has."""
        return set(self.ask("/api/v1/label/__name__/values"))

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now. Raises HTTPError for one that Prometheus does not understand."""
        found: list[dict[str, Any]] = self.ask("/api/v1/query", query=expression)["result"]
        return found

    def firing(self, alert: str) -> list[dict[str, str]]:
        """Labels of the alerts of a name that fire."""
        rows = self.query(f'ALERTS{{alertname="{alert}", alertstate="firing"}}')
        return [row["metric"] for row in rows]

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer."""
        url = f"{self._url}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # our own, on loopback
            document = json.load(answer)
        assert document["status"] == "success", document
        return document["data"]
