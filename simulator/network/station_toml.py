"""The configuration file of one cabinet's agent, as an installer would write it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.network.model import CARD_KINDS, Network
from simulator.network.wiring import (
    DOOR_UNIT,
    LOCK_BAUD,
    LOCK_LINE,
    LOCK_UNIT,
    READER_ADDRESS,
    READER_BAUD,
    READER_LINE,
    READER_ROLE,
    slot_numbers,
)

TomlValue = str | int | bool
Tables = list[tuple[str, Mapping[str, TomlValue]]]
"""Header in its brackets, and what stands below it."""


@dataclass(frozen=True, slots=True)
class BoxFiles:
    """Where a box keeps what; relative paths are relative to the configuration file."""

    journal: Path
    signing_key: Path
    digest_key: Path
    scbk: Mapping[str, Path]
    """By reader: `entrance` and `return`."""
    ports: Path
    """Folder with the ports `locks` and `readers`."""


@dataclass(frozen=True, slots=True)
class BoxSettings:
    """What is the same on every box of a network, but for the port."""

    namespace: str
    dispatcher_id: str
    dispatcher_public_key: str
    """Ed25519, base64url."""
    mqtt: Mapping[str, TomlValue]
    """Keys of the table `[mqtt]`, such as host and port."""
    http_port: int
    """0 takes a free one."""
    log_format: str = "auto"
    log_level: str = "info"


def station_toml(network: Network, cabinet: str, files: BoxFiles, settings: BoxSettings) -> str:
    """The text of `station.toml` for one cabinet of the network."""
    hardware: Tables = [
        ("[locks]", {"device": str(files.ports / LOCK_LINE), "baud_rate": LOCK_BAUD}),
        *_slots(),
        ("[[readers]]", {"device": str(files.ports / READER_LINE), "baud_rate": READER_BAUD}),
        *(("[[readers.readers]]", reader_table(name, files.scbk[name])) for name in READER_ADDRESS),
        *credential_types(),
        *_vehicles(network, cabinet),
    ]
    return toml_text(box_tables(cabinet, files, settings, hardware))


def box_tables(cabinet: str, files: BoxFiles, settings: BoxSettings, hardware: Tables) -> Tables:
    """A whole `station.toml` around the tables that say what hangs at the box."""
    return [
        ("", {"namespace": settings.namespace, "cabinet": cabinet}),
        ("[journal]", {"file": str(files.journal)}),
        ("[identity]", _identity(files)),
        ("[[identity.dispatchers]]", _dispatcher(settings)),
        ("[mqtt]", settings.mqtt),
        *hardware,
        ("[http]", {"port": settings.http_port}),
        ("[logs]", {"format": settings.log_format, "level": settings.log_level}),
    ]


def toml_text(tables: Tables) -> str:
    """The text of a TOML file."""
    return "\n".join(_table(header, values) for header, values in tables).lstrip("\n")


def _identity(files: BoxFiles) -> Mapping[str, TomlValue]:
    return {"signing_key_file": str(files.signing_key), "digest_key_file": str(files.digest_key)}


def _dispatcher(settings: BoxSettings) -> Mapping[str, TomlValue]:
    return {"id": settings.dispatcher_id, "public_key": settings.dispatcher_public_key}


def _slots() -> Iterator[tuple[str, Mapping[str, TomlValue]]]:
    """A door's contact is closed while the door is shut, so a cut wire shows as an open door."""
    for slot in slot_numbers():
        yield "[[locks.slots]]", {"slot": slot}
        yield "[locks.slots.lock]", {"unit": LOCK_UNIT, "channel": slot}
        yield "[locks.slots.key]", {"unit": LOCK_UNIT, "channel": slot}
        yield "[locks.slots.door]", {"unit": DOOR_UNIT, "channel": slot, "inverted": True}


def credential_types() -> Iterator[tuple[str, Mapping[str, TomlValue]]]:
    """What is read in this network."""
    for kind in CARD_KINDS:
        values: dict[str, TomlValue] = {"name": kind.name, "bits": kind.bits, "role": kind.role}
        yield "[[credential_types]]", values | ({"pin": kind.pin} if kind.role == "badge" else {})


def _vehicles(network: Network, cabinet: str) -> Iterator[tuple[str, Mapping[str, TomlValue]]]:
    for vehicle in network.vehicles:
        if vehicle.key.cabinet == cabinet:
            yield "[[vehicles]]", {"id": vehicle.id, **({"driver": "vss"} if vehicle.speaks_vss else {})}


def reader_table(name: str, scbk_file: Path) -> Mapping[str, TomlValue]:
    """An OSDP reader at its address."""
    return {
        "name": name,
        "role": READER_ROLE[name],
        "address": READER_ADDRESS[name],
        "scbk_file": str(scbk_file),
    }


def _table(header: str, values: Mapping[str, TomlValue]) -> str:
    """A JSON string is a TOML basic string, and so are a JSON number and a JSON truth value."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([header, *lines, ""] if header else [*lines, ""])
