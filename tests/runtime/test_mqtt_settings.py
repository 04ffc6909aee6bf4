from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.config import ConfigError, Settings, load_toml
from runtime.mqtt_settings import MqttSettings


class Program(Settings):
    mqtt: MqttSettings = MqttSettings()


def test_without_settings_the_broker_is_on_this_machine() -> None:
    settings = MqttSettings()
    assert (settings.host, settings.effective_port, settings.tls) == ("127.0.0.1", 1883, None)


def test_with_tls_the_port_is_the_one_for_tls_unless_given() -> None:
    assert MqttSettings.model_validate({"host": "broker.example.org", "tls": {}}).effective_port == 8883
    assert MqttSettings.model_validate({"port": 443, "tls": {}}).effective_port == 443


def test_an_unencrypted_broker_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text('[mqtt]\nhost = "broker.example.org"\n')
    with pytest.raises(ConfigError) as refused:
        load_toml(path, Program)
    assert str(refused.value) == (
        f"{path}: mqtt: host = 'broker.example.org': only a broker on this machine may do without TLS, set tls"
    )


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"password_file": __file__}, "password_file needs username"),
        ({"tls": {"certificate_file": __file__}}, "certificate_file and key_file go together"),
        ({"password_file": "/nowhere", "username": "box"}, "there is none at /nowhere"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"client_id": "with space"}, "should match pattern"),
        ({"host": "mqtt://broker"}, "should match pattern"),
        ({"hots": "x"}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        MqttSettings.model_validate(settings)


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" pass word \r\nsecond line\n")
    settings = MqttSettings(username="box", password_file=tmp_path / "password")
    assert settings.password() == " pass word "
    assert "pass word" not in repr(settings)
    assert MqttSettings().password() is None
