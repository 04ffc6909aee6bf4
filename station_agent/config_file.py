"""Reads a station's configuration file: by a model that is made for the drivers that this file names.

So a table of another package's driver is read by that package's model, with errors as good as any other's, and a
driver that no table names is not even imported.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import GenericAlias, MappingProxyType
from typing import Annotated, Any, Union

from pydantic import BeforeValidator, Discriminator, Tag, create_model
from pydantic_core import PydanticKnownError

from runtime.config import ConfigError, parse_toml, read_into
from station_agent.config import StationConfig
from station_agent.drivers.declaration import AnyDriver, Kind
from station_agent.drivers.registry import DEFAULTS, BadDriver, Drivers, UnknownDriver
from station_agent.drivers.tables import Table


def load_config(path: Path) -> StationConfig:
    """Read a file, with the drivers of this program and of every installed package.

    Raises:
        ConfigError: all that is wrong with the file; a driver that it names and that cannot be used; two
            drivers of one name, whether it names them or not.
    """
    document = parse_toml(path)
    try:
        drivers = Drivers.installed()
    except BadDriver as error:
        raise ConfigError(str(error)) from error
    return read_into(station_model(document, drivers), document, path)


def station_model(document: Mapping[str, Any], drivers: Drivers) -> type[StationConfig]:
    """What reads this document: each table of devices by the model of the driver that it names.

    A name that no driver of the kind has, and a driver that cannot be used, are faults of the field when the
    document is read.
    """
    usable = ((kind, tuple(_usable(kind, drivers, _names(document, kind)))) for kind in Kind)
    return _model(drivers, tuple(usable))


def manual_model(drivers: Drivers) -> type[StationConfig]:
    """What would read any document: for the manual's table of all fields."""
    usable = ((kind, tuple(_usable(kind, drivers, drivers.names))) for kind in Kind)
    return _model(drivers, tuple(usable))


def _names(document: Mapping[str, Any], kind: Kind) -> tuple[str, ...]:
    """The drivers that the tables of one kind name, each once. What is no table is a fault that others find."""
    found = document.get(kind.value, ())
    tables = found if isinstance(found, list) else [found]
    return tuple(dict.fromkeys(_driver_name(kind, table) for table in tables if isinstance(table, dict)))


def _driver_name(kind: Kind, table: object) -> str:
    default = DEFAULTS[kind]
    return str(table.get("driver", default) if isinstance(table, dict) else getattr(table, "driver", default))


def _usable(kind: Kind, drivers: Drivers, names: tuple[str, ...]) -> list[AnyDriver]:
    """The drivers of these names that can read a table of this kind."""
    found = []
    for name in names:
        try:
            driver = drivers.load(name)
        except (UnknownDriver, BadDriver):
            continue  # `_known` says so, together with all other faults of the file
        if driver.KIND is kind:
            found.append(driver)
    return found


@cache  # a simulator reads thirty files that name the same drivers
def _model(drivers: Drivers, usable: tuple[tuple[Kind, tuple[AnyDriver, ...]], ...]) -> type[StationConfig]:
    fields: dict[str, Any] = {}
    for kind, chosen in usable:
        table: Any = Annotated[_by_driver(kind, chosen), BeforeValidator(_known(kind, drivers))]
        annotation = table if kind is Kind.KEY_CABINET else GenericAlias(tuple, (table, ...))
        fields[kind.value] = (annotation, StationConfig.model_fields[kind.value])
    model = create_model("StationConfig", __base__=StationConfig, __module__=__name__, **fields)
    model.drivers = MappingProxyType({driver.name: driver for _, chosen in usable for driver in chosen})
    return model


def _by_driver(kind: Kind, chosen: tuple[AnyDriver, ...]) -> Any:
    if len(chosen) < 2:
        return chosen[0].table if chosen else Table  # no table of the kind, or none that `_known` lets through

    def driver(table: object) -> str:
        """An error names the field by this function."""
        return _driver_name(kind, table)

    tagged = tuple(Annotated[each.table, Tag(each.name)] for each in chosen)
    return Annotated[Union[tagged], Discriminator(driver)]  # noqa: UP007  # members that are known at run time only


def _known(kind: Kind, drivers: Drivers) -> Callable[[object], object]:
    """What refuses a table whose driver is not there, cannot be used, or is for another kind of device."""

    def check(table: object) -> object:
        name = _driver_name(kind, table)
        try:
            is_of_kind = drivers.load(name).KIND is kind
        except BadDriver as error:
            raise ValueError(f"driver {name!r}: {error}") from error
        except UnknownDriver:
            is_of_kind = False
        if not is_of_kind:
            known = {"discriminator": "'driver'", "tag": name, "expected_tags": drivers.of_kind(kind)}
            raise PydanticKnownError("union_tag_invalid", known)
        return table

    return check
