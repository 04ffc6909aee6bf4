"""The files that a journal lies in, on a real disk."""

import errno
from pathlib import Path

import pytest

from station_agent.storage import EMERGENCY_BYTES, FileEmergency, FileStorage


def test_the_emergency_file_is_made_whole_beforehand_and_keeps_what_was_written(tmp_path: Path) -> None:
    emergency = FileStorage(tmp_path / "j.sqlite").emergency
    assert emergency.read() == bytes(EMERGENCY_BYTES)
    emergency.write(EMERGENCY_BYTES - 4, b"last")
    emergency.write(0, b"first")
    content = FileEmergency(tmp_path / "j.sqlite.emergency").read()
    assert (content[:5], content[-4:], len(content)) == (b"first", b"last", EMERGENCY_BYTES)
    blocks = (tmp_path / "j.sqlite.emergency").stat().st_blocks
    assert blocks * 512 >= EMERGENCY_BYTES, "no hole that a full disk could not fill"


def test_a_file_that_was_cut_short_is_filled_up(tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(b"kept")
    content = FileEmergency(tmp_path / "e").read()
    assert content == b"kept" + bytes(EMERGENCY_BYTES - 4)
    assert (tmp_path / "e").stat().st_size == EMERGENCY_BYTES


def test_it_never_grows(tmp_path: Path) -> None:
    emergency = FileEmergency(tmp_path / "e")
    emergency.read()
    with pytest.raises(AssertionError):
        emergency.write(EMERGENCY_BYTES - 3, b"four")


def test_what_cannot_be_written_raises_what_the_system_says(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No such file") as caught:
        FileEmergency(tmp_path / "e").write(0, b"not made yet")
    assert caught.value.errno == errno.ENOENT


def test_a_lock_keeps_others_out_until_it_is_closed(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "j.sqlite")
    lock = storage.lock()
    with pytest.raises(BlockingIOError):
        FileStorage(tmp_path / "j.sqlite").lock()
    lock.close()
    storage.lock().close()
