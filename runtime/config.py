"""Configuration: one TOML file, one pydantic model, read once at start-up.

A wrong file stops the program with one line per fault, all faults at once, each with the file, the field,
the value and what was expected. The file is the only source: no environment variable overrides it, so what
is read there is what runs. `runtime.config_reference` writes the manual's tables from the same models.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from runtime.config_fields import Place, locate
from runtime.paths import FOLDER

VALUE_CHARACTERS_MAX = 60  # enough to recognise a value, short enough for one line
NEAR = 0.6  # difflib's own default: `baudrate` finds `baud_rate`, `speed` does not

M = TypeVar("M", bound=BaseModel)


class Settings(BaseModel):
    """The base of settings models: frozen, unknown fields are faults, docstrings describe the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ConfigError(Exception):
    """The configuration cannot be used. The text is for the operator: print it and stop, no traceback."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_toml(path: Path, model: type[M]) -> M:
    """Reads `path` into `model`. Whatever is wrong with the file raises `ConfigError`, and nothing else."""
    return read_into(model, parse_toml(path), path)


def read_into(model: type[M], document: Mapping[str, Any], path: Path) -> M:
    """The same for a file that was parsed already: its content may say which model reads it."""
    try:
        return model.model_validate(document, context={FOLDER: path.absolute().parent})
    except ValidationError as error:
        faults = (_fault(model, detail) for detail in error.errors(include_url=False))
        raise ConfigError(*(f"{path}: {fault}" for fault in faults)) from None


def parse_toml(path: Path) -> dict[str, Any]:
    """The document in a TOML file. Raises ConfigError where it cannot be read or is no TOML."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: not UTF-8, see byte 0x{error.object[error.start]:02x} in line {line}") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:  # its text names line and column
        raise ConfigError(f"{path}: not TOML: {error}") from None


def _fault(model: type[BaseModel], detail: ErrorDetails) -> str:
    """One line: the field, the value unless it is secret, and what was expected."""
    place = locate(model, detail["loc"])
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return f"{place.path}: missing" + (f" ({place.description})" if place.description else "")
        case "extra_forbidden":
            return f"{place.path}: unknown field; {_known_fields(place)}"
        case "union_tag_not_found":
            return f"{place.path}.{_discriminator(context)}: missing"
        case "union_tag_invalid":
            field = f"{place.path}.{_discriminator(context)}"
            return f"{field} = {context['tag']!r}: expected one of {context['expected_tags']}"
        case "value_error" | "assertion_error":
            expected = str(context["error"])
        case _:
            expected = detail["msg"].replace("Input should be", "expected")
    return f"{place.path}{_value(place, detail['input'])}: {expected}" if place.path else expected


def _discriminator(context: Mapping[str, Any]) -> str:
    """The field that tells the members of a union apart: quoted, or the name of the function that reads it."""
    return str(context["discriminator"]).strip("'").removesuffix("()")


def _value(place: Place, value: object) -> str:
    if place.secret:
        return " = (secret, not shown)"
    if isinstance(value, dict | list):
        return ""  # it may hold a secret somewhere, and says little on one line
    text = repr(value)
    return f" = {text[:VALUE_CHARACTERS_MAX]}{'...' if len(text) > VALUE_CHARACTERS_MAX else ''}"


def _known_fields(place: Place) -> str:
    import difflib  # noqa: PLC0415  # a third of a megabyte, for the day on which a name is misspelt

    near = difflib.get_close_matches(place.name, place.siblings, n=1, cutoff=NEAR)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(place.siblings)}"
