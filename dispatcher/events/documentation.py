"""What the manual says of events, written from the models: they cannot disagree with the code."""

import json

from pydantic.json_schema import GenerateJsonSchema

from dispatcher.core.deliveries import RETRIES_S
from dispatcher.core.events import EVENTS, personal_fields
from dispatcher.events.envelope import SCHEMA_URN

DIALECT = "https://json-schema.org/draft/2020-12/schema"
STAR = "\\*"
"""Marks fields that hold ids of members."""
UNITS = ((3600, "h"), (60, "min"), (1, "s"))


class _DataSchema(GenerateJsonSchema):
    """A field for ids of members is left out where a subscription may not have it, and is never null."""


def event_schemas() -> dict[str, str]:
    """Each file's name and text: the schema of `data`, by kind."""
    found = {}
    for kind, rule in EVENTS.items():
        schema = rule.data.model_json_schema(schema_generator=_DataSchema, mode="serialization")
        schema["required"] = [name for name in schema["properties"] if name not in personal_fields(rule.data)]
        del schema["additionalProperties"]  # a later version may say more
        whole = {"$schema": DIALECT, "$id": SCHEMA_URN + kind, **schema}
        found[f"{kind}.schema.json"] = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    return found


def events_table() -> str:
    """A Markdown table of all kinds."""
    rows = ["| kind | when | `data` |", "|---|---|---|"]
    for kind, rule in EVENTS.items():
        personal = personal_fields(rule.data)
        fields = ", ".join(f"`{name}`" + (STAR if name in personal else "") for name in rule.data.model_fields)
        rows.append(f"| [`{kind}`](schemas/events/{kind}.schema.json) | {rule.when} | {fields} |")
    return "\n".join(rows) + "\n"


def schedule_text() -> str:
    """The delays between attempts, one line."""
    return ", ".join(_words(delay_s) for delay_s in RETRIES_S) + "\n"


def _words(delay_s: int) -> str:
    size, unit = next((size, unit) for size, unit in UNITS if delay_s % size == 0)
    return f"{delay_s // size} {unit}"
