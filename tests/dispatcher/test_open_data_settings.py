"""Which settings of the open data are refused, and what is said then."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.open_data.settings import OpenDataSettings
from runtime.config import ConfigError, load_toml
from tests.dispatcher.open_data_bench import PLAN, SYSTEM, alert, open_data

TEXT = {"fr": "Oui", "en": "Yes"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_url": "http://data.example.org/gbfs"}, "expected https://"),
        ({"system": {**SYSTEM, "license_url": "https://example.org/l"}}, "license_id or license_url, one of them"),
        ({"system": {**SYSTEM, "license_id": None}}, "without any, GBFS means CC0"),
        ({"system": {**SYSTEM, "timezone": "Europe/Lille"}}, "IANA time zone"),
        (
            {"system": {**SYSTEM, "terms_last_updated": "2026-01-01"}},
            "terms_url and terms_last_updated go together",
        ),
        ({"system": {**SYSTEM, "name": {"fr": "Lilas"}}}, "Field required"),
        ({"pricing_plans": [PLAN, PLAN]}, "'hour' is there twice"),
        ({"alerts": [alert(), alert()]}, "'a-1' is there twice"),
        (
            {"vehicle_types": [{"category": "city", "energy": "electric", "pricing_plan_id": "no"}]},
            "expected one of pricing_plans",
        ),
        ({"alerts": [alert("station_closure")]}, "expected the stations that are closed"),
        ({"alerts": [alert("system_closure", station_ids=["gare"])]}, "a station_closure names stations"),
        ({"alerts": [alert(start="2026-10-04T10:00:00")]}, "a time with its UTC offset"),
        ({"alerts": [alert(end="2026-10-04T10:00:00Z")]}, "start: expected with end"),
        (
            {"alerts": [alert(start="2026-10-04T10:00:00Z", end="2026-10-04T10:00:00Z")]},
            "expected an instant after start",
        ),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        open_data(**changes)


@pytest.mark.parametrize(
    "url", ["https://data.example.org/gbfs", "http://localhost:8080/gbfs", "http://[::1]:8080/gbfs/"]
)
def test_the_address_is_https_or_loopback_and_ends_without_a_slash(url: str) -> None:
    assert open_data(base_url=url).base_url == url.rstrip("/")


def test_a_file_with_days_and_instants_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "open.toml"
    text = """
base_url = "https://data.example.org/gbfs"
[system]
system_id = "lilas_lille"
feed_contact_email = "donnees@example.org"
license_id = "etalab-2.0"
start_date = 2013-12-01
{more}
[system.name]
fr = "Lilas"
en = "Lilas"
[[alerts]]
alert_id = "noel"
type = "system_closure"
start = "2026-12-24T18:00:00+01:00"
summary = {{ fr = "Noël", en = "Christmas" }}
"""
    file.write_text(text.format(more=""), encoding="utf-8")
    settings = load_toml(file, OpenDataSettings)
    assert settings.system.start_date is not None
    assert settings.system.start_date.isoformat() == "2013-12-01"
    file.write_text(text.format(more='phone_number = "03 20 00 00 00"'), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"system\.phone_number = '03 20 00 00 00'"):
        load_toml(file, OpenDataSettings)


def test_what_the_manual_shows_as_the_least_is_enough() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "open-data.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", manual, re.DOTALL)
    settings = OpenDataSettings.model_validate(tomllib.loads(example)["open_data"])
    assert settings.base_url == "https://data.example.org/gbfs"
