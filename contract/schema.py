"""JSON Schema of the wire contract, generated from the models.

python -m contract.schema DIRECTORY           write the files
python -m contract.schema --check DIRECTORY   exit 1, naming each file that differs
"""

import argparse
import json
import sys
from pathlib import Path
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


def differing(directory: Path) -> list[str]:
    """Names of the files that are missing, changed or too many in `directory`."""
    wanted = schemas()
    present = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.schema.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m contract.schema", description="JSON Schema of the contract"
    )
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("directory", type=Path)
    options = parser.parse_args(arguments)
    if options.check:
        names = differing(options.directory)
        for name in names:
            sys.stderr.write(f"{options.directory / name}: differs from the models; run `make schemas`\n")
        return 1 if names else 0
    options.directory.mkdir(parents=True, exist_ok=True)
    for path in options.directory.glob("*.schema.json"):
        path.unlink()
    for name, text in schemas().items():
        (options.directory / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
