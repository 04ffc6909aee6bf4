"""What a station agent needs to run this cabinet: the tables of its devices, or a whole folder with keys."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.credentials import DIGEST_KEY_BYTES
from contract.envelope import private_key_from_pem, public_key_text
from runtime.config import ConfigError
from simulator.cabinet.bench import CABINET, TAG_BAUD, TAG_LINE, TRACKER_BAUD, TRACKER_LINE, Bench
from simulator.cabinet.locks import Table
from simulator.network.station_toml import (
    BoxFiles,
    BoxSettings,
    TomlValue,
    box_tables,
    credential_types,
    reader_table,
    toml_text,
)
from simulator.network.wiring import LOCK_LINE, READER_BAUD, READER_LINE, RETURN_READER, SCBK_BYTES

CONFIG: Final = "station.toml"
NAMESPACE: Final = "carshare"
BROKER: Final = ("127.0.0.1", 1883)
CENTRE: Final = "centre"
CENTRE_KEY: Final = "centre.pem"
VEHICLE: Final = "car-1"


def hardware_text(bench: Bench) -> str:
    """Tables for a `station.toml`; the files that they name hold what the comments say."""
    files = _files(bench)
    comments = [f"# {files.scbk[name]} holds {shown_key(bench, name)}" for name in bench.readers]
    return toml_text([*_hardware(bench, files), *credential_types()]) + "\n" + "\n".join(comments) + "\n"


def shown_key(bench: Bench, reader: str) -> str:
    """A reader's key, as its key file would have it; nothing of value hangs behind it."""
    key = bench.remembered(reader)
    return "no key yet: it is in install mode" if key is None else key.hex()


def write_box(bench: Bench, folder: Path) -> Path:
    """Writes `station.toml` and the keys beside it; keys that are there already stay. Answers the file's path.

    Raises:
        ConfigError: another `station.toml` is there, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("box.pem", CENTRE_KEY):
            _keep_or_write(folder / name, _new_signing_key())
        _keep_or_write(folder / "digest.key", os.urandom(DIGEST_KEY_BYTES).hex().encode())
        for reader in bench.readers:
            key = bench.remembered(reader) or os.urandom(SCBK_BYTES)  # a reader without one is paired later
            _keep_or_write(folder / f"{reader}.scbk", key.hex().encode())
        centre = public_key_text(private_key_from_pem((folder / CENTRE_KEY).read_bytes()))
        text = _station_toml(bench, centre)
        config = folder / CONFIG
        if config.exists() and config.read_text(encoding="utf-8") != text:
            raise ConfigError(
                f"--write-config: {config} is another one: expected a folder without, or the same one"
            )
        config.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--write-config {str(folder)!r}: cannot be written: {error.strerror}") from None
    return config


def _station_toml(bench: Bench, centre: str) -> str:
    files = _files(bench)
    settings = BoxSettings(
        namespace=NAMESPACE,
        dispatcher_id=CENTRE,
        dispatcher_public_key=centre,
        mqtt={"host": BROKER[0], "port": BROKER[1]},
        http_port=9470,
    )
    text = toml_text(box_tables(CABINET, files, settings, [*_hardware(bench, files), *credential_types()]))
    assert tomllib.loads(text)["cabinet"] == CABINET
    return text


def _files(bench: Bench) -> BoxFiles:
    return BoxFiles(
        journal=Path("journal.sqlite"),
        signing_key=Path("box.pem"),
        digest_key=Path("digest.key"),
        scbk={reader: Path(f"{reader}.scbk") for reader in bench.readers},
        ports=bench.options.directory.absolute(),
    )


def _hardware(bench: Bench, files: BoxFiles) -> Iterator[Table]:
    locks, ports = bench.locks, files.ports
    yield "[locks]", {"driver": locks.driver, "device": str(ports / LOCK_LINE), "baud_rate": locks.baud_rate}
    yield from locks.tables()
    yield "[[readers]]", {"device": str(ports / READER_LINE), "baud_rate": READER_BAUD}
    for name in bench.readers:
        yield "[[readers.readers]]", reader_table(name, files.scbk[name])
    if bench.tag_reader is not None:
        port: Mapping[str, TomlValue] = {"device": str(ports / TAG_LINE), "baud_rate": TAG_BAUD}
        yield "[[tag_readers]]", {"name": RETURN_READER, "driver": "rdm6300", **port}
    if bench.tracker is not None:
        yield "[[vehicles]]", {"id": VEHICLE, "device": str(ports / TRACKER_LINE), "baud_rate": TRACKER_BAUD}


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _keep_or_write(path: Path, content: bytes) -> None:
    """A new file for its owner's eyes; one that is there is left alone."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content + b"\n")
