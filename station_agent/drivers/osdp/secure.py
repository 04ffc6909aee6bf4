"""The secure channel of OSDP v2: session keys, cryptograms, MAC chain and encryption, the same at both ends.

The three session keys are AES-128 under the reader's base key (SCBK) of a constant and six bytes of the
panel's random number, so a panel that draws a fresh one shares no key with any earlier session. Each MAC
starts from the one before it, in whichever direction: a frame dropped, repeated, reordered or brought from
elsewhere does not verify. Four bytes of it are sent.

AES objects are made once a session and fed single blocks: 0.13 us each, where a new CBC object costs 3 us.
"""

from collections.abc import Callable
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from station_agent.drivers.osdp import framing
from station_agent.drivers.osdp.framing import MAC_BYTES, REPLY_BIT, Frame

KEY_BYTES = 16
RANDOM_BYTES = 8
SCBK_DEFAULT = bytes(range(0x30, 0x40))  # SCBK-D, the public key of a reader in install mode

# Security block types, and the byte that says which base key is meant
CHALLENGE, CHALLENGE_ANSWER, PROOF, PROOF_ANSWER = 0x11, 0x12, 0x13, 0x14
KEY_IS_DEFAULT, KEY_IS_OWN = 0, 1
ACCEPTED = 1  # in the block of PROOF_ANSWER

_COMMAND, _REPLY = b"\x02\x15", b"\x02\x16"  # blocks: with a MAC
_COMMAND_ENCRYPTED, _REPLY_ENCRYPTED = b"\x02\x17", b"\x02\x18"  # with a MAC and an encrypted payload
_ENCRYPTED = {_COMMAND_ENCRYPTED, _REPLY_ENCRYPTED}
_BLOCK = 16
_PADDING = b"\x80" + bytes(_BLOCK - 1)
_ALL_ONES = (1 << 8 * _BLOCK) - 1

_BlockCipher = Callable[[bytes], bytes]


def _aes(key: bytes) -> Cipher[ECB]:
    return Cipher(AES(key), ECB())  # noqa: S305  # single blocks: the chaining of CBC is done here, by hand


def _xor(block: bytes, other: bytes) -> bytes:
    return (int.from_bytes(block) ^ int.from_bytes(other)).to_bytes(_BLOCK)


def _inverted(block: bytes) -> bytes:
    return (int.from_bytes(block) ^ _ALL_ONES).to_bytes(_BLOCK)


def _padded(data: bytes) -> bytes:
    return data + _PADDING[: _BLOCK - len(data) % _BLOCK]


def handshake_block(kind: int, value: int) -> bytes:
    return bytes((3, kind, value))


class SecureSession:
    """One session between a panel (random number `rnd_a`) and a reader (`rnd_b`)."""

    __slots__ = (
        "_chain",
        "_decrypt",
        "_encrypt",
        "_mac_blocks",
        "_mac_end",
        "first_mac",
        "panel_cryptogram",
        "reader_cryptogram",
    )

    def __init__(self, scbk: bytes, rnd_a: bytes, rnd_b: bytes) -> None:
        derive = _aes(scbk).encryptor().update
        rest = rnd_a[:6] + bytes(8)
        encryption = _aes(derive(b"\x01\x82" + rest))
        self._encrypt: _BlockCipher = encryption.encryptor().update
        self._decrypt: _BlockCipher = encryption.decryptor().update
        self._mac_blocks: _BlockCipher = _aes(derive(b"\x01\x01" + rest)).encryptor().update
        self._mac_end: _BlockCipher = _aes(derive(b"\x01\x02" + rest)).encryptor().update
        self.reader_cryptogram = self._encrypt(rnd_a + rnd_b)
        self.panel_cryptogram = self._encrypt(rnd_b + rnd_a)
        self.first_mac = self._mac_end(self._mac_blocks(self.panel_cryptogram))
        self._chain = self.first_mac  # the last MAC of either direction, all 16 bytes

    def seal(self, address: int, sequence: int, code: int, payload: bytes = b"") -> bytes:
        """The next frame from this end; the chain moves on, so to repeat a frame keep its bytes."""
        is_reply = address & REPLY_BIT
        if payload:
            payload = self._encrypted(payload)
            security = _REPLY_ENCRYPTED if is_reply else _COMMAND_ENCRYPTED
        else:
            security = _REPLY if is_reply else _COMMAND
        signed = framing.head(address, sequence, security, code, payload, MAC_BYTES)
        self._chain = self._mac(signed)
        return framing.with_crc(signed + self._chain[:MAC_BYTES])

    def open(self, frame: Frame) -> bytes | None:
        """The payload, in clear, of the other end's next frame; None, and nothing moves, if it is not that."""
        mac = self._mac(frame.signed)
        if not compare_digest(mac[:MAC_BYTES], frame.mac):
            return None
        payload: bytes | None = frame.payload
        if frame.security in _ENCRYPTED:
            payload = self._decrypted(frame.payload)
        elif payload:
            return None  # in clear it could be read, and whoever guessed a MAC could choose what it says
        if payload is not None:
            self._chain = mac
        return payload

    def _mac(self, signed: bytes) -> bytes:
        if len(signed) % _BLOCK:
            signed = _padded(signed)
        chain = self._chain
        last = len(signed) - _BLOCK
        for start in range(0, last, _BLOCK):
            chain = self._mac_blocks(_xor(signed[start : start + _BLOCK], chain))
        return self._mac_end(_xor(signed[last:], chain))

    def _encrypted(self, clear: bytes) -> bytes:
        clear = _padded(clear)
        blocks = [_inverted(self._chain)]
        for start in range(0, len(clear), _BLOCK):
            blocks.append(self._encrypt(_xor(clear[start : start + _BLOCK], blocks[-1])))
        return b"".join(blocks[1:])

    def _decrypted(self, secret: bytes) -> bytes | None:
        if len(secret) % _BLOCK:
            return None
        blocks = []
        before = _inverted(self._chain)
        for start in range(0, len(secret), _BLOCK):
            block = secret[start : start + _BLOCK]
            blocks.append(_xor(self._decrypt(block), before))
            before = block
        clear = b"".join(blocks).rstrip(b"\x00")
        if not secret:
            return b""  # an encrypted nothing: some readers send it
        return clear[:-1] if clear.endswith(b"\x80") else None
