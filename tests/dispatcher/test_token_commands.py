"""`dispatcher token`: made once, listed without a secret, revoked at once."""

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from dispatcher.api.scopes import Scope
from dispatcher.api.token_file import read_tokens, written
from dispatcher.cli import main
from dispatcher.client.commands import read_token
from dispatcher.core.windows import DAY_MS, utc_text
from tests.dispatcher.network import NOW_MS, TestClock
from tests.dispatcher.test_cli import TEMPLATE

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "keys").mkdir()
    for name in ("tokens", "signing-key.pem", "digest-secret", "origin-key"):
        (tmp_path / "keys" / name).write_bytes(written([]))
    (tmp_path / "dispatcher.toml").write_text(TEMPLATE)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["token", *arguments, "--config", str(tmp_path / "dispatcher.toml")], clock=TestClock())
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "tokens"


def test_a_token_is_shown_once_and_kept_as_its_hash_for_a_year(run: Run, file: Path) -> None:
    status, out, _ = run("new", "front-end", "--scopes", "network:read,bookings:write")
    shown = re.search(r"shown this once: (\S{43})\n", out)
    assert status == 0
    assert shown is not None
    (kept,) = read_tokens(file)
    assert (kept.name, kept.digest.hex()) == ("front-end", sha256(shown[1].encode()).hexdigest())
    assert kept.scopes == {Scope.NETWORK_READ, Scope.BOOKINGS_WRITE}
    assert kept.expires_ms == NOW_MS + 365 * DAY_MS
    assert shown[1] not in file.read_text()


def test_a_token_is_written_into_a_new_file_of_its_owner_instead(run: Run, file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "desk.token"
    new = ("new", "desk", "--scopes", "network:read", "--write", str(kept))
    status, out, _ = run(*new)
    (text,) = kept.read_text().split()
    (token,) = read_tokens(file)
    assert (status, token.digest.hex()) == (0, sha256(text.encode()).hexdigest())
    assert (text in out, kept.stat().st_mode & 0o777) == (False, 0o600)
    assert read_token(kept) == text
    status, _, err = run("new", "other", *new[2:])
    assert (status, "expected a new file" in err, len(read_tokens(file))) == (2, True, 1)


def test_a_token_that_cannot_be_registered_leaves_no_file(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "desk.token"
    run("new", "desk", "--scopes", "network:read")
    assert run("new", "desk", "--scopes", "network:read", "--write", str(kept))[0] == 2
    assert not kept.exists()


def test_two_tokens_are_two_texts(run: Run, file: Path) -> None:
    run("new", "one", "--scopes", "admin", "--expires", "never")
    run("new", "two", "--scopes", "admin", "--expires", "2027-01-31T00:00:00+01:00")
    one, two = read_tokens(file)
    assert one.digest != two.digest
    assert (one.expiry, two.expiry) == ("never", "2027-01-30T23:00:00Z")


def test_the_list_tells_names_scopes_and_ends_and_no_hash(run: Run, file: Path) -> None:
    assert run("list") == (0, "none: nobody can call the API\n", "")
    run("new", "front-end", "--scopes", "network:read,bookings:write", "--expires", "never")
    text = file.read_text()
    file.write_text(f"{text}old {'0' * 64} admin {utc_text(NOW_MS)}\n")
    status, out, _ = run("list")
    assert status == 0
    assert out.splitlines() == [
        "front-end  never  bookings:write, network:read",
        f"old        {utc_text(NOW_MS)} (expired)  admin",
    ]


def test_a_revoked_token_is_gone_and_its_name_free_again(run: Run, file: Path) -> None:
    run("new", "one", "--scopes", "admin")
    assert run("revoke", "one") == (0, "revoked: one\n", "")
    assert read_tokens(file) == []
    assert run("new", "one", "--scopes", "admin")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("new", "one", "--scopes", "admin"), "token new: name = 'one': expected a new one"),
        (("new", "One", "--scopes", "admin"), "token new: name = 'One': expected a name of at most 32"),
        (("new", "two", "--scopes", "all"), "token new: scope = 'all': expected scopes with commas between"),
        (("new", "two", "--scopes", "admin", "--expires", "soon"), "token new: expiry: expected an RFC 3339 time"),
        (("new", "two", "--scopes", "admin", "--expires", utc_text(NOW_MS)), "token new: expiry = 2026"),
        (("revoke", "two"), "token revoke: name = 'two': expected one that is there: one"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_and_changes_nothing(
    run: Run, file: Path, arguments: tuple[str, ...], expected: str
) -> None:
    run("new", "one", "--scopes", "admin")
    before = file.read_bytes()
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"dispatcher: {expected}")
    assert err.count("\n") == 1
    assert file.read_bytes() == before
