"""Everything a run keeps on disk, as an operator and installers would have made it: keys, files, database."""

import base64
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.credentials import cabinet_digest_key
from contract.envelope import private_key_from_pem, public_key_text
from dispatcher import cli as dispatcher_cli
from runtime.config import ConfigError
from runtime.mqtt_settings import MqttSettings
from simulator.network.draws import stream
from simulator.network.import_document import import_document
from simulator.network.model import Network
from simulator.network.station_toml import BoxFiles, BoxSettings, TomlValue, station_toml
from simulator.network.wiring import READER_ADDRESS, scbk

NAMESPACE = "carshare"
DISPATCHER_ID = "centre"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Premises:
    """Where everything of a run lies."""

    directory: Path
    dispatcher_config: Path
    database: str
    """Its URL."""
    station_configs: dict[str, Path]
    """By cabinet."""
    ports: Path
    token: str
    """For the API."""


@dataclass(frozen=True, slots=True)
class Centre:
    """What the dispatcher stands on."""

    mqtt: MqttSettings
    database: str | None = None
    """URL of an empty database; None: a file beside its configuration."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Who answers where, on loopback."""

    api: int
    agents: dict[str, int]
    """By cabinet; without processes all agents answer on one port, and these are 0."""
    uplinks: Mapping[str, int] = field(default_factory=dict)
    """By cabinet, where its agent finds the broker on loopback; absent: where everybody does."""


@contextmanager
def run_directory(wanted: Path | None) -> Iterator[Path]:
    """The run's folder: the one that was asked for, which must be empty, or a temporary one."""
    if wanted is None:
        folder = Path(tempfile.mkdtemp(prefix="carshare-demo-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    wanted.mkdir(parents=True, exist_ok=True)
    if any(wanted.iterdir()):
        raise ConfigError(f"--directory {str(wanted)!r}: expected an empty folder, there is something in it")
    yield wanted.resolve()


def make_premises(
    directory: Path, network: Network, seed: int, centre_of: Centre, ports: Ports, *, grid_min: int
) -> Premises:
    """Write everything, and import the network into a new database with the dispatcher's own command."""
    mqtt = centre_of.mqtt
    centre = directory / "dispatcher"
    with redirect_stdout(StringIO()) as said:
        _run_dispatcher("new-keys", str(centre))
    words = said.getvalue().split()
    token = words[words.index("once:") + 1]
    config = centre / "dispatcher.toml"
    config.write_text(_dispatcher_toml(centre_of, ports.api, grid_min), encoding="utf-8")
    master = bytes.fromhex((centre / "digest-secret").read_text())
    centre_key = public_key_text(private_key_from_pem((centre / "signing-key.pem").read_bytes()))
    public_keys = {}
    configs = {}
    for cabinet in network.cabinets:
        folder = directory / "stations" / cabinet
        folder.mkdir(parents=True)
        public_keys[cabinet] = _write_box_keys(folder, seed, cabinet, master)
        settings = BoxSettings(
            namespace=NAMESPACE,
            dispatcher_id=DISPATCHER_ID,
            dispatcher_public_key=centre_key,
            mqtt=_way_to_broker(mqtt, ports.uplinks.get(cabinet)),
            http_port=ports.agents.get(cabinet, 0),
        )
        files = BoxFiles(
            journal=Path("journal.sqlite"),
            signing_key=Path("box.pem"),
            digest_key=Path("digest.key"),
            scbk={reader: Path(f"{reader}.scbk") for reader in READER_ADDRESS},
            ports=directory / "ports" / cabinet,
        )
        configs[cabinet] = folder / "station.toml"
        configs[cabinet].write_text(station_toml(network, cabinet, files, settings), encoding="utf-8")
    document = centre / "network.json"
    document.write_text(json.dumps(import_document(network, public_keys), ensure_ascii=False), encoding="utf-8")
    with redirect_stdout(StringIO()):
        _run_dispatcher("migrate", "--config", str(config))
        _run_dispatcher("import", "--config", str(config), str(document))
    database = centre_of.database or f"sqlite:///{centre / 'dispatcher.sqlite'}"
    return Premises(directory, config, database, configs, directory / "ports", token)


def _way_to_broker(mqtt: MqttSettings, uplink: int | None) -> dict[str, TomlValue]:
    if uplink is None:
        return {"host": mqtt.host, "port": mqtt.effective_port}
    return {"host": LOOPBACK, "port": uplink}


def _run_dispatcher(*arguments: str) -> None:
    status = dispatcher_cli.main(arguments)
    assert status == 0, f"dispatcher {' '.join(arguments)} ended with {status}"


def _dispatcher_toml(centre: Centre, api_port: int, grid_min: int) -> str:
    mqtt = centre.mqtt
    return f"""\
namespace = "{NAMESPACE}"

[database]
url = "{centre.database or "sqlite:///dispatcher.sqlite"}"

[mqtt]
host = "{mqtt.host}"
port = {mqtt.effective_port}

[http]
port = {api_port}
tokens_file = "tokens"
requests_per_s = 10000  # of all the phones, at the speed of the demo
requests_burst = 10000

[keys]
dispatcher_id = "{DISPATCHER_ID}"
signing_key_file = "signing-key.pem"
digest_secret_file = "digest-secret"
origin_key_file = "origin-key"

[rules]
booking_grid_min = {grid_min}

[open_data]
base_url = "http://127.0.0.1:{api_port}/gbfs"

[open_data.system]
system_id = "carshare_demo"
name = {{ fr = "Réseau de démonstration", en = "Demonstration network" }}
operator = {{ fr = "Personne : ce réseau est simulé", en = "Nobody: this network is simulated" }}
feed_contact_email = "nobody@demo.invalid"
license_id = "CC0-1.0"

[[open_data.vehicle_types]]
category = "city"
energy = "electric"
name = {{ fr = "Citadine électrique", en = "Electric city car" }}
rider_capacity = 4
"""


def _write_box_keys(folder: Path, seed: int, cabinet: str, master: bytes) -> str:
    """A box's secrets, drawn from the seed: these boxes hang in no street. Returns its public key."""
    key = Ed25519PrivateKey.from_private_bytes(stream(seed, f"box/{cabinet}").randbytes(32))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "box.pem").write_bytes(pem)
    (folder / "digest.key").write_text(cabinet_digest_key(master, cabinet).hex() + "\n")
    for reader in READER_ADDRESS:
        (folder / f"{reader}.scbk").write_text(scbk(seed, cabinet, reader).hex() + "\n")
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
