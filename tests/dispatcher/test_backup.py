"""Yesterday's backup, put back into a network that went on: nothing that boxes hold is lost."""

import json
import sqlite3
from itertools import count
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import URL, make_url, select

from contract.facts import Identity, KeyReturned, KeyTaken
from dispatcher.core.booking_states import BookingState
from dispatcher.core.windows import DAY_MS
from dispatcher.store.backup import (
    BackupFailed,
    Manifest,
    make_backup,
    manifest_path,
    prune,
    put_back,
    read_manifest,
)
from dispatcher.store.bookings import booking_by_id
from dispatcher.store.commands import next_counter
from dispatcher.store.database import Database
from dispatcher.store.erasure import erase
from dispatcher.store.erasure_list import Erasure
from dispatcher.store.ledger import facts_of, ledger_id
from dispatcher.store.members import member_by_id
from dispatcher.store.restored import Restored, settle_restored
from dispatcher.store.schema import desired_states, members
from dispatcher.store.vouching import vouch
from runtime.executor import InlineExecutor
from tests.dispatcher.backends import backend, own_cluster
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    ORIGIN,
    book,
    fleet_url,
    incidents,
    new_database,
    stored,
)
from tests.dispatcher.test_put_back import Box

__all__ = ["new_database"]  # by which conftest knows that these run on both databases

LATER_MS = NOW_MS + DAY_MS
YEAR_MS = 365 * DAY_MS
_numbers = count()


def opened(url: URL) -> Database:
    return Database(url.render_as_string(hide_password=False), InlineExecutor(), origin=ORIGIN)


def served(folder: Path) -> tuple[URL, Database]:
    """The small fleet, as a dispatcher has it open."""
    url = make_url(fleet_url(folder))
    database = opened(url)
    database.write_now(vouch)
    return url, database


def another_place(folder: Path) -> URL:
    """Where a backup can go: a file that is not there, or a database without tables."""
    if backend() == "sqlite":
        return make_url(f"sqlite:///{folder}/other.sqlite")
    return own_cluster().create(f"put_back_{next(_numbers)}")


def settled(database: Database, erasures: tuple[Erasure, ...] = (), now_ms: int = LATER_MS) -> Restored:
    random_bytes = Random("restore").randbytes
    return database.write_now(lambda c: settle_restored(c, erasures, YEAR_MS, random_bytes, now_ms))


def restored(folder: Path, file: Path, erasures: tuple[Erasure, ...] = ()) -> Database:
    url = another_place(folder)
    put_back(url, file)
    database = opened(url)
    settled(database, erasures)
    return database


def test_a_database_that_is_being_served_is_copied_whole(tmp_path: Path) -> None:
    (url, database), file = served(tmp_path), tmp_path / "backup"
    book(database)
    with database.connect() as reader:  # an open snapshot, as a request has it
        reader.execute(select(members.c.id)).all()
        made = make_backup(url, file, NOW_MS)
    book(database, 2, vehicle_id="car-2", key_id="key-2")
    assert read_manifest(file) == made
    assert file.stat().st_mode & 0o077 == 0
    copy = restored(tmp_path, file)
    assert stored(copy).state is BookingState.BOOKED
    assert stored(copy).has_origin
    assert copy.read_now(lambda connection: booking_by_id(connection, "booking-2")) is None
    copy.close()
    database.close()


def test_yesterdays_backup_in_a_network_that_went_on_loses_nothing_that_boxes_hold(tmp_path: Path) -> None:
    (url, database), file = served(tmp_path), tmp_path / "backup"
    database.write_now(lambda connection: ledger_id(connection, Random(1).randbytes))
    book(database, start_ms=NOW_MS, end_ms=NOW_MS + 2 * DAY_MS)
    box = Box()
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-1", badge="ref-1")
    box.send(database)
    make_backup(url, file, NOW_MS)

    # a day goes by: the key comes back, and somebody books, takes a key and is out with it
    box.journal.now_ms = NOW_MS + DAY_MS
    box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", lit_slot=1, grant="grant-1", badge="ref-1")
    new = {"vehicle_id": "car-2", "key_id": "key-2", "member_id": "member-2", "start_ms": NOW_MS + DAY_MS}
    book(database, 2, **new)
    box.note(KeyTaken, slot=2, identity=Identity.READ, key="key-2", grant="grant-2", badge="ref-2")
    box.send(database)
    told = [fact.text for fact in database.read_now(facts_of)]
    assert stored(database, 2).state is BookingState.ACTIVE
    database.close()

    copy = restored(tmp_path, file)
    assert len(copy.read_now(facts_of)) < len(told)
    box.acknowledged_seq = 2  # what the restored ledger says of itself
    box.send(copy)
    assert [fact.text for fact in copy.read_now(facts_of)] == told
    assert stored(copy).state is BookingState.RETURNED
    assert ("key_out_without_right", "key-2", True) in incidents(copy)  # whose booking is lost with the database
    assert copy.read_now(lambda connection: booking_by_id(connection, "booking-2")) is None
    copy.close()


def test_a_ledger_that_was_put_back_has_another_name_and_higher_numbers(tmp_path: Path) -> None:
    (url, database), file = served(tmp_path), tmp_path / "backup"
    before = database.write_now(lambda connection: ledger_id(connection, Random(1).randbytes))
    made = make_backup(url, file, NOW_MS)
    assert made.ledger == before
    database.close()
    copy = restored(tmp_path, file)
    after = copy.write_now(lambda connection: ledger_id(connection, Random(2).randbytes))
    assert after != before
    marked = copy.read_now(lambda c: c.execute(select(desired_states.c.cabinet_id, desired_states.c.dirty)).all())
    assert sorted(map(tuple, marked)) == [("cab-a", True), ("cab-b", True)]
    assert copy.write_now(lambda connection: next_counter(connection, CABINET, LATER_MS)) >= LATER_MS
    copy.close()


def test_who_was_erased_since_is_erased_again_with_the_same_id(tmp_path: Path) -> None:
    (url, database), file = served(tmp_path), tmp_path / "backup"
    book(database)
    make_backup(url, file, NOW_MS)
    done = Erasure(NOW_MS + MINUTE, "member-1", "place-1")
    database.write_now(lambda connection: erase(connection, done, YEAR_MS, NOW_MS + MINUTE))
    database.close()
    copy = restored(tmp_path, file, (done, Erasure(NOW_MS + HOUR, "member-9", "place-9")))
    assert copy.read_now(lambda connection: member_by_id(connection, "member-1")) is None
    assert stored(copy).member_id == "place-1"
    assert stored(copy).has_origin
    assert incidents(copy) == []
    copy.close()


# --- what is refused


def a_backup(folder: Path) -> tuple[Path, Manifest]:
    file = folder / "backup"
    return file, make_backup(make_url(fleet_url(folder)), file, NOW_MS)


def test_a_damaged_backup_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    file, _ = a_backup(tmp_path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    place = another_place(tmp_path)
    with pytest.raises(BackupFailed, match="it is damaged"):
        put_back(place, file)
    assert backend() != "sqlite" or not Path(str(place.database)).exists()


def test_a_backup_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    file, _ = a_backup(tmp_path)
    said = json.loads(manifest_path(file).read_text())
    manifest_path(file).write_text(json.dumps({**said, "schema": "9999"}))
    with pytest.raises(BackupFailed, match="schema = '9999': made by a newer program"):
        put_back(another_place(tmp_path), file)


def test_a_backup_goes_into_no_database_that_is_there(tmp_path: Path) -> None:
    file, _ = a_backup(tmp_path)
    with pytest.raises(BackupFailed, match=r"expected (no database there|an empty database)"):
        put_back(make_url(fleet_url(tmp_path)) if backend() == "postgresql" else _sqlite(tmp_path), file)


def _sqlite(folder: Path) -> URL:
    return make_url(f"sqlite:///{folder}/d.sqlite")


@pytest.mark.only_sqlite
def test_a_backup_goes_back_into_what_it_came_from(tmp_path: Path) -> None:
    file, _ = a_backup(tmp_path)
    said = json.loads(manifest_path(file).read_text())
    manifest_path(file).write_text(json.dumps({**said, "database": "postgresql"}))
    with pytest.raises(BackupFailed, match="a backup of postgresql: expected one of sqlite"):
        put_back(another_place(tmp_path), file)


@pytest.mark.only_sqlite
def test_no_backup_is_overwritten_and_none_is_left_half_way(tmp_path: Path) -> None:
    file, made = a_backup(tmp_path)
    with pytest.raises(BackupFailed, match="expected a file that is not there yet"):
        make_backup(_sqlite(tmp_path), file, NOW_MS)
    assert read_manifest(file) == made
    with sqlite3.connect(tmp_path / "empty.sqlite") as empty:
        empty.execute("CREATE TABLE somebodys (id INTEGER)")
    with pytest.raises(BackupFailed, match="expected a database of this program"):
        make_backup(make_url(f"sqlite:///{tmp_path}/empty.sqlite"), tmp_path / "second", NOW_MS)
    assert not [path.name for path in tmp_path.iterdir() if "second" in path.name]


@pytest.mark.only_sqlite
def test_old_backups_are_removed_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    url = make_url(fleet_url(tmp_path))
    for number, days in ((1, 29), (2, 28), (3, 0)):
        make_backup(url, folder / f"backup-{number}", LATER_MS - days * DAY_MS)
    (folder / "notes").write_text("not a backup")
    assert prune(folder, 28, LATER_MS) == (folder / "backup-1",)
    assert sorted(path.name for path in folder.iterdir()) == [
        "backup-2",
        "backup-2.manifest.json",
        "backup-3",
        "backup-3.manifest.json",
        "notes",
    ]
