"""Where events may be sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.receivers import is_public, is_receiver_url


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org",
        "https://hooks.example.org:8443/carshare?tenant=lille",
        "https://192.0.2.1/",
        "https://[2001:db8::1]/x",
        "http://127.0.0.1:9000/x",
        "http://[::1]:9000/x",
        "http://localhost/x",
    ],
)
def test_a_receiver_has_an_https_url_or_is_on_this_machine(url: str) -> None:
    assert is_receiver_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "//hooks.example.org/x",
        "http://hooks.example.org/x",
        "http://127.0.0.1.example.org/x",
        "ftp://hooks.example.org/x",
        "file:///etc/passwd",
        "https:///x",
        "https://user:secret@hooks.example.org/x",
        "https://hooks.example.org@192.168.0.1/x",
        "https://hooks.example.org/x#fragment",
        "https://hooks.example.org:0/x",
        "https://hooks.example.org:99999/x",
        "https://hooks.example.org:port/x",
        "https://hooks.example.org\\@192.168.0.1/x",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\r\nx-header: y",
        "https://hôte.example.org/x",
        "https://[::1/x",
        "https://hooks.example.org/" + "x" * 2000,
    ],
)
def test_no_other_url_is_a_receivers(url: str) -> None:
    assert not is_receiver_url(url)


@given(st.text(max_size=200))
def test_whatever_is_sent_as_a_url_is_judged(text: str) -> None:
    assert is_receiver_url(text) in {True, False}


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:8.8.8.8"])
def test_addresses_of_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104  # nobody binds to it
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # a provider's own network
        "169.254.169.254",  # where clouds tell machines their secrets
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:0a00:0001::1",
        "not an address",
    ],
)
def test_addresses_that_are_not_anybodys_business(address: str) -> None:
    assert not is_public(address)
