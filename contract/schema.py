"""JSON Schema of the wire contract, generated from the models.

python -m contract.schema DIRECTORY           write the files
python -m contract.schema --check DIRECTORY   exit 1, naming each file that differs
"""

import json
from typing import Any

from contract.facts import FACT_ADAPTER
from contract.messages import MESSAGE_TYPES
from contract.topics import MAJOR

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """Each file's name and text."""
    found: dict[str, Any] = {
        f"{message.model_fields['kind'].default}.schema.json": message.model_json_schema()
        for message in MESSAGE_TYPES
    }
    found["fact.schema.json"] = FACT_ADAPTER.json_schema()
    texts = {}
    for name, schema in found.items():
        whole = {"$schema": DIALECT, "$id": f"urn:carshare:{MAJOR}:{name.split('.')[0]}", **schema}
        texts[name] = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    return texts
