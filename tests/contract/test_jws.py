"""Held against joserfc, which shares no line with it."""

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from contract.jws import BadJws, header_of, sign_compact, verified_payload

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEER_KEY = OKPKey.import_key(KEY)
HEADER = {"alg": "Ed25519", "kid": "agent/gare-1"}
EXAMPLE_KEY = Ed25519PrivateKey.from_private_bytes(  # RFC 8037, appendix A.1
    base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
)


@given(st.binary(max_size=400))
def test_a_peer_reads_what_we_sign_and_we_read_what_it_signs(payload: bytes) -> None:
    ours = sign_compact(HEADER, payload, KEY)
    theirs = jws.serialize_compact(HEADER, payload, PEER_KEY, algorithms=["Ed25519"]).encode()
    assert ours == theirs, "Ed25519 signs one text in one way"
    assert jws.deserialize_compact(ours, PEER_KEY, algorithms=["Ed25519"]).payload == payload
    assert header_of(theirs) == HEADER
    assert verified_payload(theirs, KEY.public_key()) == payload


def test_the_signature_of_the_standards_example_is_good() -> None:
    """RFC 8037, appendix A.4; only its header spells the algorithm in the older way."""
    wire = (
        b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhij"
        b"cNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert verified_payload(wire, EXAMPLE_KEY.public_key()) == b"Example of Ed25519 signing"


@given(st.data())
def test_one_changed_character_is_refused(data: st.DataObject) -> None:
    wire = bytearray(sign_compact(HEADER, b'{"kind":"presence"}', KEY))
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != wire[at]))
    with pytest.raises(BadJws):
        verified_payload(bytes(wire), KEY.public_key())


@given(st.binary(max_size=200))
def test_whatever_comes_is_refused_by_name(wire: bytes) -> None:
    with pytest.raises(BadJws):
        verified_payload(wire, KEY.public_key())


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(lambda part: part + b"==", id="with padding"),
        pytest.param(lambda part: part[:-1] + bytes([part[-1] + 1]), id="with bits beyond its end"),
        pytest.param(lambda part: part[:40] + b"\n" + part[40:], id="with a line break"),
        pytest.param(lambda part: part.replace(b"-", b"+").replace(b"_", b"/"), id="in the other alphabet"),
    ],
)
def test_a_signature_is_spelt_in_one_way(spelling: Callable[[bytes], bytes]) -> None:
    for number in range(100):
        signed, _, signature = sign_compact(HEADER, str(number).encode(), KEY).rpartition(b".")
        other = spelling(signature)
        if other != signature:
            with pytest.raises(BadJws):
                verified_payload(signed + b"." + other, KEY.public_key())


@pytest.mark.parametrize("wire", [b"", b"e30", b"e30.e30", b"!.e30.e30", b"e30.e30.e30.e30"])
def test_other_numbers_of_parts_are_refused(wire: bytes) -> None:
    with pytest.raises(BadJws):
        verified_payload(wire, KEY.public_key())


@pytest.mark.parametrize("wire", [b"", b"e30", b"!.x.y", b"bm8.x.y", b"W1tb" * 4000 + b".x.y"])
def test_a_header_that_is_none_is_refused(wire: bytes) -> None:
    with pytest.raises(BadJws, match="expected"):
        header_of(wire)
