import pytest

from runtime.redaction import is_secret_name


@pytest.mark.parametrize(
    "name",
    ["uid", "badge_uid", "pin", "PIN", "token", "api.token", "password", "secret", "X-Secret", "authorization"],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["", "slot", "pinned", "fluid", "tokens_issued", "password_file", "secrets", "badge", "3"]
)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)
