"""The manual's tables of settings, written from the models themselves: they cannot disagree with the code."""

import json
from dataclasses import astuple
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from runtime.config_fields import contents, is_model, limits, members, one_line, tag_of

WORDS: dict[type, str] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    SecretStr: "text, secret",
    SecretBytes: "text, secret",
}
LIMITS: dict[type, str] = {
    Ge: "from {}",
    Gt: "above {}",
    Le: "up to {}",
    Lt: "below {}",
    MinLen: "{} or longer",
    MaxLen: "at most {} long",
}


def reference_table(model: type[BaseModel]) -> str:
    """A Markdown table with one row for each field, nested tables included (`drivers[].baud_rate`).

    Every field needs a docstring (`use_attribute_docstrings`): one without is a mistake of ours.
    """
    rows = ["| field | type | default | meaning |", "|---|---|---|---|", *_rows(model, "")]
    return "\n".join(rows) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} has no docstring"
        path = f"{prefix}{name}"
        cells = (f"`{path}`", _type(field), _default(field), one_line(field.description))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        rows += _nested_rows(field, path)
    return rows


def _nested_rows(field: FieldInfo, path: str) -> list[str]:
    rows = []
    for member in members(field.annotation):
        if is_model(member):
            rows += _rows(member, f"{path}.")
        models = [each for each in contents(member) if is_model(each)]
        for each in models:
            rows += _rows(each, f"{path}[{tag_of(each) if len(models) > 1 else ''}].")
    return rows


def _type(field: FieldInfo) -> str:
    words = " or ".join(dict.fromkeys(_words(member) for member in members(field.annotation)))
    found = [*field.metadata, *limits(field.annotation)]
    texts = [LIMITS[type(each)].format(*astuple(each)) for each in found if type(each) in LIMITS]
    return ", ".join([words, *texts])


def _words(annotation: Any) -> str:
    """What an operator may write there, in words."""
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in get_args(annotation))
    if origin is not None:
        entries = " or ".join(dict.fromkeys(_words(each) for each in contents(annotation)))
        return f"table of {entries}" if origin is dict else f"list of {entries}"
    if is_model(annotation):
        return "table"
    if issubclass(annotation, Enum):
        return " or ".join(f"`{each.value}`" for each in annotation)
    if issubclass(annotation, PurePath):
        return "path"
    return WORDS.get(annotation, str(annotation.__name__))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "none"
    if isinstance(value, BaseModel | SecretStr | SecretBytes):
        return "see below" if isinstance(value, BaseModel) else "(secret)"
    return f"`{json.dumps(value, default=_plain, ensure_ascii=False)}`"


def _plain(value: object) -> object:
    """What JSON has no form for, in the form that TOML would have it in."""
    return value.value if isinstance(value, Enum) else str(value)
