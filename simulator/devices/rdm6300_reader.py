"""An RDM6300 reader with tags in its field, byte for byte and without I/O.

It repeats the frame of a tag for as long as the tag is there, never says that it is gone, and hears nothing.
Two tags in the field take turns. Its encoder is written apart from the driver's decoder.
"""

from functools import reduce
from operator import xor
from typing import Final

REPEAT_US: Final = 65_000  # from the beginning of one frame to that of the next (design/hardware.md)
TAG_BYTES: Final = 5


def frame_of(tag: bytes) -> bytes:
    """STX, the tag's 5 bytes and their XOR in upper-case hexadecimal, ETX."""
    assert len(tag) == TAG_BYTES
    return f"\x02{tag.hex()}{reduce(xor, tag):02x}\x03".upper().encode("ascii")


class Rdm6300Device:
    """One reader. Faults are attributes to be switched at any time."""

    def __init__(self) -> None:
        self.noise = b""
        """Comes before each frame's STX."""
        self.cut_to: int | None = None
        """Each frame ends after so many bytes."""
        self.bad_checksum = False
        """Each frame carries the checksum of another tag."""
        self.frame_count = 0
        """Frames sent, whole or not."""
        self._tags: list[bytes] = []  # in the field; the first is read next
        self._next_us = 0

    @property
    def tags(self) -> frozenset[bytes]:
        return frozenset(self._tags)

    def hold(self, now_us: int, tag: bytes) -> None:
        """A tag comes into the field; beside another one the two take turns."""
        assert len(tag) == TAG_BYTES
        assert tag not in self._tags, "a tag is in the field once"
        self._next_us = max(self._next_us, now_us)
        self._tags.insert(0, tag)

    def remove(self, tag: bytes) -> None:
        """It is taken out of the field: its frames end, and that is all that tells."""
        self._tags.remove(tag)

    @property
    def wake_at_us(self) -> int | None:
        return self._next_us if self._tags else None

    def elapsed(self, now_us: int) -> bytes:
        if not self._tags or now_us < self._next_us:
            return b""
        self._next_us = now_us + REPEAT_US
        tag = self._tags.pop(0)
        self._tags.append(tag)
        self.frame_count += 1
        frame = frame_of(tag)
        if self.bad_checksum:
            other = bytes((tag[0] ^ 1,)) + tag[1:]
            frame = frame[:-3] + frame_of(other)[-3:]
        return self.noise + frame[: self.cut_to]

    def receive(self, now_us: int, data: bytes) -> bytes:
        """Its receiving pin leads nowhere."""
        return b""
