"""A declaration that cannot be is refused when it is made, with the field and what was expected."""

from dataclasses import replace
from typing import Any, Literal

import pytest

from contract.facts import VehicleReading
from station_agent.core.device_events import CabinetSeen, CardRead, LockPulsed, ReaderSeen, ReaderSignal
from station_agent.drivers.base import NeverRests
from station_agent.drivers.built_in import modbus_io, osdp, vss
from station_agent.drivers.declaration import AnyDriver, CabinetCodec, Kind, lacking
from station_agent.drivers.registry import BUILT_IN, DEFAULTS, Drivers
from station_agent.drivers.tables import CabinetTable, ReadersTable


class NamesNoDriver(CabinetTable):
    pass


class NamesNoReader(ReadersTable):
    driver: Literal["osdp"]
    """What it speaks."""


class NamesTwo(CabinetTable):
    driver: Literal["acme", "acme-2"]
    """What it speaks."""


def cabinet(**changes: Any) -> AnyDriver:
    return replace(modbus_io.DRIVER, **changes)


def readers(**changes: Any) -> AnyDriver:
    return replace(osdp.DRIVER, **changes)


def vehicle(**changes: Any) -> AnyDriver:
    return replace(vss.DRIVER, **changes)


def test_a_declaration_with_all_that_its_kind_needs_is_taken() -> None:
    assert (cabinet().KIND, readers().KIND, vehicle().KIND) == (Kind.KEY_CABINET, Kind.READERS, Kind.VEHICLE)
    assert cabinet().signals == ("CabinetLost", "CabinetSeen", "LockPulsed")
    assert readers(shows=frozenset({ReaderSignal.CALL})).signals[-2:] == ("ReaderSeen", "shows call")
    assert vehicle(readings=frozenset({"moving"})).signals == ("VehicleTold", "moving")


@pytest.mark.parametrize("table", [NamesNoDriver, NamesTwo])
def test_a_table_that_does_not_name_its_driver_is_refused(table: type[CabinetTable]) -> None:
    with pytest.raises(ValueError, match=rf"table: {table.__name__}\.driver: expected Literal\['acme'\]"):
        cabinet(name="acme", table=table)


def test_a_table_of_another_kind_and_one_that_does_not_name_its_readers_are_refused() -> None:
    with pytest.raises(TypeError, match="table: expected a CabinetTable, found OsdpTable"):
        cabinet(name="osdp", table=osdp.OsdpTable)
    with pytest.raises(ValueError, match=r"table: NamesNoReader\.roles: expected the name and role of each reader"):
        readers(table=NamesNoReader)


def test_a_codec_is_asked_for_all_that_its_kind_needs() -> None:
    assert lacking(NeverRests(), CabinetCodec) == (
        "closed",
        "elapsed",
        "opened",
        "received",
        "release",
        "statistics",
        "wake_at_us",
    )


def test_an_event_that_is_missing_and_one_of_another_kind_are_named() -> None:
    with pytest.raises(ValueError, match=r"tells: CabinetLost: missing of \[locks\]"):
        cabinet(tells=frozenset({CabinetSeen, LockPulsed}))
    with pytest.raises(ValueError, match=r"tells: LockPulsed: not told of \[\[readers\]\]"):
        readers(tells=readers().TELLS_ALWAYS | {LockPulsed})
    with pytest.raises(ValueError, match=r"tells: ReaderLost: missing"):
        readers(tells=frozenset({ReaderSeen, CardRead}))


def test_a_driver_without_a_fault_is_not_believed() -> None:
    with pytest.raises(ValueError, match="faults: expected at least one"):
        cabinet(faults=())


def test_a_tracker_says_what_of_a_reading_it_can_fill_and_how_it_is_heard() -> None:
    assert "doors" not in VehicleReading.model_fields
    with pytest.raises(ValueError, match="readings: doors: no field of VehicleReading"):
        vehicle(readings=frozenset({"moving", "doors"}))
    with pytest.raises(ValueError, match="messages, codec: expected one of them"):
        vehicle(messages=None)


def test_every_driver_of_this_program_is_declared_under_its_name_and_each_kind_has_its_default() -> None:
    drivers = Drivers()
    kinds = {name: drivers.load(name).KIND for name in drivers.names}
    assert kinds == {
        "modbus-io": Kind.KEY_CABINET,
        "kerong-cu16": Kind.KEY_CABINET,
        "osdp": Kind.READERS,
        "rdm6300": Kind.TAG_READER,
        "teltonika": Kind.VEHICLE,
        "vss": Kind.VEHICLE,
    }
    assert len(BUILT_IN) == len(kinds)
    assert {kind: kinds[name] for kind, name in DEFAULTS.items()} == {kind: kind for kind in Kind}


def test_a_codec_that_never_rests_lets_no_exchange_be_left_out() -> None:
    codec = NeverRests()
    codec.expect_news()
    codec.resume(1)
    assert codec.rest(2) is None
