"""A real Alertmanager with the example that is shipped: who is told of what, and who is not."""

import json
import subprocess
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.runtime.waiting import eventually
from tests.wire.brokers import HOST, free_port

EXAMPLE = Path(__file__).parents[2] / "deploy" / "prometheus" / "alertmanager.yml"
SHORT = {"1m": "1s", "10s": "0s", "10m": "4s"}
"""What a receiver waits for before its first message, here."""
WITHIN_S = 20.0


class Manager:
    """Alertmanager's own API."""

    def __init__(self, url: str, told: dict[str, set[str]]) -> None:
        self._url = url
        self.told = told
        """Names of alerts, by receiver."""

    def is_up(self) -> bool:
        try:
            self.ask("/api/v2/status")
        except OSError:
            return False
        return True

    def fire(self, name: str, severity: str, **labels: str) -> None:
        self.ask("/api/v2/alerts", [{"labels": {"alertname": name, "severity": severity, **labels}}])

    def acknowledge(self, name: str) -> None:
        """By the silence that stands for it."""
        now = datetime.now(UTC)
        silence = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
        matcher = {"name": "alertname", "value": name, "isRegex": False, "isEqual": True}
        self.ask("/api/v2/silences", {**silence, "matchers": [matcher], "createdBy": "duty", "comment": "on it"})

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"/api/v2/alerts?filter=alertname={name}")[0]["status"]
        return found

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"content-type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # our own, on loopback
            return json.loads(answer.read() or "null")


@contextmanager
def receivers() -> Iterator[tuple[str, dict[str, set[str]]]]:
    """Where alerts may be sent to, a path for each receiver, and what came there."""
    told: dict[str, set[str]] = defaultdict(set)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told[self.path.strip("/")] |= {alert["labels"]["alertname"] for alert in document["alerts"]}
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nothing on standard error."""

    with ThreadingHTTPServer((HOST, 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}", told
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def alertmanager(folder: Path) -> Iterator[Manager]:
    """The example, with receivers of the test and with short waits."""
    with receivers() as (place, told):
        config = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
        for receiver in config["receivers"]:
            name = receiver["name"]
            receiver.clear()
            receiver |= {"name": name, "webhook_configs": [{"url": f"{place}/{name}"}]}
        for route in (config["route"], *config["route"]["routes"]):
            route["group_wait"] = SHORT[route["group_wait"]]
        file = folder / "alertmanager.yml"
        file.write_text(yaml.safe_dump(config))
        address = f"{HOST}:{free_port()}"
        command = ["prometheus-alertmanager", f"--config.file={file}", f"--storage.path={folder / 'data'}"]
        command += [f"--web.listen-address={address}", "--cluster.listen-address="]
        with (folder / "alertmanager.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield Manager(f"http://{address}", told)
        finally:
            process.terminate()
            process.wait(10)


async def test_what_is_taken_on_in_time_goes_no_further_and_what_follows_from_it_is_not_said(
    tmp_path: Path,
) -> None:
    with alertmanager(tmp_path) as manager:
        told = manager.told
        await eventually(manager.is_up, within_s=WITHIN_S)
        manager.fire("DatabaseUnavailable", "critical")
        await eventually(lambda: "DatabaseUnavailable" in told["on-duty"], within_s=WITHIN_S)
        manager.acknowledge("DatabaseUnavailable")
        manager.fire("CabinetForced", "critical", cabinet="gare-1")
        manager.fire("CabinetSilent", "warning", cabinet="gare-1")
        manager.fire("KeysOverdue", "warning", cabinet="gare-1")
        await eventually(lambda: "CabinetForced" in told["behind-duty"], within_s=WITHIN_S)
        await eventually(lambda: "KeysOverdue" in told["operators"], within_s=WITHIN_S)
        assert told == {
            "on-duty": {"DatabaseUnavailable", "CabinetForced"},
            "behind-duty": {"CabinetForced"},
            "operators": {"KeysOverdue"},
        }
        assert manager.status("DatabaseUnavailable")["silencedBy"]
        assert manager.status("CabinetSilent")["inhibitedBy"], "a database that is away explains it"
