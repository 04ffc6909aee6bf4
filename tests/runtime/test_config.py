from pathlib import Path
from typing import Annotated, Literal, Self

import pytest
from pydantic import Field, SecretStr, model_validator

from runtime.addresses import Unsecured
from runtime.config import ConfigError, Settings, load_toml
from runtime.paths import LocalFile


class Modbus(Settings):
    kind: Literal["modbus"]
    baud_rate: Annotated[int, Field(ge=1200, le=115200)] = 9600
    """Bits per second."""
    address: int
    """The board's address on its line."""


class Osdp(Settings):
    kind: Literal["osdp"]
    keys: tuple[str, ...] = ()
    base_key: SecretStr | None = None


class Api(Settings):
    host: str = "127.0.0.1"
    token: str = ""

    @model_validator(mode="after")
    def _loopback(self) -> Self:
        if self.host == "elsewhere":
            raise Unsecured("host = 'elsewhere' needs TLS")
        return self


class Program(Settings):
    name: str
    """What the station is called, in the language of its members.

    Not shown to anybody outside.
    """
    limit: int | bool = 1
    drivers: tuple[Annotated[Modbus | Osdp, Field(discriminator="kind")], ...] = ()
    sites: dict[str, Api] = Field(default_factory=dict)
    api: Api | None = None
    certificate: LocalFile | None = None


def faults_of(tmp_path: Path, text: str | bytes) -> list[str]:
    """The lines of the error, each without the file's name, which all must have."""
    path = tmp_path / "station.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as wrong:
        load_toml(path, Program)
    lines = str(wrong.value).splitlines()
    assert list(wrong.value.faults) == lines
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_a_right_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text('name = "Gare de Genève"\n[[drivers]]\nkind = "modbus"\naddress = 3\n', encoding="utf-8")
    program = load_toml(path, Program)
    assert program.name == "Gare de Genève"
    assert program.drivers == (Modbus(kind="modbus", address=3),)


def test_a_relative_path_starts_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    (tmp_path / "station.toml").write_text('name = "x"\ncertificate = "ca.pem"\n')
    assert load_toml(tmp_path / "station.toml", Program).certificate == tmp_path / "ca.pem"


def test_all_faults_are_told_at_once_one_line_each(tmp_path: Path) -> None:
    text = """
        nam = "x"
        [[drivers]]
        kind = "osdp"
        keys = [1]
        [[drivers]]
        kind = "modbus"
        baud_rate = "fast"
        [[drivers]]
        kind = "modbus"
        address = 1
        baud_rate = 300
        """
    assert faults_of(tmp_path, text) == [
        "name: missing (What the station is called, in the language of its members.)",
        "drivers[0].keys[0] = 1: expected a valid string",
        "drivers[1].baud_rate = 'fast': expected a valid integer, unable to parse string as an integer",
        "drivers[1].address: missing (The board's address on its line.)",
        "drivers[2].baud_rate = 300: expected greater than or equal to 1200",
        "nam: unknown field; did you mean name?",
    ]


def test_an_unknown_field_far_from_all_others_lists_what_is_known(tmp_path: Path) -> None:
    text = 'name = "x"\n[api]\nverbosity = 3\n'
    assert faults_of(tmp_path, text) == ["api.verbosity: unknown field; known here: host, token"]


def test_suggestions_come_from_the_kind_of_driver_that_was_chosen(tmp_path: Path) -> None:
    text = 'name = "x"\n[[drivers]]\nkind = "osdp"\nbaud_rat = 9600\n'
    assert faults_of(tmp_path, text) == ["drivers[0].baud_rat: unknown field; known here: kind, keys, base_key"]


def test_a_wrong_kind_lists_the_right_ones(tmp_path: Path) -> None:
    text = 'name = "x"\n[[drivers]]\nkind = "zigbee"\n[[drivers]]\naddress = 1\n'
    assert faults_of(tmp_path, text) == [
        "drivers[0].kind = 'zigbee': expected one of 'modbus', 'osdp'",
        "drivers[1].kind: missing",
    ]


def test_each_form_of_a_field_that_has_several_is_told(tmp_path: Path) -> None:
    assert faults_of(tmp_path, 'name = "x"\nlimit = "none"\n') == [
        "limit = 'none': expected a valid integer, unable to parse string as an integer",
        "limit = 'none': expected a valid boolean, unable to interpret input",
    ]


def test_a_key_that_toml_quotes_is_quoted(tmp_path: Path) -> None:
    assert faults_of(tmp_path, 'name = "x"\n[sites."north wing"]\nhost = 1\n') == [
        'sites."north wing".host = 1: expected a valid string'
    ]


def test_a_model_s_own_validator_speaks_for_its_table(tmp_path: Path) -> None:
    assert faults_of(tmp_path, 'name = "x"\n[api]\nhost = "elsewhere"\n') == ["api: host = 'elsewhere' needs TLS"]


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    text = 'name = "x"\n[[drivers]]\nkind = "osdp"\nbase_key = 4711\n[api]\ntoken = 4712\npasword = 4713\n'
    lines = faults_of(tmp_path, text)
    assert "471" not in "\n".join(lines)
    assert "drivers[0].base_key = (secret, not shown): expected a valid string" in lines
    assert "api.token = (secret, not shown): expected a valid string" in lines


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    lines = faults_of(tmp_path, f'name = "x"\nlimit = "{"t" * 500}"\n')
    assert lines[0].startswith(f"limit = '{'t' * 59}...: expected")


def test_a_table_in_the_wrong_place_is_not_printed(tmp_path: Path) -> None:
    assert faults_of(tmp_path, 'name = { token = "hidden" }\n') == ["name: expected a valid string"]


def test_a_file_that_is_named_and_not_there_is_a_fault(tmp_path: Path) -> None:
    (line,) = faults_of(tmp_path, 'name = "x"\ncertificate = "no.pem"\n')
    assert line == f"certificate = 'no.pem': expected a file; there is none at {tmp_path / 'no.pem'}"


def test_a_syntax_error_names_line_and_column(tmp_path: Path) -> None:
    (line,) = faults_of(tmp_path, 'name = "x"\nlimit = = 3\n')
    assert line == "not TOML: Invalid value (at line 2, column 9)"


def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    assert faults_of(tmp_path, b'limit = 1\nname = "Gen\xe8ve"\n') == ["not UTF-8, see byte 0xe8 in line 2"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: there is no such file"):
        load_toml(tmp_path / "no.toml", Program)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_toml(tmp_path, Program)
