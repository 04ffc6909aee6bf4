import json

import jsonschema
import pytest

from contract.messages import TimeRequest
from contract.schema import schemas


def test_every_schema_is_a_schema() -> None:
    for text in schemas().values():
        jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_a_message_satisfies_its_schema_and_a_wrong_one_does_not() -> None:
    schema = json.loads(schemas()["time_request.schema.json"])
    jsonschema.validate(json.loads(TimeRequest(cabinet="gare-1", nonce="0" * 32).to_json()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": "time_request", "cabinet": "gare-1", "nonce": "short"}, schema)
