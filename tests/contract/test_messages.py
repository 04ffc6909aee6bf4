"""Every message survives its own text, whatever in it is not known."""

from typing import get_args

import pytest

from contract.facts import FACT_ADAPTER, VehicleReading
from contract.messages import MESSAGE_ADAPTER, MESSAGE_TYPES, Desired, Reported, SlotState, VehicleState
from contract.values import Frozen

NONCE = "0" * 32


def test_a_state_of_which_nothing_is_known_is_read_back() -> None:
    reported = Reported(
        cabinet="gare-1",
        boot_nonce=NONCE,
        boot_ms=1,
        connection=1,
        revision=1,
        at_ms=1,
        epoch=NONCE,
        seq=0,
        desired_version=0,
        desired_high_water=0,
        journal_depth=0,
        clock_trusted=False,
        slots=(SlotState(slot=1, key_present=None, door_open=None),),
        vehicles=(VehicleState(vehicle="car-1", reading=VehicleReading(age_s=0)),),
    )
    assert MESSAGE_ADAPTER.validate_json(reported.to_json()) == reported


def test_an_empty_wanted_state_is_read_back() -> None:
    desired = Desired(cabinet="gare-1", version=1)
    assert MESSAGE_ADAPTER.validate_json(desired.to_json()) == desired


def optional_without_default(model: type[Frozen]) -> list[str]:
    return [
        f"{model.__name__}.{name}"
        for name, field in model.model_fields.items()
        if field.is_required() and type(None) in get_args(field.annotation)
    ]


def nested(model: type[Frozen]) -> set[type[Frozen]]:
    found = {model}
    for field in model.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, Frozen) and part not in found:
                found |= nested(part)
    return found


FACTS = FACT_ADAPTER.json_schema()


@pytest.mark.parametrize("message", MESSAGE_TYPES, ids=lambda message: message.__name__)
def test_what_may_be_absent_has_a_default_for_absent_values_are_left_out(message: type[Frozen]) -> None:
    assert [name for model in nested(message) for name in optional_without_default(model)] == []


def test_what_may_be_absent_in_a_fact_is_not_required() -> None:
    for name, schema in FACTS["$defs"].items():
        for field in schema.get("required", []):
            options = schema["properties"][field].get("anyOf", [])
            assert {"type": "null"} not in options, f"{name}.{field}"
