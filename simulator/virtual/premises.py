"""What installers and operators would have prepared for a network: keys, configurations, an imported database.

All of it is drawn, or fixed, so that a seed has one history. Places, people and cards are the same in every world
of so many stations: what differs by seed is what happens.
"""

import sqlite3
import tomllib
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, Engine

from contract.credentials import cabinet_digest_key
from contract.envelope import Signer, VerifyKey, public_key_text
from contract.topics import Author
from dispatcher.importing.files import read_document
from dispatcher.store.database import Database
from dispatcher.store.importing import import_rows
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.origin import Origin
from runtime.executor import InlineExecutor
from simulator.network.draws import stream
from simulator.network.import_document import import_document
from simulator.network.lilas import lilas_network
from simulator.network.model import Network
from simulator.network.station_toml import BoxFiles, BoxSettings, station_toml
from simulator.network.wiring import READER_ADDRESS, scbk
from simulator.world.demand import MORNING_MS
from station_agent.config import StationConfig
from station_agent.config_file import station_model
from station_agent.drivers.registry import Drivers
from station_agent.secrets_on_disk import StationKeys

NAMESPACE = "carshare"
DISPATCHER_ID = "centre"
PLACES_SEED = 1  # of the network that every world shares
DRIVERS = Drivers()  # a world of the simulator has this program's own devices only
SOME_FILE = Path(__file__)  # keys are handed over in memory; the configuration wants files that exist


@dataclass(frozen=True, slots=True)
class Premises:
    """Of one network. Everything in it is shared by all worlds of this process, and never changed."""

    network: Network
    station_configs: dict[str, StationConfig]
    """By cabinet."""
    station_keys: dict[str, StationKeys]
    signer: Signer
    """The dispatcher's."""
    own_key: Ed25519PublicKey
    digest_secret: bytes
    database: bytes
    """An SQLite file, with the network imported."""


@cache
def premises(stations: int) -> Premises:
    """The premises of the first so many stations."""
    network = lilas_network(PLACES_SEED, stations)
    digest_secret = stream(PLACES_SEED, "digest-secret").randbytes(32)
    centre_key = _key("centre")
    centre_public = centre_key.public_key()
    centre = VerifyKey(Author.DISPATCHER, DISPATCHER_ID, centre_public)
    configs, keys, public_keys = {}, {}, {}
    for cabinet in network.cabinets:
        key = _key(f"box/{cabinet}")
        public_keys[cabinet] = public_key_text(key)
        keys[cabinet] = StationKeys(
            signing=key,
            digest_key=cabinet_digest_key(digest_secret, cabinet),
            dispatchers={f"{Author.DISPATCHER}/{DISPATCHER_ID}": centre},
            of_devices={reader: scbk(PLACES_SEED, cabinet, reader) for reader in READER_ADDRESS},
        )
        configs[cabinet] = _station_config(network, cabinet, public_key_text(centre_key))
    return Premises(
        network=network,
        station_configs=configs,
        station_keys=keys,
        signer=Signer(Author.DISPATCHER, DISPATCHER_ID, centre_key),
        own_key=centre_public,
        digest_secret=digest_secret,
        database=_imported(network, public_keys),
    )


class OneConnection:
    """Lends one connection for each transaction: a pool's care for many costs a twentieth of a virtual day."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()

    def __call__(self) -> "OneConnection":
        return self

    def __enter__(self) -> Connection:
        assert not self._connection.in_transaction(), "one transaction at a time"
        return self._connection

    def __exit__(self, *_error: object) -> None:
        self._connection.rollback()  # what a read began; a write has ended by now


def open_database(template: bytes) -> Database:
    """A dispatcher's database in memory, as it is after the import."""
    database = _new_database()
    database.connect = OneConnection(database.engine)
    put_back(database, template)
    return database


def _new_database() -> Database:
    origin = Origin(stream(PLACES_SEED, "origin-key").randbytes(32))
    return Database("sqlite://", InlineExecutor(), origin=origin)


def put_back(database: Database, image: bytes) -> None:
    """Replace a database in memory by an image of it.

    Page by page: a connection that deserialises keeps pointers of its `json_each` into the schema that it gave up,
    and SQLite 3.40 follows them.
    """
    with closing(sqlite3.connect(":memory:")) as source:
        source.deserialize(image)
        source.backup(_raw(database))
    database.engine.clear_compiled_cache()


def image_of(database: Database) -> bytes:
    """What a backup of a database in memory would hold now."""
    return _raw(database).serialize()


def _raw(database: Database) -> sqlite3.Connection:
    """The one connection of a database in memory."""
    connection = database.engine.raw_connection().driver_connection
    assert isinstance(connection, sqlite3.Connection)
    return connection


def _imported(network: Network, public_keys: dict[str, str]) -> bytes:
    database = _new_database()
    migrate_engine(database.engine)
    rows, faults = read_document(import_document(network, public_keys), "network.json")
    assert not faults, faults
    random_bytes = stream(PLACES_SEED, "import").randbytes
    database.write_now(lambda connection: import_rows(connection, rows, MORNING_MS, random_bytes))
    image = image_of(database)
    database.close()
    return image


def _key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(stream(PLACES_SEED, f"key/{name}").randbytes(32))


def _station_config(network: Network, cabinet: str, centre_public: str) -> StationConfig:
    files = BoxFiles(
        journal=SOME_FILE.parent / "in-memory.sqlite",
        signing_key=SOME_FILE,
        digest_key=SOME_FILE,
        scbk=dict.fromkeys(READER_ADDRESS, SOME_FILE),
        ports=SOME_FILE.parent / cabinet,
    )
    settings = BoxSettings(
        namespace=NAMESPACE,
        dispatcher_id=DISPATCHER_ID,
        dispatcher_public_key=centre_public,
        mqtt={"host": "127.0.0.1"},
        http_port=0,
    )
    document = tomllib.loads(station_toml(network, cabinet, files, settings))
    return station_model(document, DRIVERS).model_validate(document)
