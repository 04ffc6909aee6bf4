from hypothesis import given
from hypothesis import strategies as st

from contract.credentials import CredentialType, cabinet_digest_key, credential_digest, credential_text

CALYPSO = CredentialType(name="calypso", bits=64)
REVERSED = CredentialType(name="mifare", bits=32, byte_order="reversed")


def test_the_type_says_length_and_byte_order() -> None:
    assert credential_text(CALYPSO, 64, bytes(range(8))) == "calypso:0001020304050607"
    assert credential_text(REVERSED, 32, b"\x01\x02\x03\x04") == "mifare:04030201"
    assert credential_text(CALYPSO, 32, bytes(4)) is None
    assert credential_text(CALYPSO, 64, bytes(7)) is None


@given(st.binary(min_size=8, max_size=8))
def test_a_digest_never_shows_the_number(uid: bytes) -> None:
    text = credential_text(CALYPSO, 64, uid)
    assert text is not None
    digest = credential_digest(bytes(32), text)
    assert len(digest) == 43
    assert uid.hex() not in digest.lower()


def test_each_cabinet_knows_the_same_badge_by_another_digest() -> None:
    master = bytes(range(32))
    keys = {cabinet_digest_key(master, cabinet) for cabinet in ("gare-1", "gare-2")}
    digests = {credential_digest(key, "calypso:0001020304050607") for key in keys}
    assert len(digests) == 2
