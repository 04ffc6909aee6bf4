"""Codes of commands and replies, and the payloads that this project reads.

A payload that is not what its code promises gives None: the caller drops it.
"""

from enum import IntEnum


class Command(IntEnum):
    POLL = 0x60
    ID = 0x61
    CAP = 0x62
    LSTAT = 0x64
    LED = 0x69
    BUZ = 0x6A
    KEYSET = 0x75
    CHLNG = 0x76
    SCRYPT = 0x77


class Reply(IntEnum):
    ACK = 0x40
    NAK = 0x41
    PDID = 0x45
    PDCAP = 0x46
    LSTATR = 0x48
    RAW = 0x50
    KEYPAD = 0x53
    CCRYPT = 0x76
    RMAC_I = 0x78
    BUSY = 0x79


class Refusal(IntEnum):
    """The first byte of a NAK."""

    BAD_CHECK = 1
    BAD_LENGTH = 2
    UNKNOWN_COMMAND = 3
    BAD_SEQUENCE = 4
    NO_SECURE_CHANNEL = 5
    SECURE_CHANNEL_NEEDED = 6  # or: the one that the command belongs to is gone
    CANNOT_PROCESS = 9


class Capability(IntEnum):
    """Function codes in a PDCAP reply."""

    CARD_FORMAT = 3
    LED = 4
    BUZZER = 5
    CHECK = 8
    SECURE_CHANNEL = 9


CARD_BITS_MAX = 1024  # the longest payload of one frame holds fewer than twice as many; a badge has 26 to 128

_KEYS_MAX = 32  # a PIN has 4 to 8; readers send key by key or at the `#`
_CLEAR, _ENTER = 0x7F, 0x0D  # as keypads send `*` and `#` (OSDP.Net, issue 37)
_KEYS = {digit: chr(digit) for digit in b"0123456789*#"} | {_CLEAR: "*", _ENTER: "#"}


def card_of(payload: bytes) -> tuple[int, bytes] | None:
    """Bit count and bits of a RAW reply: reader, format, bit count (2 bytes, little-endian), bits."""
    bit_count = int.from_bytes(payload[2:4], "little")
    data = payload[4:]
    if not 1 <= bit_count <= CARD_BITS_MAX or len(data) != (bit_count + 7) // 8:
        return None
    # what follows the last bit is not card: readers fill it as they like
    unused = len(data) * 8 - bit_count
    return bit_count, data[:-1] + bytes((data[-1] >> unused << unused,))


def keys_of(payload: bytes) -> str | None:
    """Keys of a KEYPAD reply: reader, count, one byte a key. Function keys are left out."""
    keys = payload[2:]
    if len(payload) < 2 or payload[1] != len(keys) or len(keys) > _KEYS_MAX:
        return None
    return "".join(_KEYS.get(key, "") for key in keys)


def status_of(payload: bytes) -> tuple[bool, bool] | None:
    """Tamper and power failure of an LSTATR reply: one byte each, not 0: yes."""
    return (payload[0] != 0, payload[1] != 0) if len(payload) == 2 else None


def capabilities_of(payload: bytes) -> dict[int, int]:
    """Compliance level by function code of a PDCAP reply: three bytes a function, a cut one is left out."""
    whole = len(payload) - len(payload) % 3
    return {payload[at]: payload[at + 1] for at in range(0, whole, 3)}
