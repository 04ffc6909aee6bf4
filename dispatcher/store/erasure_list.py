"""The list of erasures outside the database: what a restore has to do again. One line each, ids and a time only."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

LINE = re.compile(r"(?P<at_ms>\d{1,15}) (?P<member>[A-Za-z0-9_-]{1,64}) (?P<place>[A-Za-z0-9_-]{1,64})")


class BadErasureList(Exception):
    """The file is not what this program wrote; the text says where."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """One member who was erased."""

    at_ms: int
    member_id: str
    place_id: str
    """The random id that stands in the member's place since."""


class ErasureList:
    """An append-only file. Several programs may write to it: a line is one write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, erasure: Erasure) -> None:
        """Durable when it returns. Written twice, a line says the same.

        Raises:
            OSError: it cannot be written; then nobody is to be erased.
        """
        line = f"{erasure.at_ms} {erasure.member_id} {erasure.place_id}\n".encode("ascii")
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)

    def since(self, at_ms: int) -> tuple[Erasure, ...]:
        """Erasures from an instant on, oldest first. No file: there was none.

        Raises:
            BadErasureList: a line is none of ours.
        """
        if not self.path.exists():
            return ()
        lines = self.path.read_text(encoding="ascii", errors="replace").splitlines()
        found = [self._read(number, line) for number, line in enumerate(lines, start=1)]
        return tuple(erasure for erasure in found if erasure.at_ms >= at_ms)

    def _read(self, number: int, line: str) -> Erasure:
        match = LINE.fullmatch(line)
        if match is None:
            raise BadErasureList(f"{self.path}:{number}: (not shown): expected `unix-ms member-id id-in-its-place`")
        return Erasure(int(match["at_ms"]), match["member"], match["place"])
