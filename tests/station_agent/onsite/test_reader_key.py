import os
import stat
from pathlib import Path

import pytest

from station_agent.onsite.reader_key import KeyFileError, ReaderKeyFile

OLD, NEW = bytes(range(16)), bytes(range(16, 32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "entrance.scbk"
    path.write_text(OLD.hex())
    return path


def test_the_old_key_stays_until_the_new_one_is_adopted(path: Path) -> None:
    files = ReaderKeyFile(path)
    files.write_pending(NEW)
    assert (files.current(), files.pending()) == (OLD, NEW)
    assert ReaderKeyFile(path).pending() == NEW, "another run finds it"
    files.adopt()
    assert (files.current(), files.pending()) == (NEW, None)
    assert [one.name for one in path.parent.iterdir()] == ["entrance.scbk"]


def test_a_new_key_is_for_its_owner_alone_whatever_the_umask_and_the_old_file_say(path: Path) -> None:
    path.chmod(0o644)
    before = os.umask(0)
    try:
        files = ReaderKeyFile(path)
        files.write_pending(NEW)
        assert stat.S_IMODE(files.pending_path.stat().st_mode) == 0o600
        files.adopt()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_leaves_the_key_to_whom_the_old_file_belonged(path: Path) -> None:
    os.chown(path, 4321, 4322)
    files = ReaderKeyFile(path)
    files.write_pending(NEW)
    files.adopt()
    assert (path.stat().st_uid, path.stat().st_gid) == (4321, 4322)


def test_an_empty_or_half_written_file_holds_no_key(path: Path) -> None:
    files = ReaderKeyFile(path)
    for content in (b"", b"\n", NEW.hex()[:20].encode(), b"\xff" * 32, b"no key here"):
        path.write_bytes(content)
        files.pending_path.write_bytes(content)
        assert (files.current(), files.pending()) == (None, None)
    files.write_pending(NEW)
    assert files.pending() == NEW


def test_a_link_leads_to_the_file_that_is_replaced(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    files = ReaderKeyFile(link)
    files.write_pending(NEW)
    files.adopt()
    assert link.is_symlink()
    assert path.read_text().strip() == NEW.hex()


def test_nobody_is_led_to_write_elsewhere_by_a_link_in_the_pending_files_place(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("something of value")
    files = ReaderKeyFile(path)
    files.pending_path.symlink_to(elsewhere)
    files.write_pending(NEW)
    assert elsewhere.read_text() == "something of value"
    assert files.pending() == NEW


def test_what_cannot_be_written_is_named_and_never_what_is_in_it(path: Path) -> None:
    files = ReaderKeyFile(path)
    files.pending_path.mkdir()
    with pytest.raises(KeyFileError) as failed:
        files.write_pending(NEW)
    assert str(failed.value).startswith(f"{files.pending_path}: cannot be written: ")
    assert NEW.hex() not in str(failed.value)
    files.pending_path.rmdir()
    with pytest.raises(KeyFileError, match="cannot be replaced: No such file"):
        files.adopt()
    assert files.current() == OLD
