"""The emergency journal's own format: what is read back after every kind of interruption."""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.facts import DoorClosed
from station_agent.emergency import PICTURE_BYTES, EmergencyJournal, Known, Saved
from station_agent.storage import EMERGENCY_BYTES

EPOCH, OTHER = "a" * 32, "b" * 32
NOTHING = Saved((), None)


class PowerCut(OSError):
    pass


@dataclass
class Disk:
    """A file in memory; its power is cut after so many more bytes, in the middle of a write."""

    content: bytearray = field(default_factory=lambda: bytearray(EMERGENCY_BYTES))
    bytes_left: int = 1 << 40

    def read(self) -> bytes:
        return bytes(self.content)

    def write(self, offset: int, data: bytes) -> None:
        written = data[: self.bytes_left]
        self.content[offset : offset + len(written)] = written
        self.bytes_left -= len(written)
        if len(written) < len(data):
            raise PowerCut


def texts(first: int, last: int) -> tuple[str, ...]:
    return tuple(
        DoorClosed(seq=seq, at_ms=1000 + seq, clock_trusted=True, slot=1).to_json()
        for seq in range(first, last + 1)
    )


def opened(disk: Disk, seq: int = 0, version: int = 0, epoch: str = EPOCH) -> tuple[EmergencyJournal, Saved]:
    journal = EmergencyJournal(disk)
    return journal, journal.load(Known(epoch, seq, version))


def test_a_new_file_holds_nothing() -> None:
    journal, saved = opened(Disk())
    assert (saved, journal.is_used) == (NOTHING, False)


def test_what_was_appended_is_read_back_with_the_newest_picture() -> None:
    disk = Disk()
    journal, _ = opened(disk, seq=10)
    journal.append(EPOCH, 12, texts(11, 12), "after 12")
    journal.append(EPOCH, 13, texts(13, 13), '{"after": 13,\n"more": "é"}')
    again, saved = opened(disk, seq=10)
    assert saved == Saved(texts(11, 13), '{"after": 13,\n"more": "é"}')
    assert again.is_used
    again.append(EPOCH, 14, texts(14, 14), "after 14")
    assert opened(disk, seq=10)[1] == Saved(texts(11, 14), "after 14")


def test_a_picture_alone_takes_no_room_for_facts() -> None:
    disk = Disk()
    journal, _ = opened(disk)
    for n in range(5000):
        journal.append(EPOCH, 0, (), f"picture {n}")
    assert opened(disk)[1] == Saved((), "picture 4999")
    journal.append(EPOCH, 1, texts(1, 1), "after 1")
    assert opened(disk)[1] == Saved(texts(1, 1), "after 1")


def test_what_the_database_has_by_now_is_not_read_again() -> None:
    disk = Disk()
    journal, _ = opened(disk)
    journal.append(EPOCH, 2, texts(1, 2), "after 2")
    journal.append(EPOCH, 3, texts(3, 3), "after 3")
    assert opened(disk, seq=3, version=2)[1] == NOTHING
    assert opened(disk, seq=9, version=2)[1] == NOTHING
    assert opened(disk, seq=3, version=1)[1] == Saved((), "after 3")


def test_what_belongs_to_another_epoch_or_leaves_a_gap_is_not_read() -> None:
    disk = Disk()
    journal, _ = opened(disk, seq=5)
    journal.append(EPOCH, 6, texts(6, 6), "after 6")
    assert opened(disk, seq=5, epoch=OTHER)[1] == NOTHING
    assert opened(disk, seq=3)[1] == NOTHING


def test_a_cleared_file_is_empty_and_versions_go_on() -> None:
    disk = Disk()
    journal, _ = opened(disk)
    journal.append(EPOCH, 2, texts(1, 2), "after 2")
    journal.clear()
    assert bytes(disk.content) == bytes(EMERGENCY_BYTES)
    journal.append(EPOCH, 3, texts(3, 3), "after 3")
    assert opened(disk, seq=2, version=1)[1] == Saved(texts(3, 3), "after 3")


def test_what_was_left_behind_by_an_earlier_use_is_not_taken_for_new() -> None:
    disk = Disk()
    journal, _ = opened(disk)
    for seq in range(1, 6):
        journal.append(EPOCH, seq, texts(seq, seq), f"after {seq}")
    disk.bytes_left = 0
    with pytest.raises(PowerCut):
        journal.clear()
    disk.bytes_left = 1 << 40
    journal.append(EPOCH, 6, texts(6, 6), "after 6")  # as long as the first one was
    assert opened(disk, seq=5, version=5)[1] == Saved(texts(6, 6), "after 6")


def test_a_full_file_says_so_and_writes_nothing() -> None:
    disk = Disk()
    journal, _ = opened(disk)
    last = 0
    with suppress(OSError):
        for seq in count(1):
            journal.append(EPOCH, seq, texts(seq, seq), f"after {seq}")
            last = seq
    assert last > 2_000, "as many facts as a busy cabinet has in days"
    assert opened(disk)[1] == Saved(texts(1, last), f"after {last}")
    with pytest.raises(OSError, match="full"):
        journal.append(EPOCH, last, (), "x" * PICTURE_BYTES)


@pytest.mark.parametrize("bytes_written", [0, 5, 30, 100, 200])
def test_an_append_that_failed_can_be_made_again(bytes_written: int) -> None:
    disk = Disk()
    journal, _ = opened(disk)
    journal.append(EPOCH, 1, texts(1, 1), "after 1")
    for _ in range(2):
        disk.bytes_left = bytes_written
        with pytest.raises(PowerCut):
            journal.append(EPOCH, 3, texts(2, 3), "after 3 and longer")
        assert opened(Disk(disk.content))[1] == Saved(texts(1, 1), "after 1")
    disk.bytes_left = 1 << 40
    journal.append(EPOCH, 2, texts(2, 2), "after 2")
    assert opened(disk)[1] == Saved(texts(1, 2), "after 2")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300)), min_size=1, max_size=12),
    st.integers(0, 12_000),
    st.integers(0, 3),
)
@settings(max_examples=300, deadline=None)
def test_whenever_the_power_goes_what_was_told_durable_is_there(
    appends: list[tuple[int, int]], cut_after: int, cleared_after: int
) -> None:
    disk = Disk()
    journal, _ = opened(disk)
    known = Known(EPOCH, 0, 0)
    seq, told = 0, NOTHING
    attempted = told
    try:
        for n, (facts, size) in enumerate(appends):
            if n == cleared_after:
                known, told = Known(EPOCH, seq, journal.version), NOTHING
                journal.clear()
            if n == cleared_after + 1:
                disk.bytes_left = cut_after
            picture = f"picture {n} " + "x" * size
            new = texts(seq + 1, seq + facts)
            attempted = Saved((*told.texts, *new), picture)
            journal.append(EPOCH, seq + facts, new, picture)
            seq, told = seq + facts, attempted
    except PowerCut:
        pass
    again = EmergencyJournal(disk)
    assert again.load(known) in {told, attempted}, "all that was told, and at most the one under way"
