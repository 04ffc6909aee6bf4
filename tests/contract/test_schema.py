import json

import jsonschema
import pytest

from contract.messages import MESSAGE_TYPES, TimeRequest
from contract.schema import schemas


def test_every_schema_is_a_schema() -> None:
    for text in schemas().values():
        jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_every_schema_of_a_message_asks_for_its_kind() -> None:
    for message in MESSAGE_TYPES:
        kind = message.model_fields["kind"].default
        assert "kind" in json.loads(schemas()[f"{kind}.schema.json"])["required"]


def test_a_message_satisfies_its_schema_and_a_wrong_one_does_not() -> None:
    schema = json.loads(schemas()["time_request.schema.json"])
    jsonschema.validate(json.loads(TimeRequest(cabinet="gare-1", nonce="0" * 32).to_json()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": "time_request", "cabinet": "gare-1", "nonce": "short"}, schema)
