"""JSON Schema of the wire contract, generated from the models."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from contract.facts import FACT_ADAPTER
from contract.messages import MESSAGE_TYPES
from contract.topics import MAJOR

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class WireSchema(GenerateJsonSchema):
    """A model fills in its `kind` by itself, so pydantic calls it optional; no message is read without."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        if "kind" in found["properties"]:
            found["required"] = sorted({"kind", *found.get("required", ())}, key=list(found["properties"]).index)
        return found


def schemas() -> dict[str, str]:
    """Each file's name and text."""
    found: dict[str, Any] = {
        f"{message.model_fields['kind'].default}.schema.json": message.model_json_schema(
            schema_generator=WireSchema
        )
        for message in MESSAGE_TYPES
    }
    found["fact.schema.json"] = FACT_ADAPTER.json_schema(schema_generator=WireSchema)
    texts = {}
    for name, schema in found.items():
        whole = {"$schema": DIALECT, "$id": f"urn:carshare:{MAJOR}:{name.split('.')[0]}", **schema}
        texts[name] = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    return texts
