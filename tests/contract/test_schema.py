import json
from pathlib import Path

import jsonschema
import pytest

from contract.messages import TimeRequest
from contract.schema import differing, main, schemas

COMMITTED = Path(__file__).parents[2] / "docs" / "schemas"


def test_the_committed_schemas_are_those_of_the_models() -> None:
    assert differing(COMMITTED) == []


def test_a_changed_a_missing_and_a_foreign_schema_are_each_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 0
    assert differing(tmp_path) == []
    (tmp_path / "desired.schema.json").write_text("{}")
    (tmp_path / "facts.schema.json").unlink()
    (tmp_path / "hologram.schema.json").write_text("{}")
    assert main(["--check", str(tmp_path)]) == 1
    named = capsys.readouterr().err
    assert all(name in named for name in ("desired.schema", "facts.schema", "hologram.schema"))


def test_a_message_satisfies_its_schema_and_a_wrong_one_does_not() -> None:
    schema = json.loads(schemas()["time_request.schema.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(TimeRequest(cabinet="gare-1", nonce="0" * 32).to_json()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": "time_request", "cabinet": "gare-1", "nonce": "short"}, schema)
