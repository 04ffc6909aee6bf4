"""Finds the field that a pydantic error speaks of, and reads what settings models say of their fields."""

import json
import re
import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from runtime.redaction import is_secret_name

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # what TOML 1.0 lets stand without quotes


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a settings model a fault lies."""

    path: str  # as a person writes it: drivers[2].baud_rate
    name: str  # the last part: baud_rate
    siblings: tuple[str, ...]  # the fields known beside it
    description: str  # the first paragraph of the field's docstring, on one line
    secret: bool  # its value must not be shown


def locate(model: type[BaseModel], location: tuple[int | str, ...]) -> Place:
    """The place that the `loc` of a pydantic error means.

    Inside a union pydantic adds a part for the member that it tried, which is no part of the file: skipped.
    """
    path = name = description = ""
    siblings: tuple[str, ...] = ()
    candidates: tuple[Any, ...] = (model,)
    chosen = True
    for part in location:
        if len(candidates) > 1 and not chosen:
            candidates = tuple(each for each in candidates if _answers_to(each, part)) or candidates
            chosen = True
            continue
        fields = _fields(candidates)
        field = fields.get(str(part))
        path = _joined(path, part)
        name, siblings = str(part), tuple(fields)
        description = one_line(field.description) if field else ""
        candidates = members(field.annotation) if field else _contents(candidates)
        chosen = False
    secret = is_secret_name(name) or any(each in (SecretStr, SecretBytes) for each in candidates)
    return Place(path, name, siblings, description, secret)


def members(annotation: Any) -> tuple[Any, ...]:
    """The types that a value may have: unions opened, `Annotated` and `None` taken off."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        opened = (member for each in get_args(annotation) for member in members(each))
        return tuple(dict.fromkeys(opened))
    return () if annotation is type(None) else (annotation,)


def limits(annotation: Any) -> tuple[Any, ...]:
    """The limits written with `Annotated` on the value itself, not those on its entries."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *notes = get_args(annotation)
        given = (each for note in notes for each in (note.metadata if isinstance(note, FieldInfo) else [note]))
        return (*limits(inner), *given)
    if origin in (Union, types.UnionType):
        return tuple(limit for each in get_args(annotation) for limit in limits(each))
    return ()


def contents(annotation: Any) -> tuple[Any, ...]:
    """The types that the entries of a list, tuple, set or table may have; () for anything else."""
    arguments = [each for each in get_args(annotation) if each is not Ellipsis]
    origin = get_origin(annotation)
    if origin is dict:
        return members(arguments[1])
    if origin in (list, tuple, set, frozenset):
        return tuple(dict.fromkeys(member for each in arguments for member in members(each)))
    return ()


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def one_line(docstring: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())


def tag_of(model: type[BaseModel]) -> str:
    """The value of the model's first field that allows one word only: what tells it apart in a union."""
    for field in model.model_fields.values():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            return str(get_args(field.annotation)[0])
    return ""


def _fields(candidates: tuple[Any, ...]) -> dict[str, FieldInfo]:
    models = (each for each in candidates if is_model(each))
    return {name: field for model in models for name, field in model.model_fields.items()}


def _contents(candidates: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(member for each in candidates for member in contents(each)))


def _answers_to(candidate: Any, label: int | str) -> bool:
    return is_model(candidate) and label in (tag_of(candidate), candidate.__name__)


def _joined(path: str, part: int | str) -> str:
    if isinstance(part, int):
        return f"{path}[{part}]"
    key = part if BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
    return f"{path}.{key}" if path else key
