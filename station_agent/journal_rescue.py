"""A journal that cannot be right: what can be read of it is taken over, the file itself is kept aside.

Facts are taken over where the chain of hashes holds. Before a gap they stay what they were; what can be read
behind it has lost its place, and is told again in the new epoch, with everything else that the ledger may lack.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from contract.chain import genesis_hash, next_hash
from contract.facts import BadFact, UnknownFact, parse_fact
from station_agent.journal_database import Epoch, NotAJournal, Row
from station_agent.storage import Connection, Storage

STATES: Final = ("picture", "desired_wire", "desired_digest", "desired_version", "emergency_version")


@dataclass(frozen=True, slots=True)
class Note:
    """What a journal remembers of the damaged one whose place it took, until its new epoch has told of it."""

    why: str
    aside: str
    """Where it lies now."""
    epochs: int = 0
    """How many were taken over; none: it was nobody's, or nothing of it could be read."""
    facts: int = 0
    behind_gap: tuple[str, ...] = ()
    """Facts that nothing connects with these, and that the ledger has not confirmed."""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, value: bytes) -> "Note":
        fields = json.loads(value)
        return cls(**{**fields, "behind_gap": tuple(fields["behind_gap"])})


@dataclass(frozen=True, slots=True)
class Rescued:
    """What was read of a damaged journal."""

    note: Note
    epochs: tuple[Epoch, ...] = ()
    rows: tuple[Row, ...] = ()
    """In order, without a gap within an epoch; the first of each is the oldest that was kept."""
    states: dict[str, bytes] = field(default_factory=dict)


def rescue(storage: Storage, cabinet: str, why: str, at_ms: int) -> Rescued:
    """Read what can be read, then set the file aside.

    Raises:
        NotAJournal: it is another cabinet's, as far as can be read; it stays where it is.
        OSError: it cannot be set aside.
    """
    found = Rescued(Note(why, ""))
    with suppress(sqlite3.Error), closing(storage.connect_to_look()) as connection:
        found = _read(connection, cabinet, found)
    return replace(found, note=replace(found.note, aside=storage.set_aside(at_ms)))


def _read(connection: Connection, cabinet: str, found: Rescued) -> Rescued:
    states = {name: value for name in ("cabinet", *STATES) if (value := _state(connection, name)) is not None}
    owner = states.pop("cabinet", None)
    if owner is not None and owner != cabinet.encode():
        raise NotAJournal(
            f"it is damaged, and belongs to cabinet {owner.decode(errors='replace')!r}, expected {cabinet!r}"
        )
    epochs, rows = [], []
    behind: list[str] = []
    for epoch in _epochs(connection):
        kept = _chained(connection, cabinet, epoch)
        last_seq = kept[-1].seq if kept else 0
        behind = [text for seq, text in _behind(connection, epoch, last_seq) if seq > epoch.acknowledged_seq]
        epochs.append(replace(epoch, acknowledged_seq=min(epoch.acknowledged_seq, last_seq)))
        rows += kept
    is_ours = owner is not None or any(row.seq == 1 for row in rows)  # whose chain begins with this cabinet's name
    if not is_ours or not epochs:
        return found
    if not _is_picture(states.get("picture", b"{}")):
        del states["picture"]
    note = replace(found.note, epochs=len(epochs), facts=len(rows), behind_gap=tuple(behind))
    return Rescued(note, tuple(epochs), tuple(rows), states)


def _state(connection: Connection, name: str) -> bytes | None:
    with suppress(sqlite3.Error):
        row = connection.execute("SELECT value FROM states WHERE name = ?", (name,)).fetchone()
        if row is not None and isinstance(row[0], bytes):
            return row[0]
    return None


def _is_picture(value: bytes) -> bool:
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False


def _epochs(connection: Connection) -> Iterator[Epoch]:
    for number, name, created_ms, acknowledged_seq in _readable(connection, "SELECT * FROM epochs ORDER BY number"):
        yield Epoch(number, name, created_ms, acknowledged_seq, 0, "")


def _chained(connection: Connection, cabinet: str, epoch: Epoch) -> list[Row]:
    """An epoch's facts from the oldest kept one on, as far as each follows from the one before."""
    rows: list[Row] = []
    sql = f"SELECT * FROM facts WHERE epoch = {epoch.number:d} ORDER BY seq"  # noqa: S608  # a number
    for row in _rows(connection, sql):
        if rows:
            follows = row.seq == rows[-1].seq + 1 and row.hash == _hash_after(rows[-1].hash, row.text)
        else:
            first = genesis_hash(cabinet, epoch.epoch)
            follows = row.seq > 1 or row.hash == _hash_after(first, row.text)
        if not follows:
            break
        rows.append(row)
    return rows


def _behind(connection: Connection, epoch: Epoch, last_seq: int) -> list[tuple[int, str]]:
    """Facts after `last_seq` that can be read from the end on, as far as each follows from the one before it."""
    found: list[tuple[int, str]] = []
    later: Row | None = None
    sql = f"SELECT * FROM facts WHERE epoch = {epoch.number:d} AND seq > {last_seq:d} ORDER BY seq DESC"  # noqa: S608
    for row in _rows(connection, sql):
        if later is not None:
            if later.seq != row.seq + 1 or later.hash != _hash_after(row.hash, later.text):
                break
            found.append((later.seq, later.text))
        later = row
    return [(seq, text) for seq, text in reversed(found) if _is_fact(text)]


def _is_fact(text: str) -> bool:
    try:
        return not isinstance(parse_fact(text), UnknownFact)
    except BadFact:
        return False


def _hash_after(before: str, text: str) -> str:
    try:
        return next_hash(before, text)
    except ValueError:  # what stands there is no hash
        return ""


def _rows(connection: Connection, sql: str) -> Iterator[Row]:
    """Facts until the first that is none."""
    for values in _readable(connection, sql):
        if [type(value) for value in values] != [int, int, int, str, str]:
            return
        yield Row(*values)


def _readable(connection: Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    """Rows until the first that cannot be read."""
    with suppress(sqlite3.Error):
        yield from connection.execute(sql)
