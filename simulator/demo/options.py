"""What the demo is asked to do."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from runtime.addresses import Unsecured, require_loopback_or_secured
from runtime.config import ConfigError
from runtime.mqtt_settings import MqttSettings
from simulator.arguments import number
from simulator.network.lilas import STATIONS

SPEED_MAX = 600.0  # beyond it hands, which move in real time, take hours of the scaled clock
SECONDS_MAX = 86_400.0
KILLS_MAX = 10_000  # two hours or so


@dataclass(frozen=True, slots=True)
class DemoOptions:
    stations: int
    speed: float
    seconds: float | None
    """Wall time to run; None: until Ctrl-C."""
    seed: int
    broker: str
    """`embedded`, `mosquitto`, or `mqtt://host:port`."""
    database: str
    """`sqlite` or `postgresql`."""
    http_port: int
    processes: bool
    kills: int
    """How many times an agent is killed and started again; the run ends with the last. 0: none."""
    kill_centre: bool
    """Dispatcher and broker are killed now and then, too."""
    json_file: Path | None
    directory: Path | None
    """Where keys, configurations, database and logs of the run are kept; None: a temporary folder."""
    page_port: int | None = None
    """Of the page for developers; 0: a free one; None: there is none."""
    nobody: bool = False
    """No members come: there is whoever stands at the page."""

    @property
    def external_broker(self) -> MqttSettings | None:
        """The broker that somebody else runs, where one was named."""
        if not self.broker.startswith("mqtt://"):
            return None
        host, _, port = self.broker.removeprefix("mqtt://").rstrip("/").rpartition(":")
        return MqttSettings(host=host, port=int(port))


def add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The sub-command and its options."""
    text = "run the whole network: broker, dispatcher, agents, members and vehicles; end with a verdict"
    demo = commands.add_parser("demo", help=text, description=text)
    demo.add_argument(
        "--stations", type=number(int, 1, STATIONS), default=STATIONS, metavar="N", help="1 to 30; default 30"
    )
    demo.add_argument(
        "--speed",
        type=number(float, 0.1, SPEED_MAX),
        default=60.0,
        metavar="X",
        help="seconds of the network's clock per real second, 0.1 to 600; default 60. Serial lines keep real time",
    )
    demo.add_argument(
        "--for",
        dest="seconds",
        type=number(float, 1, SECONDS_MAX),
        metavar="SECONDS",
        help="real seconds to run; without it, until Ctrl-C",
    )
    demo.add_argument("--seed", type=int, default=1, metavar="N", help="of everything that is drawn; default 1")
    demo.add_argument(
        "--broker",
        type=_broker,
        default="embedded",
        metavar="BROKER",
        help="embedded (default), mosquitto (started by the demo), or mqtt://host:port",
    )
    demo.add_argument(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="of the dispatcher: a file (default), or a PostgreSQL that the demo starts and that ends with it",
    )
    demo.add_argument(
        "--http-port",
        type=number(int, 0, 65_535),
        default=8080,
        metavar="P",
        help="of the dispatcher's API and metrics; the agents' metrics answer on the next; 0: free ones",
    )
    demo.add_argument(
        "--processes", action="store_true", help="broker, dispatcher and every agent as a process of its own"
    )
    demo.add_argument(
        "--kills",
        type=number(int, 1, KILLS_MAX),
        default=0,
        metavar="N",
        help=f"kill agents so many times (1 to {KILLS_MAX}) at random instants, start them again, and end with "
        "figures; needs --processes",
    )
    demo.add_argument(
        "--kill-centre",
        action="store_true",
        help="with --kills: now and then dispatcher and broker, too; needs --broker mosquitto",
    )
    demo.add_argument("--json", type=Path, metavar="FILE", help="write the verdict as JSON, too")
    demo.add_argument(
        "--page-port",
        type=number(int, 0, 65_535),
        metavar="P",
        help="show the stations' cabinets and their lines on a page, on loopback, with hands and faults to click; "
        "0: a free port",
    )
    demo.add_argument("--nobody", action="store_true", help="no members come: there is whoever stands at the page")
    demo.add_argument("--directory", type=Path, metavar="DIR", help="keep the run's files there; must be empty")


def demo_options(parsed: argparse.Namespace) -> DemoOptions:
    """Raises ConfigError where two wishes do not go together."""
    if parsed.kills and not parsed.processes:
        raise ConfigError("--kills: expected --processes beside it: only a process can be killed")
    if parsed.kill_centre and not (parsed.kills and parsed.broker == "mosquitto"):
        raise ConfigError("--kill-centre: expected --kills and --broker mosquitto beside it")
    return DemoOptions(
        stations=parsed.stations,
        speed=parsed.speed,
        seconds=parsed.seconds,
        seed=parsed.seed,
        broker=parsed.broker,
        database=parsed.database,
        http_port=parsed.http_port,
        processes=parsed.processes,
        kills=parsed.kills,
        kill_centre=parsed.kill_centre,
        json_file=parsed.json,
        directory=parsed.directory,
        page_port=parsed.page_port,
        nobody=parsed.nobody,
    )


def _broker(text: str) -> str:
    if text in {"embedded", "mosquitto"}:
        return text
    host, _, port = text.removeprefix("mqtt://").rstrip("/").rpartition(":")
    if not text.startswith("mqtt://") or not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected embedded, mosquitto or mqtt://host:port")
    try:
        require_loopback_or_secured(host, field=text, secured=False, lacking="TLS, which the demo does not speak")
    except Unsecured as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
