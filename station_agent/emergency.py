"""The emergency journal: facts and pictures in a file that never grows, for when SQLite cannot write.

    0          PICTURE_BYTES     FACTS_FROM                                EMERGENCY_BYTES
    | picture  | picture         | facts | facts | ... | zeros             |

The two pictures are written in turn and say after which fact they are; each piece of facts is one append. A
picture is written before its facts, so where the power goes in between, the picture before it still stands.
Every piece has its length and a checksum. Whatever is left from an earlier use is known by its epoch and its
numbers: the database has all of that.
"""

import errno
import json
import struct
import zlib
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from station_agent.storage import EMERGENCY_BYTES, EmergencyFile

PICTURE_BYTES: Final = 128 * 1024  # 128 slots, every key out and two days of used grants are under 100 KB
FACTS_FROM: Final = 2 * PICTURE_BYTES

_HEAD = struct.Struct(">II")  # length and CRC-32 of what follows


@dataclass(frozen=True, slots=True)
class Known:
    """How far the database goes."""

    epoch: str
    seq: int
    version: int
    """Of the newest picture that came from here."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the file holds beyond the database: facts that continue it without gap, and the picture after them."""

    texts: tuple[str, ...]
    picture: str | None


@dataclass(frozen=True, slots=True)
class _Picture:
    version: int
    epoch: str
    seq: int
    text: str


class EmergencyJournal:
    """Overwrites in place. `load` comes first. Any call may raise OSError; an append that did left no trace."""

    def __init__(self, file: EmergencyFile) -> None:
        self._file = file
        self._place = 0
        """Which of the two places holds the newest picture."""
        self._end = FACTS_FROM
        self.version = 0
        """Of the newest picture, here or in the database; counts up with every append."""
        self.is_used = False
        """Whether there is anything to clear."""

    def load(self, known: Known) -> Saved:
        """Read what lies beyond the database; what is appended from now on comes behind it."""
        content = self._file.read()
        texts = self._read_facts(content, known)
        last_seq = known.seq + len(texts)
        pictures = [_picture(content, place) for place in (0, 1)]
        self.is_used = self._end > FACTS_FROM or any(pictures)
        self.version = max([known.version, *(picture.version for picture in pictures if picture)])
        fitting = [
            (picture.version, place)
            for place, picture in enumerate(pictures)
            if picture
            and (picture.epoch, picture.seq) == (known.epoch, last_seq)
            and picture.version > known.version
        ]
        if fitting:
            _, self._place = max(fitting)
        newest = pictures[self._place]
        return Saved(texts, newest.text if fitting and newest else None)

    def _read_facts(self, content: bytes, known: Known) -> tuple[str, ...]:
        self._end = FACTS_FROM
        beyond: list[str] = []
        while (body := _body(content, self._end, EMERGENCY_BYTES)) is not None:
            epoch, *texts = body.decode().split("\n")
            if epoch == known.epoch:
                beyond += [text for text in texts if json.loads(text)["seq"] > known.seq]
            self._end += _HEAD.size + len(body)
        numbered = zip(beyond, range(known.seq + 1, known.seq + 1 + len(beyond)), strict=True)
        return tuple(text for text, _ in takewhile(lambda one: json.loads(one[0])["seq"] == one[1], numbered))

    def append(self, epoch: str, seq: int, texts: tuple[str, ...], picture: str) -> None:
        """Facts, and the picture after them and after fact `seq`."""
        place = 1 - self._place
        picture_piece = _piece(f"{self.version + 1} {epoch} {seq}\n{picture}")
        facts_piece = _piece("\n".join((epoch, *texts))) if texts else b""
        if len(picture_piece) > PICTURE_BYTES or self._end + len(facts_piece) > EMERGENCY_BYTES:
            raise OSError(errno.ENOSPC, "the emergency journal is full")
        self.is_used = True
        self._file.write(place * PICTURE_BYTES, picture_piece)
        if facts_piece:
            self._file.write(self._end, facts_piece)
            self._end += len(facts_piece)
        self._place = place
        self.version += 1

    def clear(self) -> None:
        """The database has all of it. Where this raises, what still stands is known by number not to be new."""
        self._end = FACTS_FROM
        self._file.write(0, bytes(EMERGENCY_BYTES))
        self.is_used = False


def _piece(content: str) -> bytes:
    body = content.encode()
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _body(content: bytes, at: int, end: int) -> bytes | None:
    """What stands in the piece at an offset; None where there is none, or not all of it."""
    if at + _HEAD.size > end:
        return None
    length, expected = _HEAD.unpack_from(content, at)
    body = content[at + _HEAD.size : at + _HEAD.size + length]
    if length == 0 or at + _HEAD.size + length > end or zlib.crc32(body) != expected:
        return None
    return body


def _picture(content: bytes, place: int) -> _Picture | None:
    body = _body(content, place * PICTURE_BYTES, (place + 1) * PICTURE_BYTES)
    if body is None:
        return None
    head, _, text = body.decode().partition("\n")
    version, epoch, seq = head.split(" ")
    return _Picture(int(version), epoch, int(seq), text)
