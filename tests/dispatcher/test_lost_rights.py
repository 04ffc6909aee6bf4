"""A backup put back: what boxes were told last names the bookings that the database lacks."""

import stat
from pathlib import Path

import pytest

from contract.envelope import Signer, private_key_from_pem
from contract.messages import Desired
from contract.topics import Author
from dispatcher.cli import main
from dispatcher.core.booking_states import BookingState
from dispatcher.core.windows import Window
from dispatcher.store.lost_rights import Loss, lost_rights
from tests.dispatcher.network import TestClock
from tests.dispatcher.origin_bench import Bench
from tests.dispatcher.small_fleet import CABINET, HOUR, NOW_MS, book, booking, new_database
from tests.dispatcher.test_cli import TEMPLATE

__all__ = ["new_database"]  # by which conftest knows that these run on both databases
FAR_MS = NOW_MS + 6 * HOUR


def after(bench: Bench, told: Desired) -> dict[str, tuple[Loss, str | None]]:
    """Of a database that was put back: by grant, what is lost of it, and the booking."""
    found = bench.database.read_now(lambda c: lost_rights(c, told, NOW_MS))
    return {right.grant_id: (right.loss, right.booking_id) for right in found}


def test_each_right_on_which_database_and_box_differ_is_named_with_why() -> None:
    now, backup = Bench(), Bench()
    for bench in (now, backup):
        book(bench.database, 1)  # as it was
    book(backup.database, 2, start_ms=NOW_MS + 3 * HOUR, end_ms=NOW_MS + 4 * HOUR)
    book(now.database, 2, start_ms=NOW_MS + 3 * HOUR, end_ms=NOW_MS + 5 * HOUR)
    book(backup.database, 3, start_ms=FAR_MS, end_ms=FAR_MS + HOUR)  # cancelled since
    book(now.database, 4, start_ms=FAR_MS + HOUR, end_ms=FAR_MS + 2 * HOUR)  # made since
    told = now.told()
    assert after(backup, told) == {
        "grant-2": (Loss.OTHER_WINDOW, "booking-2"),
        "grant-3": (Loss.NOT_TOLD, "booking-3"),
        "grant-4": (Loss.UNKNOWN, None),
    }
    assert after(now, told) == {}


def test_who_and_what_it_was_is_told_as_far_as_it_is_known() -> None:
    now = Bench()
    book(now.database, 1, driver_ids=("member-2",), purpose="towing")
    (right,) = Bench().database.read_now(lambda c: lost_rights(c, now.told(), NOW_MS))
    assert (right.vehicle_id, right.member_ids, right.unknown_badges) == ("car-1", ("member-1", "member-2"), 0)
    assert (right.is_order, right.cabinet_id) == (True, CABINET)
    assert Window(right.start_ms, right.end_ms) == booking(1).window


def test_what_is_over_here_and_held_there_is_named_and_what_ended_is_not() -> None:
    now, backup = Bench(), Bench()
    book(now.database, 1)
    book(backup.database, 1, state=BookingState.CANCELLED, ended_ms=NOW_MS)
    told = now.told()
    assert after(backup, told) == {"grant-1": (Loss.OVER, "booking-1")}
    assert backup.database.read_now(lambda c: lost_rights(c, told, booking(1).end_ms)) == ()


def test_what_was_not_told_for_lack_of_room_is_not_called_lost() -> None:
    now, backup = Bench(), Bench()
    book(backup.database, 3, start_ms=FAR_MS, end_ms=FAR_MS + HOUR)
    nearest = now.told().model_copy(update={"complete_until_ms": FAR_MS, "grants_left_out": 1})
    assert after(backup, nearest) == {}


# --- the command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dispatcher with a database without bookings."""
    assert main(["new-keys", str(tmp_path / "keys")]) == 0
    (tmp_path / "dispatcher.toml").write_text(TEMPLATE)
    assert main(["migrate", "--config", str(tmp_path / "dispatcher.toml")]) == 0
    return tmp_path


def lost(folder: Path, capsys: pytest.CaptureFixture[str], *lines: bytes) -> tuple[int, str, str]:
    file = folder / "retained"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    capsys.readouterr()
    status = main(["lost", "--config", str(folder / "dispatcher.toml"), str(file)], clock=TestClock(NOW_MS))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.only_sqlite
def test_the_command_names_what_the_broker_retained_and_believes_our_own_signature_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = Bench()
    book(now.database, 1, pool_id=None)
    told = now.told()
    topic = f"carshare/v1/cabinets/{CABINET}/desired ".encode()
    ours = Signer(Author.DISPATCHER, "centre", private_key_from_pem((folder / "keys/signing-key.pem").read_bytes()))
    status, out, err = lost(folder, capsys, topic + ours.sign(told))
    assert (status, err) == (0, "")
    first, last = out.splitlines()
    assert first.startswith(f"{CABINET}: a vehicle that is not known here, ")
    assert first.endswith("booking with grant grant-1: made since the backup: book it again")
    assert "1 badges that are not known here" in first
    assert last == "1 rights differ, of 1 cabinets"
    theirs = Signer(Author.DISPATCHER, "centre", private_key_from_pem(_another_key(folder)))
    for wrong in (topic + theirs.sign(told), b"carshare/v1/cabinets/x/nothing y", b"no topic"):
        status, out, err = lost(folder, capsys, wrong)
        assert (status, out) == (2, "")
        assert err.startswith("dispatcher: line 1: expected ")


def _another_key(folder: Path) -> bytes:
    other = folder / "other"
    assert main(["new-keys", str(other)]) == 0
    assert stat.S_IMODE((other / "signing-key.pem").stat().st_mode) == 0o600
    return (other / "signing-key.pem").read_bytes()
