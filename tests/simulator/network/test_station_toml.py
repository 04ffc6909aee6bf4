from pathlib import Path

import pytest

from simulator.network.lilas import lilas_network
from simulator.network.station_toml import BoxFiles, BoxSettings, station_toml
from simulator.network.wiring import READER_ADDRESS, SCBK_BYTES, scbk
from station_agent.config_file import load_config
from station_agent.drivers.built_in.modbus_io import ModbusTable
from station_agent.drivers.built_in.osdp import OsdpTable

NETWORK = lilas_network(seed=1, stations=3)
SETTINGS = BoxSettings(
    namespace="carshare",
    dispatcher_id="lille-1",
    dispatcher_public_key="A" * 43,
    mqtt={"host": "127.0.0.1", "port": 1884},
    http_port=0,
)


def box_files(folder: Path) -> BoxFiles:
    files = BoxFiles(
        journal=Path("journal.db"),
        signing_key=Path("signing-key.pem"),
        digest_key=Path("digest key"),
        scbk={reader: Path(f"{reader}.scbk") for reader in READER_ADDRESS},
        ports=folder / 'a "quoted" folder',
    )
    for path in (files.signing_key, files.digest_key, *files.scbk.values()):
        (folder / path).touch()
    return files


@pytest.mark.parametrize("cabinet", NETWORK.cabinets)
def test_the_agent_reads_the_configuration_of_every_cabinet(cabinet: str, tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(station_toml(NETWORK, cabinet, box_files(tmp_path), SETTINGS), encoding="utf-8")
    config = load_config(path)
    assert config.cabinet == cabinet
    assert config.mqtt.effective_port == 1884
    assert config.locks.device == str(tmp_path / 'a "quoted" folder' / "locks")
    assert isinstance(config.locks, ModbusTable)
    assert [slot.slot for slot in config.locks.slots] == list(range(1, 9))
    assert all(slot.door.inverted and not slot.key.inverted for slot in config.locks.slots)
    (bus,) = config.readers
    assert isinstance(bus, OsdpTable)
    assert {reader.name: reader.address for reader in bus.readers} == dict(READER_ADDRESS)
    assert {it.id for it in config.vehicles} == {
        vehicle.id for vehicle in NETWORK.vehicles if vehicle.key.cabinet == cabinet
    }


def test_every_reader_has_a_key_of_its_own_and_the_same_seed_the_same_keys() -> None:
    keys = [scbk(1, cabinet, reader) for cabinet in NETWORK.cabinets for reader in READER_ADDRESS]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == SCBK_BYTES for key in keys)
    assert scbk(1, NETWORK.cabinets[0], "entrance") == keys[0]
    assert scbk(2, NETWORK.cabinets[0], "entrance") != keys[0]
