from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, SecretStr

from runtime.config import Settings
from runtime.config_reference import reference_table
from runtime.mqtt_settings import MqttSettings


class Mode(StrEnum):
    REFUSE = "refuse"
    WITH_PIN = "with_pin"


class Line(Settings):
    kind: Literal["line"]
    """What it is."""
    url: str
    """Where it is, a|b."""


class Topic(Settings):
    kind: Literal["topic"]
    """What it is."""


class Program(Settings):
    name: Annotated[str, Field(max_length=20)]
    """What it is
    called.

    More about that.
    """
    mode: Mode = Mode.REFUSE
    """What to do."""
    wait_s: Annotated[float, Field(gt=0, lt=60)] | None = None
    """How long to wait."""
    ports: tuple[int, ...] = (1, 2)
    """Which ports."""
    key: SecretStr = SecretStr("hidden")
    """The key."""
    folder: Path = Path("data")
    """Where it lies."""
    drivers: tuple[Annotated[Line | Topic, Field(discriminator="kind")], ...] = ()
    """What is driven."""
    broker: Topic = Topic(kind="topic")
    """Who distributes."""


def test_the_table_has_a_row_for_each_field_and_nested_field() -> None:
    assert reference_table(Program).splitlines() == [
        "| field | type | default | meaning |",
        "|---|---|---|---|",
        "| `name` | text, at most 20 long | required | What it is called. |",
        '| `mode` | `refuse` or `with_pin` | `"refuse"` | What to do. |',
        "| `wait_s` | number, above 0, below 60 | none | How long to wait. |",
        "| `ports` | list of integer | `[1, 2]` | Which ports. |",
        "| `key` | text, secret | (secret) | The key. |",
        '| `folder` | path | `"data"` | Where it lies. |',
        "| `drivers` | list of table | `[]` | What is driven. |",
        "| `drivers[line].kind` | `line` | required | What it is. |",
        r"| `drivers[line].url` | text | required | Where it is, a\|b. |",
        "| `drivers[topic].kind` | `topic` | required | What it is. |",
        "| `broker` | table | see below | Who distributes. |",
        "| `broker.kind` | `topic` | required | What it is. |",
    ]


def test_a_field_without_a_docstring_is_a_mistake_of_ours() -> None:
    class Undocumented(Settings):
        name: str

    with pytest.raises(AssertionError, match=r"Undocumented\.name has no docstring"):
        reference_table(Undocumented)


def test_the_settings_of_the_link_are_documented() -> None:
    table = reference_table(MqttSettings)
    assert "| `port` | integer, from 1, up to 65535 | none | TCP port of the broker" in table
    assert "| `tls.ca_file` | path | none |" in table
