"""Keys and signers for tests: made once, from fixed bytes."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.envelope import Signer, VerifyKey, private_key_from_pem, public_key_from_text, public_key_text
from contract.topics import Author


def pem(seed: int) -> bytes:
    """A PKCS #8 key file's content."""
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signer(author: Author, subject: str, seed: int) -> Signer:
    return Signer(author, subject, private_key_from_pem(pem(seed)))


def public_text(seed: int) -> str:
    return public_key_text(private_key_from_pem(pem(seed)))


def verify_key(author: Author, subject: str, seed: int) -> VerifyKey:
    return VerifyKey(author, subject, public_key_from_text(public_text(seed)))
