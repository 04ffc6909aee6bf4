"""What a cabinet says of itself becomes an incident, opened once and closed once."""

import pytest

from contract.facts import CabinetInput, CabinetInputChanged, Identity, InventoryDue, KeyReturned
from contract.messages import DeviceState
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.schema import key_states, slot_states
from tests.dispatcher.small_fleet import CABINET, incidents
from tests.dispatcher.test_projections import Bench

KINDS = {
    CabinetInput.MAINS_LOST: IncidentKind.MAINS_LOST,
    CabinetInput.BATTERY_LOW: IncidentKind.BATTERY_LOW,
    CabinetInput.TAMPERED: IncidentKind.CABINET_TAMPERED,
    CabinetInput.OVERRIDE: IncidentKind.CABINET_OVERRIDE,
}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("which", [*CabinetInput])
def test_an_input_opens_its_incident_once_and_closes_it(bench: Bench, which: CabinetInput) -> None:
    for _ in range(2):
        bench.tell(CabinetInputChanged, input=which, active=True)
    assert incidents(bench.database) == [(KINDS[which], CABINET, True)]
    bench.tell(CabinetInputChanged, input=which, active=False)
    assert incidents(bench.database) == [(KINDS[which], CABINET, False)]


def test_the_housing_in_a_report_is_no_reader(bench: Bench) -> None:
    bench.report((), devices=(DeviceState(device="cabinet", online=True, tampered=True),))
    assert incidents(bench.database) == []


def test_where_an_inventory_is_due_no_key_there_counts_as_read(bench: Bench) -> None:
    bench.tell(KeyReturned, slot=1, identity=Identity.READ, key="key-1")
    bench.tell(InventoryDue, why="override", keys_present=3)
    assert bench.row(slot_states)["identity"] == "presumed"
    assert bench.row(key_states)["identity"] == "presumed"
    assert incidents(bench.database) == [(IncidentKind.INVENTORY_DUE, CABINET, True)]
