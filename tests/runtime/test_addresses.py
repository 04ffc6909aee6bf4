import pytest

from runtime.addresses import Unsecured, is_loopback, require_loopback_or_secured

EVERYWHERE = "0.0.0.0"  # noqa: S104  # what is to be refused


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_is_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [EVERYWHERE, "::", "192.168.1.7", "localhost.example.org", "broker", "", "127.0.0.1.example.org"]
)
def test_everything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_an_open_listener_is_refused_with_what_to_set() -> None:
    with pytest.raises(Unsecured) as refused:
        require_loopback_or_secured(EVERYWHERE, field="api.host", secured=False, lacking="a certificate (api.tls)")
    assert str(refused.value) == (
        "api.host = '0.0.0.0' can be reached from other machines: that needs a certificate (api.tls), "
        "or listen on 127.0.0.1"
    )


def test_loopback_and_secured_listeners_pass() -> None:
    require_loopback_or_secured("::1", field="api.host", secured=False, lacking="TLS")
    require_loopback_or_secured(EVERYWHERE, field="api.host", secured=True, lacking="TLS")
